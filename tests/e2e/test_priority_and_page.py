#!/usr/bin/env python3
"""A head CT of the emergency department, ordered as routine and 40th in the list, is first once AI has seen a bleeding:
on the API, for the reading system that asks by C-FIND, and gone from the scanner's list. The RIS hears it once, whatever
it answers; people are paged until one of them acknowledges."""
import json
import re
import time

from brain import ICH, Brain, Line, Order, check, done, equal, fields, scene, until

POLICY = """
policy: 1
levels: [critical, urgent, expedited, routine]
max_wait: {critical: 15m, urgent: 60m, expedited: 4h, routine: 24h}
order_levels: {stat: urgent, asap: expedited, urgent: expedited, routine: routine}
repeat: 2s
rules:
  - id: ich
    title: {nl: "AI: intracraniële bloeding", en: "AI: intracranial haemorrhage"}
    when: {modality: CT, finding: intracranial-hemorrhage, probability: ">= 0.60"}
    level: critical
    alert:
      - {to: radiologist-on-duty, when: on_ai, escalate: [{after: 2s, to: backup}]}
      - {to: ed-on-duty, when: on_ai}
      - {to: jansen, when: on_ai}
"""
PEOPLE = """
people:
  - {id: smit, name: "A. Smit", ways: [{channel: pager, to: "1001"}, {channel: mail, to: "smit@example.org"}]}
  - {id: bakker, name: "B. Bakker", ways: [{channel: pager, to: "1002"}]}
  - {id: visser, name: "C. Visser", ways: [{channel: pager, to: "2001"}]}
  - {id: jansen, name: "E. Jansen", ways: [{channel: pager, to: "3001"}]}
teams: {radiologist-on-duty: [smit, bakker], ed-on-duty: [visser], backup: [bakker]}
"""
MODEL = ("ICH Triage", "2.1.0", ICH)


def brain(**more):
    return Brain(speed=1, policy=POLICY, people=PEOPLE, site={"unmatched_after": "2s"}, users={"visser2": "clinician"}, **more)


def arrived(b, order):
    equal(f"the order of {order.accession} is taken", b.order(order), "AA")
    equal(f"the images of {order.accession} are taken", b.images(order), 200)


def bleeding(b, accession, patient, **more):
    head = Order(accession, patient, "ZZBLEED^Test", **more)
    arrived(b, head)
    check(f"the AI result of {accession} is stored", b.result(head, *MODEL, probability=0.94))
    return head


def pages_of(b):
    return len(b.pager.pages) + len(b.mail.mails)


def first_of_forty():
    with brain() as b:
        for i in range(39):
            quiet = Order(f"Q{i:03d}", f"81{i:04d}", f"ZZQUIET^T{i}", "XPOLS", "X-pols", "DX", "POLI")
            b.order(quiet)
            b.images(quiet)
        head = Order("HEAD40", "820001", "ZZBLEED^Test", location="SEH", priority="R")
        text = head.hl7().replace("\rPV1", "\rNTE|1|L|kop \\T\\ staart \xe9 \xd6|RE\rPV1").replace("ZDS|", "ZXX|a^b~c^d|\\E\\ vrij veld||\rZDS|")
        line = Line(b.mllp)
        equal("the order is taken", fields(line.send(text), "MSA")[1], "AA")
        line.close()
        check("before the exam the scanner is offered it", "HEAD40" in until(lambda: [a for a in b.find("SPOED") if a == "HEAD40"]))
        check("and the reading list is not", "HEAD40" not in b.find("SPOED_READ"))
        equal("the images are taken", b.images(head), 200)
        equal("40th of 40", until(lambda: b.item("HEAD40").get("rank")), 40)
        check("the result is stored", b.result(head, *MODEL, probability=0.94))
        at = time.monotonic()
        check("first in GET worklist", until(lambda: (b.worklist()[0].get("accession") or {}).get("value") == "HEAD40", 3))
        check("within a second", time.monotonic() - at < 1, f"{time.monotonic() - at:.2f} s")
        item = b.worklist()[0]
        equal("at the level of the rule", item["level"], "critical")
        equal("ranked 1", item["rank"], 1)
        reading, modality = b.find("SPOED_READ"), b.find("SPOED")
        equal("first in findscu -W for the reading system", reading[:1], ["HEAD40"])
        equal("which sees all 40", len(reading), 40)
        check("absent from the modality's list", "HEAD40" not in modality, modality)
        english = [r["text"] for r in item["reasons"] if r["rule"] == "ich"]
        dutch = [r["text"] for r in b.item("HEAD40", "nl")["reasons"] if r["rule"] == "ich"]
        check("the reason names the rule in English", english and "intracranial haemorrhage" in english[0], item["reasons"])
        check("the reason names the rule in Dutch", dutch and "intracraniële bloeding" in dutch[0], dutch)
        sent = until(lambda: b.ris.of_type("ORM"))
        time.sleep(1)
        equal("the RIS got exactly one priority message", len(b.ris.of_type("ORM")), 1)
        only_priority_differs(text, sent[0])


def only_priority_differs(order, sent):
    """Everything but the header's own fields, the order control and the priority is byte for byte the order."""
    sent = sent.encode("latin-1").decode()
    was, now = [s for s in order.split("\r") if s], [s for s in sent.split("\r") if s]
    equal("the same segments in the same order", [s[:3] for s in now], [s[:3] for s in was])
    may = {"MSH": {3, 4, 5, 6, 7, 10}, "ORC": {1, 7}, "OBR": {5, 27}}
    for a, b in zip(was, now):
        name = a[:3]
        x, y = a.split("|"), b.split("|")
        numbers = range(1, max(len(x), len(y)) + 1)
        if name == "MSH":  # MSH-1 is the separator itself
            x, y = [name, "|"] + x[1:], [name, "|"] + y[1:]
        differ = {n for n in numbers if (x[n] if n < len(x) else "") != (y[n] if n < len(y) else "")}
        check(f"{name} is byte for byte the order's but for what must change", differ <= may.get(name, set()), f"{name} differs in {sorted(differ)}")
    equal("ORC says it is a change", fields(sent, "ORC")[1], "XO")
    equal("ORC-7.6 is the new priority", fields(sent, "ORC")[7].split("^")[5], "S")
    check("and nothing else of ORC-7", [c for i, c in enumerate(fields(sent, "ORC")[7].split("^")) if i != 5] ==
          [c for i, c in enumerate(fields(order, "ORC")[7].split("^")) if i != 5])
    check("the receiver is the order's sender", fields(sent, "MSH")[5:7] == fields(order, "MSH")[3:5], fields(sent, "MSH"))


def no_ping_pong():
    with brain(echo=True) as b:
        echoed = bleeding(b, "ECHO1", "830001")
        check("the RIS is told", until(lambda: b.ris.of_type("ORM")))
        check("and its echo arrives", until(lambda: b.get("/api/v1/messages?direction=in&limit=1", "boss")["messages"][0]["control_id"].startswith("ECHO")))
        time.sleep(1.5)
        equal("one priority message although it was echoed", len(b.ris.of_type("ORM")), 1)
        check("the item is still first", b.item("ECHO1").get("level") == "critical")
        check("an echo is not overruling", "overruled" not in json.dumps(b.item("ECHO1")))
        b.ris.echo = None
        equal("the RIS sets its own value back", b.order(echoed, "XO", priority="R"), "AA")
        time.sleep(1.5)
        equal("it is not sent again", len(b.ris.of_type("ORM")), 1)
        item = b.item("ECHO1")
        shown = json.dumps([item, b.get(f"/api/v1/items/{item['id']}"), b.get(f"/api/v1/items/{item['id']}/timeline")])
        check("shown as overruled by RIS", "overruled by" in shown.lower(), json.dumps(item))
        equal("AI still holds it up", (item["level"], item["rank"]), ("critical", 1))
        equal("said again, nothing is sent", (b.order(echoed, "XO", priority="R"), len(b.ris.of_type("ORM"))), ("AA", 1))


def paged_until_acknowledged():
    with brain() as b:
        bleeding(b, "PAGE1", "840001")
        first = until(lambda: [p for p in b.pager.pages if p["to"] == "1001"], 3)
        check("the radiologist's pager has the page", first)
        check("the emergency doctor's too", until(lambda: [p for p in b.pager.pages if p["to"] == "2001"], 3))
        check("and the mail", until(lambda: b.mail.mails, 3))
        page, mail = first[0], b.mail.mails[0]
        equal("a page has the promised fields", sorted(k for k in page if k not in ("signed", "to", "at")),
              sorted(["page_id", "repeat", "alert_id", "step", "level", "text", "link"]))
        check("every body is signed (HMAC-SHA256)", all(p["signed"] for p in b.pager.pages))
        check("the mail names its page", mail["headers"].get("X-Spoed-Page-Id"), mail["headers"])
        check("it says that no radiologist has read it", "radioloog" in page["text"], page["text"])
        whole = json.dumps(b.pager.pages) + json.dumps(b.mail.mails)
        check("no page and no mail names the patient", not re.search("ZZBLEED|840001|PAGE1", whole))
        check("the escalation step pages the backup", until(lambda: [p for p in b.pager.pages if p["to"] == "1002" and p["step"] > 0], 5))
        check("and nobody before its time", min(p["at"] for p in b.pager.pages if p["to"] == "1002") - page["at"] > 1.8)
        n = pages_of(b)
        check("nobody answers: again", until(lambda: pages_of(b) > n, 5))
        repeats = [p for p in b.pager.pages if p["repeat"] > 0]
        check("a repeat is marked and keeps its page id", repeats and all(any(q["page_id"] == p["page_id"] and q["repeat"] == 0 for q in b.pager.pages) for p in repeats))
        check("an unanswered alert alarms", until(lambda: "alert-exhausted" in b.alarms(), 5), b.alarms())
        alert = b.item("PAGE1")["alert"]["id"]
        equal("a hook may not acknowledge", b.act(f"alerts/{alert}/acknowledge", {"how": "web"}, "orthanc"), 403)
        equal("acknowledged by API", b.act(f"alerts/{alert}/acknowledge", {"how": "phone"}, "visser"), 200)
        time.sleep(0.3)
        n = pages_of(b)
        time.sleep(4.5)
        equal("afterwards no page", pages_of(b), n)
        a = b.get(f"/api/v1/alerts/{alert}")
        equal("it says who and how", [(a["acknowledged"] or {}).get(k) for k in ("by", "how")], ["visser", "phone"])
        check("and not among the open ones", alert not in [x["id"] for x in b.get("/api/v1/alerts?state=open")["alerts"]])
        equal("a second acknowledgement is refused", b.act(f"alerts/{alert}/acknowledge", {"how": "web"}, "smit"), 409)
        check("the alarm is over", "alert-exhausted" not in b.alarms(), b.alarms())


def acknowledged_by_link():
    with brain() as b:
        bleeding(b, "LINK1", "850001")
        page = (until(lambda: [p for p in b.pager.pages if p["to"] == "2001"], 3) or [{}])[0]
        path, alert = b.link_path(page), b.item("LINK1")["alert"]["id"]
        for _ in range(3):
            status, body, _ = b.raw("GET", path)
        check("the link shows the alert", status == 200 and b"ZZBLEED" not in body, status)
        check("GET never acknowledges", not b.get(f"/api/v1/alerts/{alert}")["acknowledged"])
        equal("POST without login: it went to a team", b.raw("POST", path, b"", {"Content-Type": "application/x-www-form-urlencoded"})[0], 401)
        equal("an invented token", b.raw("POST", "/a/" + "A" * 43, b"", {"Content-Type": "application/x-www-form-urlencoded"})[0], 404)
        me = dict(b.login("visser2"), **{"Content-Type": "application/x-www-form-urlencoded"})
        forged = {k: v for k, v in me.items() if k != "X-CSRF-Token"}
        equal("a login without the form's secret is no login", b.raw("POST", path, b"", forged)[0], 401)
        check("still open", not b.get(f"/api/v1/alerts/{alert}")["acknowledged"])
        check("with login it acknowledges", b.raw("POST", path, b"", me)[0] in (200, 303))
        a = b.get(f"/api/v1/alerts/{alert}")["acknowledged"] or {}
        equal("in the name of who logged in", (a.get("by"), a.get("how")), ("visser2", "link"))
        equal("the link works once", b.raw("POST", path, b"", me)[0], 409)
        time.sleep(0.3)
        n = pages_of(b)
        time.sleep(3)
        equal("afterwards no page", pages_of(b), n)

        bleeding(b, "LINK2", "850002")
        alert = until(lambda: (b.item("LINK2").get("alert") or {}).get("id"))
        page = (until(lambda: [p for p in b.pager.pages if p["to"] == "3001" and p["alert_id"] == alert], 3) or [{}])[0]
        check("a page to a person needs no login", b.raw("POST", b.link_path(page), b"", {"Content-Type": "application/x-www-form-urlencoded"})[0] in (200, 303))
        equal("and counts as that person", (b.get(f"/api/v1/alerts/{alert}")["acknowledged"] or {}).get("by"), "jansen")
        equal("once", b.raw("POST", b.link_path(page), b"", {"Content-Type": "application/x-www-form-urlencoded"})[0], 409)


for name in (first_of_forty, no_ping_pong, paged_until_acknowledged, acknowledged_by_link):
    with scene(name.__name__.replace("_", " ")):
        name()
done()
