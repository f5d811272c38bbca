#!/usr/bin/python3
"""A small stand-in of the HTTP API, for the tests of the pages alone. Not the brain: it decides nothing,
it answers what a test put into it, in the shapes of the contract (docs/pages.md). It serves the real
assets with the real security headers, so a page that needs inline script or eval fails here.

Threads: one per request; `Standin.lock` guards everything. Time is a fixed instant that runs on, so
that pictures show the same clock every time. Patients are synthetic."""
import datetime
import http.server
import json
import pathlib
import re
import threading
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[3]
ASSETS = ROOT / "src" / "web" / "assets"
ZONE = datetime.timezone(datetime.timedelta(hours=1))
BASE = datetime.datetime(2026, 11, 22, 14, 32, 8, tzinfo=ZONE)
PAGES = ("worklist", "alerts", "models", "admin", "login")
TYPES = {".js": "text/javascript", ".css": "text/css", ".json": "application/json", ".svg": "image/svg+xml"}
CSP = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
       "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'")


class Problem(Exception):
    def __init__(self, status, detail, **more):
        super().__init__(detail)
        self.status, self.detail, self.more = status, detail, more


class Standin:
    def __init__(self):
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.started = time.monotonic()
        self.revision = 4711
        self.items, self.parked, self.alerts, self.messages = [], [], [], []
        self.queue, self.alarms, self.models, self.users = [], [], [], []
        self.health = []
        self.timeline = {}
        self.drafts = {}
        self.more = {}                 # item id -> further fields of GET /items/{id}
        self.user = {"user": "smit", "roles": ["reader", "reporter"]}
        self.logged_in = True
        self.password = "synthetisch"
        self.complete, self.observe = True, []
        self.calls = []                # (method, path, headers, body) of every changing call
        self.events = []               # (revision, name)
        self.fail = {}                 # path regex -> Problem, or "drop": cut the line
        self.beat = 1.0                # seconds between heartbeats
        self.streams_off = False
        self.stream_heads = []
        owner = self

        class Handler(StandinHandler):
            standin = owner

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, request, client_address):
                pass                   # a browser that closes its stream is no error

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d" % self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def stop(self):
        with self.lock:
            self.streams_off = True
            self.changed.notify_all()
        self.server.shutdown()
        self.server.server_close()

    def now(self):
        return BASE + datetime.timedelta(seconds=time.monotonic() - self.started)

    def at(self, **ago):
        """A time before the start of the test, as the API writes it."""
        return (BASE - datetime.timedelta(**ago)).isoformat()

    def touch(self, name="item"):
        with self.lock:
            self.revision += 1
            self.events.append((self.revision, name))
            self.changed.notify_all()
            return self.revision

    def item(self, ident):
        for item in self.items:
            if str(item["id"]) == str(ident):
                return item
        raise Problem(404, "Dit onderzoek is er niet.")

    def called(self, verb):
        with self.lock:
            return [c for c in self.calls if c[1].endswith("/" + verb)]


class StandinHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    standin = None

    def log_message(self, *args):
        pass

    # ---- answers ---------------------------------------------------------------------------------
    def put(self, status, body, kind="application/json", **headers):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Content-Security-Policy", CSP)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def handle_one(self, method):
        s = self.standin
        url = urllib.parse.urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length) if length else b""
        try:
            with s.lock:
                for pattern, what in s.fail.items():
                    if re.search(pattern, method + " " + url.path):
                        if what == "drop":
                            self.close_connection = True
                            return
                        raise what
            if method == "GET" and not url.path.startswith(("/api", "/readyz")):
                return self.static(url.path)
            if url.path == "/api/v1/stream":
                return self.stream()
            body = json.loads(raw) if raw else {}
            with s.lock:
                self.api(method, url.path, dict(urllib.parse.parse_qsl(url.query)), body)
        except Problem as p:
            self.put(p.status, {"type": "about:blank", "title": "problem", "status": p.status,
                                "detail": p.detail, **p.more}, "application/problem+json")

    def do_GET(self):
        self.handle_one("GET")

    def do_POST(self):
        self.handle_one("POST")

    def do_DELETE(self):
        self.handle_one("DELETE")

    def static(self, path):
        if path == "/ack-sample":
            return self.put(200, ACK_SAMPLE.encode(), "text/html; charset=utf-8")
        if path == "/favicon.ico":
            path = "/assets/icon.svg"
        name = path[1:] + ".html" if path[1:] in PAGES else path.removeprefix("/assets/")
        file = ASSETS / name
        if "/" in name or not file.is_file():
            raise Problem(404, "niet gevonden")
        kind = TYPES.get(file.suffix, "text/html; charset=utf-8")
        return self.put(200, file.read_bytes(), kind)

    def stream(self):
        s = self.standin
        with s.lock:
            if s.streams_off:
                raise Problem(503, "geen stroom")
            seen = int(self.headers.get("Last-Event-ID") or s.revision)
            s.stream_heads.append(self.headers.get("Last-Event-ID"))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        self.wfile.write(b": hello\n\n")
        while True:
            with s.lock:
                if s.streams_off:
                    return
                fresh = [e for e in s.events if e[0] > seen]
                if not fresh:
                    s.changed.wait(s.beat)
                    fresh = [e for e in s.events if e[0] > seen]
                if s.streams_off:
                    return
            text = "".join('id: %d\nevent: %s\ndata: {"revision":%d}\n\n' % (r, n, r) for r, n in fresh)
            seen = fresh[-1][0] if fresh else seen
            self.wfile.write((text or ": beat\n\n").encode())
            self.wfile.flush()

    # ---- the API ---------------------------------------------------------------------------------
    def api(self, method, path, query, body):
        s = self.standin
        if path == "/readyz":
            ok = all(h["ok"] for h in s.health)
            return self.put(200 if ok else 503, {"ready": ok, "reasons": s.health})
        if path == "/api/v1/session":
            return self.session(method, body)
        if not s.logged_in:
            raise Problem(401, "Niet aangemeld.")
        if method != "GET":
            if self.headers.get("X-CSRF-Token") != "csrf-synthetisch":
                raise Problem(403, "Het CSRF-teken ontbreekt.")
            s.calls.append((method, path, dict(self.headers), body))
            return self.change(path, body)
        head = {"revision": s.revision, "now": s.now().isoformat()}
        if path == "/api/v1/worklist":
            tag = '"%d-%s"' % (s.revision, self.headers.get("Accept-Language"))
            if self.headers.get("If-None-Match") == tag:
                return self.put(304, b"", ETag=tag)
            limit = int(query.get("limit", "200"))
            items = [dict(i, rank=n + 1) for n, i in enumerate(s.items)]
            answer = {**head, "complete": s.complete, "observe": s.observe, "items": items[:limit]}
            if len(items) > limit:
                answer["next"] = str(items[limit - 1]["id"])
            return self.put(200, answer, ETag=tag)
        for name, rows in (("parked", s.parked), ("alerts", s.alerts), ("messages", s.messages),
                           ("queue", s.queue), ("alarms", s.alarms), ("models", s.models), ("users", s.users)):
            if path == "/api/v1/" + name:
                if name == "alerts" and query.get("state") == "open":
                    rows = [a for a in rows if a["state"] not in ("acknowledged", "withdrawn", "resolved")]
                elif name == "alerts" and query.get("state") not in (None, "all"):
                    rows = [a for a in rows if a["state"] == query["state"]]
                return self.put(200, {**head, name: rows})
        match = re.fullmatch(r"/api/v1/items/([^/]+)(?:/(timeline|draft))?", path)
        if not match:
            raise Problem(404, "niet gevonden")
        item = s.item(match[1])
        if match[2] == "timeline":
            return self.put(200, {**head, "timeline": s.timeline.get(item["id"], [])})
        if match[2] == "draft":
            draft = s.drafts.get(item["id"])
            if not draft:
                raise Problem(404, item.get("no_draft") or "geen concept")
            return self.put(200, draft, ETag='"%s"' % draft["version"])
        return self.put(200, {**item, **s.more.get(item["id"], {})})

    def session(self, method, body):
        s = self.standin
        if method == "POST":
            if body.get("password") != s.password:
                raise Problem(401, "Onjuist.")
            s.logged_in = True
            s.user["user"] = body.get("user")
            # As the brain does behind a proxy; a browser counts loopback as safe.
            return self.put(200, {**s.user, "csrf": "csrf-synthetisch"},
                            Set_Cookie="__Host-spoed=x; Path=/; Secure; HttpOnly; SameSite=Strict")
        if method == "DELETE":
            s.logged_in = False
            return self.put(200, {})
        if not s.logged_in:
            raise Problem(401, "Niet aangemeld.")
        return self.put(200, {**s.user, "csrf": "csrf-synthetisch"})

    def change(self, path, body):
        s = self.standin
        part = path.split("/")[3:]
        if part[0] == "items":
            self.change_item(s.item(part[1]), "/".join(part[2:]), body)
        elif part[0] == "alerts":
            alert = next(a for a in s.alerts if str(a["id"]) == part[1])
            if part[2] == "acknowledge":
                alert["state"] = "acknowledged"
                alert["acknowledged"] = {"by": s.user["user"], "at": s.now().isoformat(), "how": body["how"]}
            else:
                alert["state"] = {"handover": "handed_over", "decline": "declined"}[part[2]]
        elif part[0] == "parked":
            s.parked[:] = [p for p in s.parked if str(p["id"]) != part[1]]
        return self.put(200, {"revision": s.touch("alert" if part[0] == "alerts" else "item")})

    def change_item(self, item, verb, body):
        s = self.standin
        if verb == "claim":
            if item.get("reader") and item["reader"] != s.user["user"]:
                raise Problem(409, "Dit onderzoek is in verslag.", holder=item["reader"])
            item.update(reader=s.user["user"], status="in_progress")
        elif verb == "release":
            item.update(reader=None, status="arrived")
        elif verb == "priority":
            if not body.get("reason"):
                raise Problem(422, "Een reden is verplicht.")
            item["level"] = body["level"]
            item["reasons"].insert(0, {"rule": "person", "text": "Door %s: %s" % (s.user["user"], body["reason"])})
        elif verb == "draft/accept":
            draft = s.drafts[item["id"]]
            match = self.headers.get("If-Match")
            if not match:
                raise Problem(428, "If-Match ontbreekt.")
            if match != '"%s"' % draft["version"]:
                raise Problem(412, "Er kwam een beeld bij dat de AI niet zag.")
            item.update(status="preliminary", draft=None, no_draft="Het verslag is geaccepteerd.")
        elif verb == "draft/undo":
            item.update(status="arrived", draft={"version": "v1"}, no_draft=None)
        elif verb == "draft/reject":
            item.update(draft=None, no_draft="Afgewezen.")


ACK_SAMPLE = """<!doctype html><html lang="nl"><head><meta charset="utf-8"><title>Spoed</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="stylesheet" href="/assets/app.css">
<link rel="stylesheet" href="/assets/ack.css"></head><body class="ack"><main><div class="card at-critical">
<span class="level level-critical"><span class="shape" aria-hidden="true">▲▲</span><span>1 Kritiek</span></span>
<h1>intracraniële bloeding</h1><p class="source">AI-vermoeden, niet beoordeeld</p>
<p>T.A. V *1955 · SEH · ZZ260001</p><form method="post"><button class="button primary" type="submit">Gezien</button></form>
<p class="note small">Opgeroepen: 14:21. Met Gezien bevestigt u met uw naam dat u verder handelt.</p></div></main></body></html>"""


def night(s):
    """The picture of one synthetic afternoon: what the screenshots and most tests show."""
    def person(name, birth, sex, number):
        return {"ids": [{"value": number, "authority": "ZH"}], "name": name, "birth_date": birth, "sex": sex}

    def row(ident, level, due, waited, reasons, patient, code, text, modality, **more):
        base = {"id": ident, "rank": 0, "level": level, "arrived": s.at(minutes=waited),
                "due": (BASE + datetime.timedelta(minutes=due)).isoformat(),
                "reasons": [{"rule": r, "text": w} for r, w in reasons],
                "accession": {"value": "ZZ26%04d" % ident, "issuer": "ZH"}, "placer": {"value": "P%d" % ident, "authority": "ZH"},
                "filler": None, "study_uids": ["2.25.%d" % ident], "linked": [], "patient": patient,
                "procedures": [{"code": code, "text": text}], "modality": modality, "body_part": "",
                "location": "SEH", "patient_class": "E", "order_priority": "routine", "ai": [], "status": "arrived",
                "order": "active", "images": "complete", "reading": "unread", "report": "none", "reader": None,
                "draft": None, "no_draft": "Er is geen model voor dit onderzoek.", "alert": None}
        base.update(more)
        return base

    def ai(model, state, *findings, **more):
        return {"model": model, "version": "2.1.0", "mode": "live", "state": state,
                "findings": [{"concept": c, "text": w, "probability": p, "site": ""} for c, w, p in findings],
                "expected_at": None, "link": None, **more}

    soon = (BASE + datetime.timedelta(minutes=3, seconds=20)).isoformat()
    ich = ("intracranial-hemorrhage", "intracraniële bloeding", 0.94)
    s.items = [
        row(1, "critical", 18, 12, [("ich-critical", "AI ziet een mogelijke intracraniële bloeding bij een SEH-patiënt"),
                                    ("ed-default", "Aanvraag van de SEH")],
            person("Testpatiënt, Anna", "19550314", "F", "ZZ100001"), "CTHERS", "CT hersenen blanco", "CT",
            ai=[ai("ich-a", "positive", ich, link="/assets/icon.svg"), ai("cspine-b", "pending", expected_at=soon)],
            alert={"id": 31, "state": "escalated"}, linked=[2], no_draft="Een model meldt een positieve bevinding."),
        row(90, "critical", 20, 3, [("unmatched", "Positief AI-resultaat zonder aanvraag: controleer de patiënt")],
            person("Proefpersoon, Onno", "1948", "M", "ZZ100090"), "", "CT hersenen", "CT", status="unmatched", location="",
            patient_class="", order_priority="", ai=[ai("ich-a", "positive", ich)], accession={"value": "ZZ269999", "issuer": "ZH"}),
        row(3, "urgent", -4, 64, [("max-wait", "Wacht langer dan 60 min: één niveau omhoog"), ("ed-default", "Aanvraag van de SEH")],
            person("Voorbeeld, Pieter", "19720107", "M", "ZZ100003"), "XTHOR", "X-thorax", "DX", location="SEH",
            ai=[ai("cxr-normal", "negative", ("pneumothorax", "pneumothorax", 0.03))], no_draft="De film is niet door alle verplichte modellen normaal gevonden."),
        row(4, "urgent", 31, 9, [("ptx-urgent", "AI ziet een mogelijke pneumothorax")],
            person("Fictief, Joost", "20030822", "M", "ZZ100004"), "XTHOR", "X-thorax", "DX", reader="bakker", status="in_progress",
            reading="claimed", ai=[ai("ptx-c", "positive", ("pneumothorax", "pneumothorax", 0.81))]),
        row(5, "urgent", 42, 18, [("ward-stat", "Aanvraag met spoed door de kliniek")],
            person("Synthetisch, Maria", "19881130", "F", "ZZ100005"), "CTPE", "CT longembolie", "CT", location="Kliniek 3B",
            patient_class="I", order_priority="stat", ai=[ai("pe-d", "late")], no_draft="Een verplicht model heeft nog niets gestuurd."),
        row(2, "expedited", 55, 12, [("ed-default", "Aanvraag van de SEH"), ("linked", "Zelfde onderzoek als ZZ260001")],
            person("Testpatiënt, Anna", "19550314", "F", "ZZ100001"), "CTCWK", "CT halswervelkolom", "CT",
            ai=[ai("cspine-b", "pending", expected_at=soon)], linked=[1]),
        row(6, "expedited", 70, 31, [("ed-default", "Aanvraag van de SEH")],
            person("Demo, Truus", "19460505", "F", "ZZ100006"), "CTHERS", "CT hersenen blanco", "CT",
            ai=[ai("ich-a", "failed")], no_draft="Een verplicht model is mislukt."),
        row(7, "routine", 160, 6, [("normal-chest", "AI vindt geen afwijking; volgorde op aanvraag")],
            person("Voorbeeld, Karel", "19640211", "M", "ZZ100007"), "XTHOR", "X-thorax", "DX", location="Poli longziekten", patient_class="O",
            ai=[ai("cxr-normal", "normal"), ai("ptx-c", "negative", ("pneumothorax", "pneumothorax", 0.01))],
            draft={"version": "v1"}, no_draft=None),
        row(8, "routine", 175, 22, [("default", "Volgorde op aanvraag en wachttijd")],
            person("Testkind, Bram", "20180617", "M", "ZZ100008"), "XENKEL", "X-enkel", "DX", ai=[ai("cxr-normal", "not_applicable")]),
        row(9, "routine", 190, 41, [("cancelled", "Aanvraag geannuleerd, maar er zijn beelden: bevestig")],
            person("Fictief, Wilma", "19790923", "F", "ZZ100009"), "XTHOR", "X-thorax", "DX", location="Poli", patient_class="O",
            status="cancelled_images_present", order="cancelled", ai=[ai("cxr-normal", "not_analysed")]),
    ]
    s.more = {1: {"requester": "SEH-arts D. Demo", "callback": "5151", "clinical_info": "Val van trap, sufheid. Bloeding?"}}
    s.timeline = {1: [
        {"at": s.at(minutes=26), "text": "Aanvraag ontvangen (routine)"},
        {"at": s.at(minutes=12), "text": "Beelden compleet"},
        {"at": s.at(minutes=11), "text": "Resultaat ich-a 2.1.0: positief"},
        {"at": s.at(minutes=11), "level": "critical", "text": "regel ich-critical"},
        {"at": s.at(minutes=11), "text": "Oproep naar radiologist-on-duty en ed-on-duty"},
        {"at": s.at(minutes=6), "text": "Geëscaleerd naar de achterwacht"}]}
    s.drafts = {7: {"version": "v1", "language": "nl", "models": ["cxr-normal 2.1.0", "ptx-c 2.1.0"], "missing": ["ribfracturen"], "min_dwell": 3,
                    "text": "X-thorax, achter-voorwaarts en lateraal.\n\nHart niet vergroot. Normale longvaattekening. Geen infiltraat, "
                            "geen pneumothorax, geen pleuravocht.\n\nConclusie: geen afwijkingen. Niet vergeleken met eerder onderzoek."}}
    s.parked = [{"id": 501, "at": s.at(minutes=3), "why": "no-order", "why_text": "Geen aanvraag met dit nummer of onderzoek gevonden.", "level": "critical",
                 "patient": person("Proefpersoon, Onno", "1948", "M", "ZZ100090"), "accession": {"value": "ZZ269999", "issuer": "ZH"}, "study_uid": "2.25.90",
                 "model": "ich-a", "state": "positive", "findings": [{"concept": ich[0], "text": ich[1], "probability": 0.91, "site": ""}]}]
    page = lambda n, to, ago: {"page_id": "pg-%d" % n, "at": s.at(minutes=ago), "to": to, "channel": "pager", "outcome": "ok"}
    s.alerts = [
        {"id": 31, "item": 1, "accession": "ZZ260001", "level": "critical", "concept": ich[0], "state": "escalated", "step": 1,
         "due": (BASE + datetime.timedelta(minutes=4, seconds=6)).isoformat(), "pages": [page(1, "visser", 11), page(2, "jansen", 6)], "acknowledged": None},
        {"id": 32, "item": 4, "accession": "ZZ260004", "level": "urgent", "concept": "pneumothorax", "state": "delivered", "step": 0,
         "due": (BASE + datetime.timedelta(minutes=1, seconds=40)).isoformat(), "pages": [page(3, "visser", 8)], "acknowledged": None},
        {"id": 30, "item": 5, "accession": "ZZ260005", "level": "critical", "concept": "pulmonary-embolism", "state": "acknowledged", "step": 0, "due": None,
         "pages": [page(4, "visser", 55)], "acknowledged": {"by": "visser", "at": s.at(minutes=53), "how": "link"}},
        {"id": 29, "item": 6, "accession": "ZZ260006", "level": "critical", "concept": ich[0], "state": "withdrawn", "step": 0, "due": None,
         "closed": s.at(minutes=70), "closed_reason": "De radioloog is het niet eens met de AI.", "pages": [page(5, "visser", 80)], "acknowledged": None}]
    s.models = [{"id": "ich-a", "name": "Hersenbloeding (voorbeeld)", "manufacturer": "Voorbeeld BV", "required": True,
                 "versions": [{"version": "2.1.0", "mode": "live", "results": 1284, "positives": 97, "late": 6, "last_result": s.at(minutes=11)},
                              {"version": "2.2.0", "mode": "shadow", "results": 40, "positives": 3, "late": 0, "last_result": s.at(minutes=12)}]},
                {"id": "cxr-normal", "name": "Normale thorax (voorbeeld)", "manufacturer": "Proef BV", "required": True, "mode": "acceptance",
                 "versions": [{"version": "1.0.3", "mode": "", "results": 310, "positives": 0, "late": 2, "last_result": s.at(hours=3)}]},
                {"id": "pe-d", "name": "Longembolie (voorbeeld)", "manufacturer": "Proef BV", "required": False, "mode": "suspended", "versions": []}]
    s.health = [{"name": "opslag", "ok": True, "text": "SQLite, 12 ms per opdracht"},
                {"name": "RIS", "ok": True, "text": "laatste bericht 14 s geleden"}]
    s.alarms = [{"id": 1, "kind": "model-silent", "subject": "pe-d", "text": "Longembolie stuurde 40 min niets terwijl er onderzoeken waren.", "since": s.at(minutes=41), "until": None, "count": 1}]
    s.queue = [{"id": 71, "at": s.at(minutes=7), "destination": "ris", "kind": "priority", "state": "dead", "attempts": 8, "error": "AR: onbekend onderzoek"},
               {"id": 72, "at": s.at(minutes=1), "destination": "mail", "kind": "page", "state": "queued", "attempts": 1, "error": "connect: refused"}]
    s.messages = [{"id": 9, "at": s.at(minutes=26), "direction": "in", "peer": "ris", "type": "ORM^O01", "control_id": "ZZ0001", "answer": "AA", "reason": "", "item": 1},
                  {"id": 10, "at": s.at(minutes=11), "direction": "out", "peer": "ris", "type": "ORM^O01", "control_id": "SPD0001", "answer": "AA", "reason": "", "item": 1},
                  {"id": 11, "at": s.at(minutes=7), "direction": "in", "peer": "ris", "type": "ORM^O01", "control_id": "ZZ0002", "answer": "AR", "reason": "PID ontbreekt", "item": None}]
    s.users = [{"id": 1, "name": "smit", "roles": ["reader", "reporter"], "created": s.at(days=40), "disabled": False},
               {"id": 2, "name": "visser", "roles": ["clinician"], "created": s.at(days=12), "disabled": False}]


if __name__ == "__main__":
    stand = Standin()
    night(stand)
    stand.user["roles"] = ["reader", "reporter", "clinician", "manager", "admin"]
    print("Stand-in (synthetic): %s/worklist" % stand.url, flush=True)
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        stand.stop()
