#!/usr/bin/env python3
"""A bleeding of a patient that nobody ordered anything for: on the list as unmatched at once, the radiologist is paged
and never the emergency doctor, until an order or a person says whose it is. A stranger's result only waits."""
import json
import subprocess
import time

from brain import BUILD, ICH, Brain, Order, check, done, equal, scene, sr_file, until

MODEL = ("ICH Triage", "2.1.0", ICH)


def brain(wait="2s", **more):
    return Brain(speed=1, site={"unmatched_after": wait, "undo": "1s"}, **more)


def parked(b):
    return b.get("/api/v1/parked").get("parked", [])


def to(b, number):
    return [p for p in b.pager.pages if p["to"] == number]


def stray(b, accession, patient):
    o = Order(accession, patient, "ZZSTRAY^Test")
    check(f"the result of {accession} is stored", b.result(o, *MODEL, probability=0.94))
    return o


def shown_and_paged(b, accession, patient, seconds=2):
    at = time.monotonic()
    o = stray(b, accession, patient)
    row = until(lambda: b.item(accession), 3)
    equal("shows as unmatched at once", row.get("status"), "unmatched")
    check("before anybody is paged", time.monotonic() - at < seconds and not to(b, "1001"), time.monotonic() - at)
    equal("at the level of its finding, first", (row.get("level"), row.get("rank")), ("critical", 1))
    check("in the default list", accession in [(i["accession"] or {}).get("value") for i in b.worklist()])
    check("and among the parked ones, with the reason", [p for p in parked(b) if p["why"] and p["state"] == "positive" and p["accession"]["value"] == accession], parked(b))
    pages = until(lambda: to(b, "1001"), seconds + 3)
    check("the radiologist is paged", pages)
    check("not before site.unmatched_after", pages and time.monotonic() - at > seconds - 0.3)
    check("by mail as well", until(lambda: b.mail.mails, 3))
    check("the page says unmatched and names nobody", pages and "unmatched" in pages[0]["text"] and not any(w in json.dumps(pages) for w in ("ZZSTRAY", patient, accession)), pages)
    check("the emergency doctor is not", not to(b, "2001"))
    return o


def resolved_by_an_order():
    with brain() as b:
        o = shown_and_paged(b, "STRAY1", "870001")
        equal("the order comes", b.order(o), "AA")
        check("nothing is parked any more", until(lambda: not parked(b), 3), parked(b))
        item = until(lambda: [i for i in b.worklist() if (i["accession"] or {}).get("value") == "STRAY1" and i["status"] == "arrived"], 3)
        equal("one row, of the order, in its place", [i["status"] for i in b.worklist() if (i["accession"] or {}).get("value") == "STRAY1"], ["arrived"])
        equal("first and critical, with the rule's reason", item and (item[0]["rank"], item[0]["level"], "ich" in [r["rule"] for r in item[0]["reasons"]]), (1, "critical", True))
        check("its AI row is the result", item and [a for a in item[0]["ai"] if a["state"] == "positive"])
        check("now that the patient is known the emergency doctor is paged", until(lambda: to(b, "2001"), 3), b.pager.pages)
        time.sleep(1)
        equal("and the radiologist once", [p["repeat"] for p in to(b, "1001")], [0])
        equal("it is one alert", len(b.get("/api/v1/alerts?state=open")["alerts"]), 1)
        alert = item[0]["alert"]["id"]
        equal("acknowledged", b.act(f"alerts/{alert}/acknowledge", {"how": "web"}, "visser"), 200)
        equal("none is open", b.get("/api/v1/alerts?state=open")["alerts"], [])


def acknowledged_before_the_order():
    with brain() as b:
        o = stray(b, "STRAY6", "870006")
        check("the radiologist is paged", until(lambda: to(b, "1001"), 6))
        alert = b.item("STRAY6")["alert"]["id"]
        equal("and acknowledges", b.act(f"alerts/{alert}/acknowledge", {"how": "web"}), 200)
        equal("then the order comes", b.order(o), "AA")
        check("the emergency doctor is paged all the same", until(lambda: to(b, "2001"), 3), b.pager.pages)
        equal("the order said again changes nothing", b.order(o, "XO"), "AA")
        time.sleep(1)
        equal("one alert is open", len(b.get("/api/v1/alerts?state=open")["alerts"]), 1)


def resolved_before_the_page():
    with brain(wait="3s") as b:
        o = stray(b, "STRAY2", "870002")
        check("it shows", until(lambda: b.item("STRAY2").get("status") == "unmatched", 3))
        equal("the order comes in time", b.order(o), "AA")
        check("the policy's own page goes out", until(lambda: to(b, "2001") and to(b, "1001"), 3), b.pager.pages)
        time.sleep(3.5)
        check("and no page says unmatched", not [p for p in b.pager.pages if "unmatched" in p["text"]], b.pager.pages)


def resolved_by_a_person():
    with brain() as b:
        other = Order("KNOWN1", "870099", "ZZKNOWN^Test")
        equal("an order of the patient under another number", b.order(other), "AA")
        equal("its images", b.images(other), 200)
        shown_and_paged(b, "STRAY3", "870003")
        row, item = [p for p in parked(b)][0], b.item("KNOWN1")["id"]
        unmatched = b.item("STRAY3")["id"]
        equal("a clinician may not assign it", b.act(f"parked/{row['id']}/assign", {"item": item, "reason": "same patient"}, "visser"), 403)
        equal("nor anybody without a reason", b.act(f"parked/{row['id']}/assign", {"item": item}), 422)
        check("nor to a row without an order", b.act(f"parked/{row['id']}/assign", {"item": unmatched, "reason": "x"}) in (409, 422))
        equal("a reader assigns it", b.act(f"parked/{row['id']}/assign", {"item": item, "reason": "same patient, called the ward"}), 200)
        check("nothing is parked any more", until(lambda: not parked(b), 3))
        equal("the item is raised", until(lambda: b.item("KNOWN1").get("level") == "critical" and "critical", 3), "critical")
        check("the unmatched row is gone", "STRAY3" not in [(i["accession"] or {}).get("value") for i in b.worklist()])
        equal("its alert goes with it", (b.item("KNOWN1").get("alert") or {}).get("state") is not None, True)
        equal("a second assignment", b.act(f"parked/{row['id']}/assign", {"item": item, "reason": "again"}), 409)
        line = json.dumps(b.get(f"/api/v1/items/{item}/timeline"))
        check("the timeline says who", "smit" in line and "assign" in line, line)


def discarded():
    with brain() as b:
        shown_and_paged(b, "STRAY4", "870004")
        row = parked(b)[0]
        equal("discarded with a reason", b.act(f"parked/{row['id']}/discard", {"reason": "phantom of the test room"}), 200)
        check("off the list", until(lambda: "STRAY4" not in [(i["accession"] or {}).get("value") for i in b.worklist()], 3))
        check("who was paged is told", until(lambda: [p for p in to(b, "1001") if "CORRECT" in p["text"]], 3), to(b, "1001"))
        equal("no alert is open", b.get("/api/v1/alerts?state=open")["alerts"], [])


def a_stranger_only_waits():
    with brain(wait="1s") as b:
        o = Order("STRAY5", "870005", "ZZSTRAY^Test")
        path = sr_file(b.path("stranger.dcm"), o, *MODEL, probability=0.94)
        code, said = b.store(path, ae="STRANGER")
        check("an unlisted peer's object is kept", code == 0, said)
        check("parked", until(lambda: [p for p in parked(b) if p["why"] == "unlisted-peer"], 3), parked(b))
        time.sleep(2)
        check("no row, no page, no alert", not b.item("STRAY5") and not b.pager.pages and not b.mail.mails and not b.get("/api/v1/alerts")["alerts"])
        equal("an order of that study comes", b.order(o), "AA")
        time.sleep(0.5)
        equal("and does not make it trusted", (b.item("STRAY5").get("level"), len(parked(b)), len(b.pager.pages)), ("routine", 1, 0))


def the_default_is_a_minute():
    with brain() as b:
        text = b.text("spoed.yaml").replace("unmatched_after: 2s", "")
        b.put("plain.yaml", text.replace(", ,", ",").replace(",  }", "}").replace(", }", "}"))
        shown = subprocess.run([BUILD + "/spoed", "-c", b.path("plain.yaml"), "config", "show", "--effective"], capture_output=True, text=True)
        check("site.unmatched_after is a minute where nothing is said",
              any(f"unmatched_after: {v}" in shown.stdout for v in ("60s", "1m")), shown.stdout[:600] + shown.stderr)


for scene_of in (resolved_by_an_order, acknowledged_before_the_order, resolved_before_the_page, resolved_by_a_person, discarded, a_stranger_only_waits, the_default_is_a_minute):
    with scene(scene_of.__name__.replace("_", " ")):
        scene_of()
done()
