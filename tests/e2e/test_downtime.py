#!/usr/bin/env python3
"""Downtime and mode observe (domain §9, §11): a feed that falls silent makes the list possibly incomplete until it speaks
again; a RIS that flushes 500 queued messages changes nothing that is newer; results that queued page only within the
policy's ai_age, and it is said why not; what was observed is not sent when the destination goes live."""
import datetime
import time

from brain import ICH, Brain, Line, Order, check, done, equal, fields, scene, sr_file, stamp, until

HEAD = ("ICH Triage", "2.1.0", ICH)
REPORT = "\r".join(["MSH|^~\\&|RIS|ZH|SPOED|ZH|{at}||ORU^R01^ORU_R01|{id}|P|2.5|||||||UNICODE UTF-8",
                    "PID|1||{patient}^^^ZH^PI||ZZFLUSH^Test||19600101|F", "ORC|RE|P{n}|F{n}",
                    "OBR|1|P{n}|F{n}|CTHERS^CT hersenen^L||||||||||||||{n}||||{at}|||{status}",
                    "OBX|1|TX|||{text}||||||{status}", ""])


def silence():
    with Brain(speed=1) as b:
        b.stop()
        b.process = None
        b.put("spoed.yaml", b.text("spoed.yaml").replace("roles: [orders, adt, reports]}", "roles: [orders, adt, reports], expect_every: 2s}"))
        b.put("open.csv", "accession,patient_id\n")
        b.start()
        code = b.cli("reconcile", b.path("open.csv"), "--format", "csv", "--quiet")
        check("an empty list compared with none: complete", until(lambda: b.get("/readyz").get("complete") is True, 2), code)
        o = Order("D1", "910001")
        equal("a message", b.order(o), "AA")
        check("then silence: an alarm", until(lambda: "feed-silent" in b.alarms(), 6))
        check("the list is possibly incomplete", until(lambda: b.get("/api/v1/worklist")["complete"] is False, 3))
        ready = b.get("/readyz")
        check("readiness names the peer", any(r["name"] == "feed ris" and not r["ok"] for r in ready["reasons"]) and ready["ready"], ready)
        metrics = b.raw("GET", "/metrics")[1].decode()
        check("and so do the metrics", 'spoed_feed_silent{peer="ris"} 1' in metrics and "spoed_worklist_complete 0" in metrics)
        b.kill()
        b.start()
        check("a restart does not forget", "feed-silent" in b.alarms())
        equal("the next message", b.order(o, "XO"), "AA")
        check("ends it", until(lambda: "feed-silent" not in b.alarms() and b.get("/api/v1/worklist")["complete"], 3))


def flush():
    with Brain(speed=1) as b:
        line = Line(b.mllp)
        orders = [Order(f"F{i}", f"92{i:04d}", "ZZFLUSH^Test", priority="S") for i in range(100)]
        for o in orders:  # newer ones are here already
            line.send(o.hl7())
        for i in range(0, 100, 2):
            line.send(REPORT.format(at=stamp(), id=f"N{i}", patient=orders[i].patient, n=f"F{i}", status="F", text="the newest"))
        before = {i["id"]: i for i in b.worklist(status="all")}
        answers = []
        for k in range(500):
            o, at = orders[k % 100], -7200 + k
            if k % 5 == 4:
                text = REPORT.format(at=stamp(at), id=f"Q{k}", patient=o.patient, n=o.accession, status="P", text="older")
                if k % 100 % 2:
                    text = o.hl7("CA", at=at)
            else:
                text = o.hl7(("XO", "CA", "XO", "DC")[k % 4], priority="R", at=at)
            answers.append(fields(line.send(text), "MSA")[1])
        equal("all 500 are acknowledged", set(answers), {"AA"})
        now = {i["id"]: i for i in b.worklist(status="all")}
        same = ("level", "status", "order", "report", "order_priority", "due", "patient", "accession")
        differ = [(i, k) for i in before for k in same if now[i].get(k) != before[i].get(k)]
        equal("nothing that is newer was changed", (len(now), differ), (len(before), []))
        said = [m["reason"] for m in b.get("/api/v1/messages?limit=500&direction=in", "boss").get("messages", [])]
        check("they are in the log as stale", said.count("stale") >= 400, said.count("stale"))
        check("and nobody was paged or written to", not b.pager.pages)
        line.close()


def queued_results():
    import pydicom  # not needed by the other parts

    with Brain(speed=1) as b:
        for accession, patient, hours in (("R1", "930001", 5), ("R2", "930002", 1)):
            o = Order(accession, patient, "ZZQUEUE^Test")
            b.order(o, at=-hours * 3600)
            path = b.path(accession + ".dcm")
            sr_file(path, o, *HEAD, probability=0.95)
            d, t = pydicom.dcmread(path), datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=hours)
            d.ContentDate, d.ContentTime = t.strftime("%Y%m%d"), t.strftime("%H%M%S")
            d.TimezoneOffsetFromUTC = "+0000"
            d.save_as(path)
            equal(f"{accession}: its result comes {hours} h late", b.store(path)[0], 0)
        row = b.item("R1")
        check("too old: it counts and shows", row["level"] == "critical" and row["ai"][0]["state"] == "positive", row)
        check("and says why nobody was paged", "too-old-to-page" in b.rules_of("R1"))
        check("within ai_age: paged", until(lambda: b.item("R2").get("alert"), 5))
        time.sleep(1)
        check("the old one is not", b.item("R1")["alert"] is None and "too-old-to-page" not in b.rules_of("R2"))


def observe():
    with Brain(speed=1) as b:
        b.put("spoed.yaml", b.text("spoed.yaml").replace("events: [priority, report]", "mode: observe, events: [priority, report]"))
        b.reload()
        check("the banner says so", until(lambda: b.get("/api/v1/worklist").get("observe") == ["ris"], 5))
        o = Order("O1", "940001", "ZZOBSERVE^Test")
        b.order(o), b.images(o), b.result(o, *HEAD, probability=0.95)
        out = until(lambda: [m for m in b.get("/api/v1/messages?limit=50&direction=out", "boss").get("messages", []) if m["peer"] == "ris"], 10)
        check("what would have been sent is built and in the log", bool(out), out)
        equal("and not sent", len(b.ris.messages), 0)
        b.put("spoed.yaml", b.text("spoed.yaml").replace("mode: observe, ", ""))
        b.reload()
        check("live", until(lambda: b.get("/api/v1/worklist").get("observe") == [], 5))
        time.sleep(1.5)
        equal("the old one is not sent", len(b.ris.messages), 0)
        p = Order("O2", "940002", "ZZOBSERVE^Test")
        b.order(p), b.images(p), b.result(p, *HEAD, probability=0.95)
        check("a new one is", until(lambda: len(b.ris.messages), 10))


for part in (silence, flush, queued_results, observe):
    with scene(part.__name__.replace("_", " ")):
        part()
done()
