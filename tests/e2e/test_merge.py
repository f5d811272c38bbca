#!/usr/bin/env python3
"""A merge by ADT^A40 while a page escalates: the order shows the number that goes on, the sequence goes on as planned, and
nobody is paged for the merge or a second time for the same finding. A reader undoes it, and the order is as it was. The
discharged patient's page says so. An appointment and a document come over the same line."""
import time

from brain import ICH, Brain, Line, Order, check, done, equal, fields, scene, until

POLICY = """
policy: 1
levels: [critical, urgent, expedited, routine]
max_wait: {critical: 15m, urgent: 60m, expedited: 4h, routine: 24h}
order_levels: {stat: urgent, asap: expedited, urgent: expedited, routine: routine}
repeat: 60s
rules:
  - id: ich
    title: {nl: "AI: intracraniële bloeding", en: "AI: intracranial haemorrhage"}
    when: {modality: CT, finding: intracranial-hemorrhage, probability: ">= 0.60"}
    level: critical
    alert: [{to: radiologist-on-duty, when: on_ai, escalate: [{after: 6s, to: backup}]}]
"""
PEOPLE = """
people:
  - {id: smit, name: "A. Smit", ways: [{channel: pager, to: "1001"}]}
  - {id: bakker, name: "B. Bakker", ways: [{channel: pager, to: "1002"}]}
  - {id: balie, name: "Balie", ways: [{channel: pager, to: "5001"}]}
teams: {radiologist-on-duty: [smit], backup: [bakker], ed-on-duty: [bakker]}
desk: balie
"""
MODEL = ("ICH Triage", "2.1.0", ICH)


def brain():
    return Brain(speed=1, policy=POLICY, people=PEOPLE)


def message(kind, *segments, control):
    at = time.strftime("%Y%m%d%H%M%S", time.gmtime()) + "+0000"
    return "\r".join((f"MSH|^~\\&|RIS|ZH|SPOED|ZH|{at}||{kind}|{control}|P|2.5",) + segments) + "\r"


def say(b, kind, *segments, control):
    line = Line(b.mllp)
    answer = fields(line.send(message(kind, *segments, control=control)), "MSA")[1]
    line.close()
    return answer


def numbers(b, accession):
    return [i["value"] for i in b.item(accession).get("patient", {}).get("ids", [])]


def paged(b):
    return [p["to"] for p in b.pager.pages]


def merge_during_escalation():
    with brain() as b:
        head = Order("MERGE1", "910001", "ZZOLD^Number")
        equal("the order is taken", b.order(head), "AA")
        equal("its images", b.images(head), 200)
        check("the AI result is stored", b.result(head, *MODEL, probability=0.94))
        check("the radiologist is paged", until(lambda: "1001" in paged(b)))
        alert = b.item("MERGE1")["alert"]["id"]
        equal("the merge is taken", say(b, "ADT^A40^ADT_A39", "PID|1||910002||ZZNEW^Number", "MRG|910001", control="M1"), "AA")
        equal("the order shows the number that goes on first", until(lambda: numbers(b, "MERGE1") == ["910002", "910001"]), True)
        again = Order("MERGE1", "910002", "ZZNEW^Number")
        again.study, again.series, again.images = head.study, head.series, head.images
        check("a result under the new number is stored", b.result(again, *MODEL, probability=0.97))
        check("the next step comes as planned", until(lambda: "1002" in paged(b), 12))
        time.sleep(1)
        equal("the radiologist was paged once", paged(b).count("1001"), 1)
        equal("and the next one once", paged(b).count("1002"), 1)
        equal("by the same alert", {p["alert_id"] for p in b.pager.pages}, {alert})
        found = b.get("/api/v1/merges")["merges"]
        equal("one merge is listed", [(m["from"]["value"], m["to"]["value"], m["undone"]) for m in found], [("910001", "910002", None)])
        equal("undoing asks for a reason", b.act(f"merges/{found[0]['id']}/undo"), 422)
        equal("a clinician may not", b.act(f"merges/{found[0]['id']}/undo", {"reason": "x"}, who="visser"), 403)
        equal("a reader may", b.act(f"merges/{found[0]['id']}/undo", {"reason": "two patients"}), 200)
        equal("the order is as it was", until(lambda: numbers(b, "MERGE1") == ["910001"]), True)
        equal("a second time is too late", b.act(f"merges/{found[0]['id']}/undo", {"reason": "x"}), 409)
        equal("a ring is taken", say(b, "ADT^A40", "PID|1||910002", "MRG|910003", control="M2"), "AA")
        equal("and parked", say(b, "ADT^A40", "PID|1||910003", "MRG|910002", control="M3"), "AA")
        check("with an alarm", until(lambda: "merge" in b.alarms()))


def discharged_and_appointed():
    with brain() as b:
        head = Order("HOME1", "920001", "ZZHOME^Test")
        equal("the order is taken", b.order(head), "AA")
        equal("the discharge too", say(b, "ADT^A03", "PID|1||920001||ZZHOME^Test", "PV1|1|E|SEH", control="D1"), "AA")
        equal("the images", b.images(head), 200)
        check("the AI result is stored", b.result(head, *MODEL, probability=0.94))
        check("the desk is paged", until(lambda: "5001" in paged(b)))
        text = [p["text"] for p in b.pager.pages if p["to"] == "5001"][0]
        check("and told that the patient left", "ontslagen" in text, text)
        check("without a name", "ZZHOME" not in text, text)
        scheduled = ("SCH|T1|T2" + "|" * 24 + "APPT1", "PID|1||920002||ZZAPPT^Test", "AIS|1||CTHERS^CT hersenen|20991231093000")
        equal("an appointment is taken", say(b, "SIU^S12", *scheduled, control="S1"), "AA")
        made = until(lambda: [i for i in b.worklist("en", "all") if "920002" in [n["value"] for n in i["patient"]["ids"]]]) or [{}]
        equal("and is an order by now", made[0].get("status"), "ordered")
        txa = "TXA|1|RAD|TX" + "|" * 9 + "DOC1|||FHOME1||AU||AV"
        text = "OBX|1|TX|||Geen bloeding."
        equal("a document is taken", say(b, "MDM^T02", "EVN|T02", "PID|1||920001||ZZHOME^Test", txa, text, control="R1"), "AA")
        equal("and closes the order", until(lambda: b.item("HOME1").get("status") == "final"), True)


for name in (merge_during_escalation, discharged_and_appointed):
    with scene(name.__name__.replace("_", " ")):
        name()
done()
