#!/usr/bin/env python3
"""UPS against a running brain: the same sequence (create, subscribe, claim, update, complete, cancel) by UPS-RS and by
DIMSE, with what must be refused and its status; a claim on the page and a claim by UPS are one claim; every change of
state comes as an event on a WebSocket, also to one that was away, and by N-EVENT-REPORT to a subscriber of its own."""
import base64
import hashlib
import json
import os
import socket
import struct
import threading
import time

from brain import Brain, Order, check, done, equal, scene, until
from dimse import UPS_EVENT, UPS_PULL, UPS_PUSH, UPS_QUERY, UPS_WATCH, Dimse, command_set, dataset, us
from dimse import uid as uid_part
from hospital import send, stamp, uid
from scu import EXPLICIT, Association, _item

GLOBAL, FILTERED = "1.2.840.10008.5.1.4.34.5", "1.2.840.10008.5.1.4.34.5.1"
INTERPRETATION = ("110005", "DCM", "Interpretation")


# ---- DICOM JSON ----
def text(vr, *values):
    return {"vr": vr, "Value": list(values)}


def seq(*items):
    return {"vr": "SQ", "Value": list(items)}


def code(value, scheme, meaning):
    return {"00080100": text("SH", value), "00080102": text("SH", scheme), "00080104": text("LO", meaning)}


def workitem(order, **changes):
    """What a task requester sends; changes: tag -> element, None takes it out."""
    d = {"00741000": text("CS", "SCHEDULED"), "00081195": {"vr": "UI"}, "00741200": text("CS", "HIGH"),
         "00741204": text("LO", "Read this one"), "00741202": text("LO", "Night"), "00404005": text("DT", "20260101080000+0100"),
         "00404041": text("CS", "READY"), "00404018": seq(code(*INTERPRETATION)), "00404021": {"vr": "SQ"},
         "00100010": {"vr": "PN", "Value": [{"Alphabetic": order.name}]}, "00100020": text("LO", order.patient),
         "00100021": text("LO", "ZH"), "0020000D": text("UI", order.study),
         "0040A370": seq({"00080050": text("SH", order.accession), "00402016": text("LO", "PL" + order.accession),
                          "0020000D": text("UI", order.study), "00321060": text("LO", "CT hersenen")}),
         "00741002": {"vr": "SQ"}, "00741216": {"vr": "SQ"}}
    for tag, value in changes.items():
        tag = tag.lstrip("x")
        d.pop(tag, None)
        if value is not None:
            d[tag] = value
    return d


def performed(**leave):
    d = {"00404028": seq(code("WS1", "99TEST", "Workstation 1")), "00404019": seq(code(*INTERPRETATION)),
         "00404050": text("DT", "20260101090000"), "00404051": text("DT", "20260101090500"),
         "00404033": seq({"0040E020": text("CS", "DICOM"), "0020000D": text("UI", "1.2.3"), "0020000E": text("UI", "1.2.3.4"),
                          "00081199": seq({"00081150": text("UI", "1.2.840.10008.5.1.4.1.1.88.33"), "00081155": text("UI", "1.2.3.4.5")})})}
    for tag in leave.get("leave", ()):
        d.pop(tag)
    return {"00741216": seq(d)}


class Web:
    def __init__(self, b, who="smit"):
        self.b, self.token = b, b.tokens.get(who, who)

    def ask(self, method, path, body=None, kind="application/dicom+json"):
        """(status, JSON or None, headers)"""
        headers = {"Authorization": "Bearer " + self.token, "Accept": "application/dicom+json"}
        if body is not None:
            headers["Content-Type"] = kind
            body = body if isinstance(body, (bytes, str)) else json.dumps(body)
        status, data, answer = self.b.raw(method, "/dicom-web" + path, body, headers)
        try:
            return status, json.loads(data) if data else None, answer
        except ValueError:
            return status, None, answer

    def create(self, d, u=None):
        return self.ask("POST", "/workitems" + (f"?workitem={u}" if u else ""), d)

    def get(self, u):
        found = self.ask("GET", f"/workitems/{u}")[1]
        return found[0] if isinstance(found, list) else {}

    def state(self, u, state, transaction, path=""):
        d = {"00741000": text("CS", state)}
        if transaction:
            d["00081195"] = text("UI", transaction)
        return self.ask("PUT", f"/workitems/{u}/state{path}", d)[0]

    def update(self, u, d, transaction=None):
        return self.ask("POST", f"/workitems/{u}" + (f"?transaction-uid={transaction}" if transaction else ""), d)[0]

    def cancel(self, u, d=None):
        return self.ask("POST", f"/workitems/{u}/cancelrequest", d or {})[0]

    def search(self, **keys):
        status, found, _ = self.ask("GET", "/workitems?" + "&".join(f"{k}={v}" for k, v in keys.items()))
        return found or [] if status in (200, 204) else status


def value(d, tag):
    return (d.get(tag, {}).get("Value") or [None])[0]


class Socket:
    """A WebSocket of a subscriber (RFC 6455), by hand."""

    def __init__(self, b, ae, who="smit"):
        key = base64.b64encode(os.urandom(16)).decode()
        self.sock, self.events, self.closed = socket.create_connection(("127.0.0.1", b.http), timeout=20), [], None
        self.sock.sendall((f"GET /dicom-web/subscribers/{ae} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                           f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nAuthorization: Bearer {b.tokens.get(who, who)}\r\n\r\n").encode())
        head, self.rest = b"", b""
        while b"\r\n\r\n" not in head:
            data = self.sock.recv(4096)
            if not data:
                raise OSError("the handshake was cut: " + head.decode(errors="replace"))
            head += data
        head, self.rest = head.split(b"\r\n\r\n", 1)
        self.status = int(head.split()[1])
        want = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
        self.accepted = f"sec-websocket-accept: {want}".lower() in head.decode().lower()
        threading.Thread(target=self._read, daemon=True).start()

    def exactly(self, n):
        while len(self.rest) < n:
            data = self.sock.recv(65536)
            if not data:
                raise OSError("closed")
            self.rest += data
        got, self.rest = self.rest[:n], self.rest[n:]
        return got

    def _read(self):
        try:
            while True:
                a, n = self.exactly(2)
                if n == 126:
                    n = struct.unpack(">H", self.exactly(2))[0]
                elif n == 127:
                    n = struct.unpack(">Q", self.exactly(8))[0]
                data = self.exactly(n)
                if a & 15 == 1:
                    self.events.append(json.loads(data))
                elif a & 15 == 9:
                    self.send(10, data)
                elif a & 15 == 10:
                    self.pong = data
                elif a & 15 == 8:
                    self.closed = struct.unpack(">H", data[:2])[0] if data else 0
        except OSError:
            self.closed = self.closed or 1006

    def send(self, opcode, payload=b"", mask=True):
        key = os.urandom(4) if mask else b""
        body = bytes(c ^ key[i % 4] for i, c in enumerate(payload)) if mask else payload
        self.sock.sendall(bytes([0x80 | opcode, (0x80 if mask else 0) | len(payload)]) + key + body)

    def of(self, u):
        """(event type, state) of a workitem's events, in order."""
        return [(value(e, "00001002"), value(e, "00741000")) for e in list(self.events) if value(e, "00001000") == u]

    def close(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)  # the reading thread holds it open otherwise
        except OSError:
            pass
        self.sock.close()


def by_rs(b, w):
    o, u, tx, other = Order("UPS1", "880001"), uid(), uid(), uid()
    equal("subscribing to everything", w.ask("POST", f"/workitems/{GLOBAL}/subscribers/WATCH?deletionlock=false")[0], 201)
    s = Socket(b, "WATCH")
    check("the handshake is that of RFC 6455", s.status == 101 and s.accepted)
    status, _, headers = w.create(workitem(o), u)
    equal("create", status, 201)
    check("says where it is", (headers["Location"] or "").endswith("/dicom-web/workitems/" + u), headers["Location"])
    equal("the same again", w.create(workitem(o), u)[0], 409)
    d = w.get(u)
    equal("it is SCHEDULED", value(d, "00741000"), "SCHEDULED")
    equal("of the class UPS Push", value(d, "00080016"), UPS_PUSH)
    check("no Transaction UID is shown", "00081195" not in d)
    equal("its label is as sent", value(d, "00741204"), "Read this one")
    equal("an interpretation", value(value(d, "00404018"), "00080100"), "110005")
    equal("priority by its level", value(d, "00741200"), "HIGH")
    equal("the accession of its request", value(value(d, "0040A370"), "00080050"), o.accession)
    check("it is on the list", until(lambda: b.item(o.accession).get("status") == "arrived"), b.item(o.accession))
    equal("found by accession", [value(x, "00080018") for x in w.search(**{"ReferencedRequestSequence.AccessionNumber": o.accession})], [u])
    equal("and by state and patient", [value(x, "00080018") for x in w.search(**{"00741000": "SCHEDULED", "PatientID": o.patient})], [u])
    equal("a key that is none", w.search(NoSuchKeyword="1"), 400)
    refused(w, u, tx)
    equal("claim", w.state(u, "IN PROGRESS", tx), 200)
    equal("a second claim", w.state(u, "IN PROGRESS", other), 409)
    check("the page shows who has it", until(lambda: (b.item(o.accession).get("reader") or "") == "smit"), b.item(o.accession).get("reader"))
    equal("and keeps others off", b.act(f"items/{b.item(o.accession)['id']}/claim", who=None, headers=b.login("reporter")), 409)
    equal("update without the key", w.update(u, {"00741002": seq({"00741004": text("DS", "10")})}), 409)
    equal("update with another key", w.update(u, {"00741002": seq({"00741004": text("DS", "10")}), "00081195": text("UI", other)}), 409)
    equal("update", w.update(u, {"00741002": seq({"00741004": text("DS", "50"), "00741006": text("ST", "half")})}, tx), 200)
    equal("progress is kept", value(value(w.get(u), "00741002"), "00741004"), "50")
    equal("complete before it says what was done", w.state(u, "COMPLETED", tx), 409)
    equal("what was done, with a part missing", w.update(u, {**performed(leave=["00404051"]), "00081195": text("UI", tx)}), 200)
    equal("is not enough", w.state(u, "COMPLETED", tx), 409)
    equal("what was done", w.update(u, {**performed(), "00081195": text("UI", tx)}), 200)
    equal("complete with another key", w.state(u, "COMPLETED", other), 409)
    equal("complete", w.state(u, "COMPLETED", tx, "/WORKSTATION"), 200)
    status, _, headers = w.ask("PUT", f"/workitems/{u}/state", {"00741000": text("CS", "COMPLETED"), "00081195": text("UI", tx)})
    check("complete again is a warning", status == 200 and "299" in (headers["Warning"] or ""), (status, headers["Warning"]))
    equal("nothing more can be set", w.update(u, {**performed(), "00081195": text("UI", tx)}), 409)
    equal("nor cancelled", w.cancel(u), 409)
    check("it stays on the list until the RIS reports", b.item(o.accession).get("status") == "in_progress", b.item(o.accession).get("status"))
    check("events in order, none missing", until(lambda: s.of(u) == [(1, "SCHEDULED"), (1, "IN PROGRESS"), (3, None), (1, "COMPLETED")]), s.of(u))
    return s


def refused(w, u, tx):
    equal("to SCHEDULED", w.state(u, "SCHEDULED", tx), 409)
    equal("COMPLETED before a claim", w.state(u, "COMPLETED", tx), 409)
    equal("CANCELED before a claim", w.state(u, "CANCELED", tx), 409)
    equal("a claim without a key", w.state(u, "IN PROGRESS", None), 400)
    equal("a state that is none", w.state(u, "DONE", tx), 400)
    equal("a key before a claim", w.update(u, {"00741202": text("LO", "x"), "00081195": text("UI", tx)}), 409)
    for what, (method, path, body, want) in {
            "no such workitem": ("GET", "/workitems/1.2.3", None, 404), "to claim": ("PUT", "/workitems/1.2.3/state", {"00741000": text("CS", "IN PROGRESS"), "00081195": text("UI", tx)}, 404),
            "to update": ("POST", "/workitems/1.2.3", {}, 404), "to cancel": ("POST", "/workitems/1.2.3/cancelrequest", {}, 404),
            "to follow": ("POST", "/workitems/1.2.3/subscribers/X", None, 404), "not JSON": ("POST", "/workitems", "{", 400),
            "not DICOM JSON": ("POST", "/workitems", {"a": 1}, 400), "suspend one": ("POST", f"/workitems/{u}/subscribers/X/suspend", None, 400),
            "a long AE title": ("POST", f"/workitems/{GLOBAL}/subscribers/ABCDEFGHIJKLMNOPQ", None, 400),
            "a filter of nothing": ("POST", f"/workitems/{FILTERED}/subscribers/X", None, 400)}.items():
        equal(what, w.ask(method, path, body)[0], want)
    equal("another kind of body", w.ask("POST", "/workitems", "<x/>", "application/dicom+xml")[0], 415)
    order = Order("UPSX", "880099")
    for what, change in {"no state": dict(x00741000=None), "no value of it": dict(x00741000={"vr": "CS"}), "not SCHEDULED": dict(x00741000=text("CS", "IN PROGRESS")),
                         "no priority": dict(x00741200=None), "a priority that is none": dict(x00741200=text("CS", "STAT")), "no label": dict(x00741204=None),
                         "no start": dict(x00404005=None), "a start that is none": dict(x00404005=text("DT", "yesterday")),
                         "no readiness": dict(x00404041=None), "no patient": dict(x00100020=None), "an empty patient": dict(x00100020={"vr": "LO"}),
                         "another kind of work": dict(x00404018=seq(code("110004", "DCM", "CADe"))), "a transaction": dict(x00081195=text("UI", tx)),
                         "no request and no study": dict(x0040A370=None, x0020000D=None)}.items():
        status, _, headers = w.create(workitem(order, **change))
        check(f"create with {what}", status == 400 and "299" in (headers["Warning"] or ""), (status, headers["Warning"]))
    equal("a hook only looks", Web(w.b, "orthanc").create(workitem(order))[0], 403)
    equal("nobody does", w.b.raw("GET", "/dicom-web/workitems")[0], 401)


def and_the_page(b, w, s):
    o = Order("UPS2", "880002")
    equal("an order of the RIS", b.order(o), "AA")
    b.images(o)
    u = until(lambda: [value(x, "00080018") for x in w.search(**{"ReferencedRequestSequence.AccessionNumber": o.accession})])[0]
    item = until(lambda: b.item(o.accession) if b.item(o.accession).get("status") == "arrived" else None)
    equal("the page claims it", b.act(f"items/{item['id']}/claim"), 200)
    equal("UPS says so", value(w.get(u), "00741000"), "IN PROGRESS")
    equal("and keeps others off", w.state(u, "IN PROGRESS", uid()), 409)
    equal("also with a made-up key", w.state(u, "CANCELED", uid()), 409)
    equal("the page gives it back", b.act(f"items/{item['id']}/release"), 200)
    equal("that workitem has ended", value(w.get(u), "00741000"), "CANCELED")
    new = [x for x in w.search(**{"ReferencedRequestSequence.AccessionNumber": o.accession})][0]
    check("another goes on from it", value(new, "00741000") == "SCHEDULED" and value(value(new, "00741224"), "00081155") == u, new.get("00741224"))
    n, tx = value(new, "00080018"), uid()
    equal("UPS claims that one", w.state(n, "IN PROGRESS", tx), 200)
    equal("UPS gives it back", w.state(n, "CANCELED", tx), 200)
    check("it can be claimed on the page again", until(lambda: b.item(o.accession).get("status") == "arrived"))
    third = value(w.search(**{"ReferencedRequestSequence.AccessionNumber": o.accession})[0], "00080018")
    equal("a watcher asks to cancel", w.cancel(third, {"00741238": text("LT", "not needed")}), 202)
    equal("which ends that one", value(w.get(third), "00741000"), "CANCELED")
    equal("but takes no order of the RIS off the list", b.item(o.accession).get("status"), "arrived")
    check("the RIS's final report completes it", final_report(b, o))
    last = lambda: w.search(**{"ReferencedRequestSequence.AccessionNumber": o.accession})  # noqa: E731
    check("by way of IN PROGRESS", until(lambda: value(last()[0], "00741000") == "COMPLETED"))
    x = value(last()[0], "00080018")
    want = [(1, "SCHEDULED"), (1, "IN PROGRESS"), (1, "COMPLETED")]
    check("each with its event", until(lambda: [e for e in s.of(x) if e[0] == 1] == want), s.of(x))
    got = value(value(last()[0], "00741216"), "00404019")
    equal("and says what was done", value(got or {}, "00080100"), "110005")
    own = Order("UPS3", "880003")
    mine = uid()
    w.create(workitem(own), mine)
    equal("an order that came this way", w.cancel(mine), 202)
    check("is cancelled with it", until(lambda: b.item(own.accession).get("status") == "cancelled"), b.item(own.accession).get("status"))
    check("by way of IN PROGRESS", until(lambda: [e for e in s.of(mine) if e[0] == 1] == [(1, "SCHEDULED"), (1, "IN PROGRESS"), (1, "CANCELED")]), s.of(mine))


def final_report(b, o):
    obr = ["OBR", "1", "", "", "CTHERS^CT hersenen"] + [""] * 20 + ["F"]
    obr[18] = o.accession
    oru = "\r".join([f"MSH|^~\\&|RIS|ZH|SPOED|ZH|{stamp()}||ORU^R01|F{o.accession}|P|2.5", f"PID|||{o.patient}^^^ZH||{o.name}",
                     "|".join(obr), "OBX|1|TX|||Seen.||||||F", ""])
    return "MSA|AA" in send(b.mllp, oru)


def away(b, w, s):
    s.close()
    o, u = Order("UPS4", "880004"), uid()
    time.sleep(0.3)
    equal("while nobody listens", w.create(workitem(o), u)[0], 201)
    b.stop()
    b.start()
    s = Socket(b, "WATCH")
    check("who was away gets it, after a restart too", until(lambda: (1, "SCHEDULED") in s.of(u)), s.events[-3:])
    check("and hears of the restart", until(lambda: any(value(e, "00001002") == 4 and value(e, "00741242") == "RESTARTED" for e in s.events)))
    s.send(9, b"hello")
    check("a ping is answered", until(lambda: getattr(s, "pong", None) == b"hello"))
    s.send(1, b"anything")
    equal("suspended", w.ask("POST", f"/workitems/{GLOBAL}/subscribers/WATCH/suspend")[0], 200)
    o2, u2 = Order("UPS5", "880005"), uid()
    w.create(workitem(o2), u2)
    equal("claim of the older one", w.state(u, "IN PROGRESS", uid()), 200)
    check("is told", until(lambda: (1, "IN PROGRESS") in s.of(u)))
    equal("the newer one is not", s.of(u2), [])
    equal("following that one", w.ask("POST", f"/workitems/{u2}/subscribers/WATCH")[0], 201)
    check("says how it stands", until(lambda: s.of(u2) == [(1, "SCHEDULED")]))
    equal("leaving all", w.ask("DELETE", f"/workitems/{GLOBAL}/subscribers/WATCH")[0], 200)
    equal("claim", w.state(u2, "IN PROGRESS", uid()), 200)
    time.sleep(0.5)
    equal("is told no more", s.of(u2), [(1, "SCHEDULED")])
    s.send(1, b"unmasked", mask=False)
    check("an unmasked frame ends it", until(lambda: s.closed == 1002), s.closed)
    equal("following what is urgent only", w.ask("POST", f"/workitems/{FILTERED}/subscribers/URGENT?ScheduledProcedureStepPriority=HIGH")[0], 201)
    f = Socket(b, "URGENT")
    low, high = uid(), uid()
    w.create(workitem(Order("UPS6", "880006"), x00741200=text("CS", "LOW")), low)
    w.create(workitem(Order("UPS7", "880007")), high)
    equal("claim of it", w.state(high, "IN PROGRESS", uid()), 200)
    check("is told", until(lambda: f.of(high) == [(1, "SCHEDULED"), (1, "IN PROGRESS")]), f.of(high))
    equal("the other is not", f.of(low), [])
    f.close()


# ---- DIMSE ----
def dcode(tag, c):
    return tag, "SQ", [dataset((0x00080100, "SH", c[0]), (0x00080102, "SH", c[1]), (0x00080104, "LO", c[2]))]


def creation(o, *more, leave=()):
    parts = [(0x00080005, "CS", "ISO_IR 192"), (0x00081195, "UI", ""), (0x00100010, "PN", o.name), (0x00100020, "LO", o.patient), (0x00100021, "LO", "ZH"),
             (0x00404005, "DT", "20260101080000"), dcode(0x00404018, INTERPRETATION), (0x00404041, "CS", "READY"),
             (0x0040A370, "SQ", [dataset((0x00080050, "SH", o.accession), (0x0020000D, "UI", o.study))]),
             (0x00741000, "CS", "SCHEDULED"), (0x00741200, "CS", "MEDIUM"), (0x00741204, "LO", "By DIMSE")]
    return dataset(*[p for p in parts if p[0] not in leave and p[0] not in [m[0] for m in more]], *more)


def change(state, transaction=None):
    return dataset(*([(0x00081195, "UI", transaction)] if transaction else []), (0x00741000, "CS", state))


def follow(ae, lock="FALSE", *keys):
    return dataset((0x00741230, "LO", lock), (0x00741234, "AE", ae), *keys)


def done_what(tx):
    inside = dataset(dcode(0x00404019, INTERPRETATION), dcode(0x00404028, ("WS1", "99TEST", "Workstation")), (0x00404033, "SQ", []),
                     (0x00404050, "DT", "20260101090000"), (0x00404051, "DT", "20260101090500"))
    return dataset((0x00081195, "UI", tx), (0x00741216, "SQ", [inside]))


class Scp(threading.Thread):
    """A subscriber of its own: takes associations, keeps N-EVENT-REPORTs, answers them."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port, self.events = self.listener.getsockname()[1], []
        self.start()

    def run(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        a = Dimse.__new__(Dimse)
        a.sock, a.number, a.answer = sock, 0, {}
        try:
            kind, body = Association.pdu(a)
            contexts, at = [], 68
            while at + 4 <= len(body):
                k, _, n = struct.unpack_from(">BBH", body, at)
                if k == 0x20:
                    contexts.append(body[at + 4])
                at += 4 + n
            items = b"".join(_item(0x21, struct.pack("BBBB", c, 0, 0, 0) + _item(0x40, EXPLICIT.encode())) for c in contexts)
            answer = body[:68] + _item(0x10, b"1.2.840.10008.3.1.1.1") + items + _item(0x50, _item(0x51, struct.pack(">I", 65536)) + _item(0x52, b"2.25.1"))
            sock.sendall(struct.pack(">BBI", 2, 0, len(answer)) + answer)
            while True:
                raw, at, c = a.message(True), 0, {}
                while at + 8 <= len(raw):
                    _, number, n = struct.unpack_from("<HHI", raw, at)
                    c[number] = raw[at + 8:at + 8 + n]
                    at += 8 + n
                data = a.message(False) if c[0x0800] != b"\x01\x01" else b""
                if c[0x0100] == b"\x00\x01":
                    self.events.append((c[0x1000].rstrip(b"\0").decode(), struct.unpack("<H", c[0x1002])[0], data))
                reply = command_set(uid_part(2, UPS_PUSH), us(0x0100, 0x8100), us(0x0120, struct.unpack("<H", c[0x0110])[0]), us(0x0800, 0x0101), us(0x0900, 0))
                a.send(contexts[0], reply)
        except (OSError, KeyError, ValueError, struct.error):
            try:
                sock.sendall(struct.pack(">BBII", 6, 0, 4, 0))
                sock.close()
            except OSError:
                pass

    def of(self, u):
        states = (b"SCHEDULED", b"IN PROGRESS", b"COMPLETED", b"CANCELED")
        return [(kind, next((s.decode() for s in states if s in data), None)) for i, kind, data in list(self.events) if i == u]


def by_dimse(b, w, scp):
    o, u, tx, other = Order("UPSD1", "881001"), uid(), uid(), uid()
    with Dimse(b.dicom, [UPS_PUSH, UPS_WATCH, UPS_PULL, UPS_QUERY], calling="VIEWER1") as a:
        equal("all four classes are offered", a.accepted, {UPS_PUSH, UPS_WATCH, UPS_PULL, UPS_QUERY})
        equal("subscribe to everything", a.n_action(UPS_WATCH, GLOBAL, 3, follow("READER1"), sop_class=UPS_PUSH)[0], 0)
        equal("an AE title without an address", a.n_action(UPS_WATCH, GLOBAL, 3, follow("NOBODY"), sop_class=UPS_PUSH)[0], 0xC308)
        equal("N-CREATE", a.n_create(UPS_PUSH, u, creation(o))[0], 0)
        equal("again", a.n_create(UPS_PUSH, u, creation(o))[0], 0x0111)
        for what, (more, leave, want) in {"not SCHEDULED": ([(0x00741000, "CS", "IN PROGRESS")], (), 0xC309), "no state": ([], (0x00741000,), 0x0120),
                                          "an empty label": ([(0x00741204, "LO", "")], (), 0x0121), "no label": ([], (0x00741204,), 0x0120),
                                          "a priority that is none": ([(0x00741200, "CS", "STAT")], (), 0x0106), "no patient": ([], (0x00100020,), 0x0120)}.items():
            equal(f"N-CREATE with {what}", a.n_create(UPS_PUSH, uid(), creation(Order("UPSDX", "881099"), *more, leave=leave))[0], want)
        status, data = a.n_get(UPS_PULL, u, sop_class=UPS_PUSH)
        check("N-GET", status == 0 and b"By DIMSE" in data and b"SCHEDULED" in data, (hex(status), data[:200]))
        status, data = a.n_get(UPS_PULL, u, (0x00741000,), sop_class=UPS_PUSH)
        check("N-GET of one attribute", status == 0 and b"SCHEDULED" in data and b"By DIMSE" not in data, data)
        status, found = a.find(UPS_PULL, dataset((0x00080018, "UI", ""), (0x00741000, "CS", "SCHEDULED"), (0x00741204, "LO", "By*")))
        check("C-FIND", status == 0 and len(found) == 1 and u.encode() in found[0], (hex(status), len(found)))
        equal("the same by HTTP", [value(x, "00080018") for x in w.search(ProcedureStepState="SCHEDULED", ProcedureStepLabel="By*")], [u])
        act = lambda kind, data, i=u: a.n_action(UPS_PULL, i, kind, data, sop_class=UPS_PUSH)[0]  # noqa: E731
        cells = {"SCHEDULED to SCHEDULED": (change("SCHEDULED", tx), 0xC303), "SCHEDULED to COMPLETED": (change("COMPLETED", tx), 0xC310),
                 "SCHEDULED to CANCELED": (change("CANCELED", tx), 0xC310), "a claim without a key": (change("IN PROGRESS"), 0xC301)}
        for what, (data, want) in cells.items():
            equal(what, act(1, data), want)
        equal("no such workitem", act(1, change("IN PROGRESS", tx), "1.2.3"), 0xC307)
        equal("no such action", act(9, change("IN PROGRESS", tx)), 0x0123)
        equal("claim", act(1, change("IN PROGRESS", tx)), 0)
        equal("a second claim", act(1, change("IN PROGRESS", other)), 0xC302)
        check("the page says who has it", until(lambda: b.item(o.accession).get("reader") == "VIEWER1"), b.item(o.accession).get("reader"))
        equal("N-SET without the key", a.n_set(UPS_PULL, u, dataset((0x00741202, "LO", "x")), sop_class=UPS_PUSH)[0], 0xC301)
        progress = (0x00741002, "SQ", [dataset((0x00741004, "DS", "30"))])
        equal("N-SET", a.n_set(UPS_PULL, u, dataset((0x00081195, "UI", tx), progress), sop_class=UPS_PUSH)[0], 0)
        equal("complete too early", act(1, change("COMPLETED", tx)), 0xC304)
        equal("a watcher asks to cancel", a.n_action(UPS_WATCH, u, 2, dataset((0x00741238, "LT", "please")), sop_class=UPS_PUSH)[0], 0)
        equal("what was done", a.n_set(UPS_PULL, u, done_what(tx), sop_class=UPS_PUSH)[0], 0)
        equal("complete with another key", act(1, change("COMPLETED", other)), 0xC301)
        equal("complete", act(1, change("COMPLETED", tx)), 0)
        equal("complete again", act(1, change("COMPLETED", tx)), 0xB306)
        equal("cancel what is completed", act(1, change("CANCELED", tx)), 0xC300)
        equal("ask to cancel it", a.n_action(UPS_WATCH, u, 2, dataset((0x00741238, "LT", "late")), sop_class=UPS_PUSH)[0], 0xC311)
        equal("N-SET of it", a.n_set(UPS_PULL, u, done_what(tx), sop_class=UPS_PUSH)[0], 0xC300)
        v = uid()
        equal("another", a.n_create(UPS_PUSH, v, creation(Order("UPSD2", "881002")))[0], 0)
        equal("ask to cancel", a.n_action(UPS_PUSH, v, 2, dataset((0x00741238, "LT", "not needed")))[0], 0)
        equal("ask again", a.n_action(UPS_PUSH, v, 2, dataset((0x00741238, "LT", "not needed")))[0], 0xB304)
        equal("suspend", a.n_action(UPS_WATCH, GLOBAL, 5, follow("READER1"), sop_class=UPS_PUSH)[0], 0)
        equal("suspend one", a.n_action(UPS_WATCH, v, 5, follow("READER1"), sop_class=UPS_PUSH)[0], 0xC314)
        equal("unsubscribe", a.n_action(UPS_WATCH, GLOBAL, 4, follow("READER1"), sop_class=UPS_PUSH)[0], 0)
    want = [(1, "SCHEDULED"), (1, "IN PROGRESS"), (3, None), (2, None), (1, "COMPLETED")]
    check("each change came by N-EVENT-REPORT, in order", until(lambda: scp.of(u) == want, 20), scp.of(u))
    want = [(1, "SCHEDULED"), (2, None), (1, "IN PROGRESS"), (1, "CANCELED")]
    check("and of the cancelled one", until(lambda: scp.of(v) == want, 20), scp.of(v))
    with Dimse(b.dicom, [UPS_PUSH, UPS_PULL], calling="STRANGER") as a:
        equal("a stranger may look", a.n_get(UPS_PULL, u, sop_class=UPS_PUSH)[0], 0)
        equal("but create nothing", a.n_create(UPS_PUSH, uid(), creation(Order("UPSD3", "881003")))[0], 0x0124)


def main():
    scp = Scp()
    peers = "  viewer: {match: {door: dicom, ae_title: [VIEWER1]}, roles: [orders]}\n"
    send = f"  viewer: {{type: dicom, to: \"dicom://READER1@127.0.0.1:{scp.port}\", events: [workitem], mode: live}}\n"
    with Brain(peers=peers, extra=send, speed=1, users={"reporter": "reporter"}) as b:
        w, s = Web(b), None
        with scene("create, subscribe, claim, update, complete by UPS-RS"):
            s = by_rs(b, w)
        with scene("the page and UPS"):
            and_the_page(b, w, s)
        with scene("a subscriber that was away"):
            away(b, w, s)
        with scene("the same by DIMSE"):
            by_dimse(b, w, scp)
    done()


main()
