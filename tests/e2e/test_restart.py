#!/usr/bin/env python3
"""What the brain keeps when it is killed and started again: what was due, claimed, drafted and accepted; and that a
configuration which cannot be read changes nothing but the health page."""
import json
import os
import time

from brain import ICH, PTX, Brain, Line, Order, check, done, equal, fields, scene, send, sr_file, until

HEAD, CHEST = ("ICH Triage", "2.1.0", ICH), ("Chest Film", "5.2", PTX)


def brain(**site):
    return Brain(speed=1, site={"min_dwell": "300ms", "undo": "300ms", **site}, users={"lezer": "reader,reporter"})


def head(b, accession, patient):
    o = Order(accession, patient, "ZZBLEED^Test")
    check(f"{accession}: order, images and result are in", b.order(o) == "AA" and b.images(o) == 200 and b.result(o, *HEAD, probability=0.94))
    return o


def after_kill():
    with brain(undo="4s", unmatched_after="3s") as b:
        head(b, "HEAD1", "880001")
        check("the radiologist is paged", until(lambda: [p for p in b.pager.pages if p["to"] == "1001"], 3))
        film = Order("FILM1", "880002", "ZZNORMAL^Test", "XTHORAX", "X-thorax", "DX", "POLI")
        b.order(film), b.images(film)
        check("a normal film", b.result(film, *CHEST, present=False, probability=0.02) and b.result(film, "Chest Normal", "1.0"))
        other = Order("FILM2", "880003", "ZZNORMAL^Test", "XTHORAX", "X-thorax", "DX", "POLI")
        b.order(other), b.images(other)
        check("and another", b.result(other, *CHEST, present=False, probability=0.02) and b.result(other, "Chest Normal", "1.0"))
        check("drafts are offered", until(lambda: b.item("FILM1").get("draft") and b.item("FILM2").get("draft"), 5))
        first, second = b.item("FILM1")["id"], b.item("FILM2")["id"]
        tag = b.call("GET", f"/api/v1/items/{first}/draft", who="smit")[2].get("ETag")
        draft = b.get(f"/api/v1/items/{second}/draft")
        claimed = b.item("HEAD1")["id"]
        equal("the bleeding is claimed", b.act(f"items/{claimed}/claim"), 200)
        b.act(f"items/{first}/opened")
        time.sleep(0.4)
        equal("one draft is accepted", b.act(f"items/{first}/draft/accept", {}, "smit", {"If-Match": tag}), 200)
        stray = Order("STRAY1", "880009", "ZZSTRAY^Test")
        check("a stray bleeding", b.result(stray, *HEAD, probability=0.94))
        cookie = b.login("lezer")
        equal("a browser is logged in", b.raw("GET", "/api/v1/session", None, cookie)[0], 200)
        before, pages = {i["id"]: i for i in b.worklist(status="all")}, len(b.pager.pages)
        revision = b.get("/api/v1/worklist")["revision"]
        b.kill()
        down = time.monotonic()
        time.sleep(0.5)
        b.start()
        check("it is up again within 5 s", time.monotonic() - down < 5.5, time.monotonic() - down)
        now = {i["id"]: i for i in b.worklist(status="all")}
        check("the revision goes on", b.get("/api/v1/worklist")["revision"] >= revision)
        equal("the same rows", sorted(now), sorted(before))
        same = ("level", "rank", "due", "arrived", "reasons", "status", "patient", "order_priority", "reader", "study_uids")
        differ = [(i, k) for i in now for k in same if now[i][k] != before[i][k]]
        equal("as they were: levels, ranks, reasons, times, patients", differ, [])
        status, body, _ = b.raw("POST", f"/api/v1/items/{claimed}/claim", b"{}", {**b.login("lezer"), "Content-Type": "application/json"})
        equal("the claim stands", (status, json.loads(body).get("holder"), now[claimed]["status"]), (409, "smit", "in_progress"))
        again = b.get(f"/api/v1/items/{second}/draft")
        equal("the draft stands, under its version", (again.get("version"), again.get("text")), (draft["version"], draft["text"]))
        check("the accepted report that was waiting is sent", until(lambda: b.ris.of_type("ORU"), 8))
        check("the page of the stray that was due goes out", until(lambda: [p for p in b.pager.pages if "unmatched" in p["text"]], 8), b.pager.pages[pages:])
        time.sleep(1)
        equal("the report once, or again under its own MSH-10", len({fields(m, "MSH")[10] for m in b.ris.of_type("ORU")}), 1)
        equal("one priority message for the bleeding, or again under its own MSH-10", len({fields(m, "MSH")[10] for m in b.ris.of_type("ORM")}), 1)
        ids = [(p["page_id"], p["to"]) for p in b.pager.pages if p["repeat"] == 0]
        equal("no page twice without being marked as a repeat", len(ids), len(set(ids)))
        equal("a browser has to log in again", b.raw("GET", "/api/v1/session", None, cookie)[0], 401)
        equal("and can, with the password of before", b.raw("GET", "/api/v1/session", None, b.login("lezer"))[0], 200)
        equal("tokens still hold", b.call("GET", "/api/v1/worklist", who="smit")[0], 200)
        check("the list is served by C-FIND again", until(lambda: "FILM2" in b.find("SPOED_READ"), 30), b.find("SPOED_READ"))


def page_due_while_down():
    policy = """
policy: 1
levels: [critical, urgent, expedited, routine]
max_wait: {critical: 15m, urgent: 60m, expedited: 4h, routine: 24h}
rules:
  - id: ich
    title: {nl: "AI: bloeding", en: "AI: bleeding"}
    when: {modality: CT, finding: intracranial-hemorrhage, probability: ">= 0.60"}
    level: critical
    alert: [{to: radiologist-on-duty, when: on_ai, escalate: [{after: 2s, to: backup}]}]
"""
    with Brain(speed=1, policy=policy) as b:
        head(b, "HEAD2", "880011")
        check("the radiologist is paged", until(lambda: [p for p in b.pager.pages if p["to"] == "1001"], 3))
        b.kill()
        time.sleep(2.5)
        check("a dead brain pages nobody", not [p for p in b.pager.pages if p["to"] == "1002"])
        b.start()
        check("what fell due meanwhile goes out at once", until(lambda: [p for p in b.pager.pages if p["to"] == "1002"], 3))
        alert = b.item("HEAD2")["alert"]["id"]
        equal("acknowledged", b.act(f"alerts/{alert}/acknowledge", {"how": "web"}), 200)
        n = len(b.pager.pages)
        b.stop()
        b.start()
        time.sleep(1)
        equal("an acknowledgement survives too", (len(b.pager.pages), (b.get(f"/api/v1/alerts/{alert}")["acknowledged"] or {}).get("by")), (n, "smit"))


def the_same_message_again():
    with brain() as b:
        o = Order("TWICE1", "880021", "ZZTWICE^Test")
        text = o.hl7(control_id="SAME0001")
        line = Line(b.mllp)
        first = line.send(text)
        equal("taken", fields(first, "MSA")[1:3], ["AA", "SAME0001"])
        equal("the same answer on the same connection", fields(line.send(text), "MSA"), fields(first, "MSA"))
        revision = b.get("/api/v1/worklist")["revision"]
        b.kill()
        b.start()
        equal("and after a restart", fields(send(b.mllp, text), "MSA"), fields(first, "MSA"))
        later = "|".join(f if i != 6 else "20300101000000" for i, f in enumerate(text.split("|")))
        equal("also with another MSH-7", fields(send(b.mllp, later), "MSA"), fields(first, "MSA"))
        equal("one row", len([i for i in b.worklist(status="all") if (i["accession"] or {}).get("value") == "TWICE1"]), 1)
        check("nothing was decided anew", b.get("/api/v1/worklist")["revision"] - revision <= 4, b.get("/api/v1/worklist")["revision"] - revision)
        equal("images", b.images(o), 200)
        path = sr_file(b.path("twice.dcm"), o, *HEAD, probability=0.94)
        equal("a result", b.store(path)[0], 0)
        equal("twice", b.store(path)[0], 0)
        b.kill()
        b.start()
        check("and after a restart", until(lambda: b.store(path)[0] == 0, 10))
        time.sleep(0.5)
        equal("is one result", len([a for a in b.item("TWICE1")["ai"] if a["state"] == "positive" for f in a["findings"]]), 1)
        equal("one alert", len(b.get("/api/v1/alerts")["alerts"]), 1)
        equal("one page for each", len({p["page_id"] for p in b.pager.pages}), len([p for p in b.pager.pages if p["repeat"] == 0]))
        equal("and one priority message, or again under its own MSH-10", len({fields(m, "MSH")[10] for m in b.ris.of_type("ORM")}), 1)


def a_bad_configuration():
    with brain() as b:
        def said():
            """What the health page says of the configuration; "" when all is well."""
            return "".join(r["text"] for r in b.call("GET", "/readyz")[1]["reasons"] if r["name"] == "configuration" and not r["ok"])
        good = b.text("spoed.yaml")
        head(b, "HEAD3", "880031")
        equal("the health page has nothing to say", said(), "")
        b.put("spoed.yaml", good.replace("language: nl", "langauge: nl"))
        b.reload()
        check("a bad configuration shows on the health page", until(said, 5))
        check("in words that name the place", "spoed.yaml:" in said() and "language" in said(), said())
        check("and as an alarm", until(lambda: "config" in b.alarms(), 3), b.alarms())
        check("the old one goes on", b.alive() and b.order(Order("HEAD4", "880032", "ZZGOES^On")) == "AA" and until(lambda: b.item("HEAD4"), 3))
        b.put("spoed.yaml", good)
        b.put("policy.d/99-bad.yaml", "policy: 1\nrules: [{id: x, when: {no_such_word: 1}, level: critical}]\n")
        b.reload()
        check("a bad policy too", until(lambda: "99-bad.yaml:" in said(), 5), said())
        equal("and the old rules hold", b.item("HEAD3").get("level"), "critical")
        os.unlink(b.path("policy.d/99-bad.yaml"))
        b.reload()
        check("put right, the health page is clean again", until(lambda: not said() and b.call("GET", "/readyz")[0] == 200, 5), said())
        check("and the alarm is over", until(lambda: "config" not in b.alarms(), 3), b.alarms())
        b.put("policy.d/10-intracranial-hemorrhage.yaml", b.text("policy.d/10-intracranial-hemorrhage.yaml").split("\ntests:")[0].replace("level: critical", "level: urgent"))
        b.reload()
        check("a good policy is taken over", until(lambda: b.item("HEAD3").get("level") == "urgent", 5), b.item("HEAD3"))


for scene_of in (after_kill, page_due_while_down, the_same_message_again, a_bad_configuration):
    with scene(scene_of.__name__.replace("_", " ")):
        scene_of()
done()
