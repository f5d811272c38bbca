#!/usr/bin/env python3
"""Every DICOM object of the shared collection of structured reports, sent with storescu -R to a running brain (what
storescu itself refuses: by POST /api/v1/instances). Each ends as tests/suites/result/data-sr.tsv says: a result (here
parked, since nobody ordered those studies), no result, or refused; with a reason; none is negative unless it says so."""
import glob
import json
import os
import sys
from collections import Counter

from brain import DATA, Brain, check, done, equal, scene, skip, table, until

SR = os.path.join(DATA, "dicom-sr")
SPEAKING = ("negative", "normal")
MODELS = """
models:
  - {id: bleeding, match: {name: "Bloeding-detectie", versions: ["1.0-β"]}, mode: live, for: {modality: CT}}
  - {id: vessel, match: {name: LVO, versions: ["7"]}, mode: live, for: {modality: CT}}
  - {id: chest, match: {name: "CXR-Triage", versions: ["2.1.0"]}, mode: live, for: {modality: [CR, DX]}}
  - {id: all-chest, match: {name: AllChest, versions: ["4.0.2"]}, mode: live, for: {modality: [CR, DX]}}
"""


def newest(b):
    return b.get("/api/v1/messages?direction=in&limit=1", "boss")["messages"][:1]


def verdict_of(b, message):
    """(outcome, state, findings, the reason given) of a message in the log."""
    row = [p for p in b.get("/api/v1/parked?limit=1000").get("parked", []) if p["id"] == message.get("parked")]
    if row and row[0]["kind"] == "result":
        said = ";".join(f"{f['concept'] or '?'}={f['present']}" for f in row[0]["findings"]) if row[0]["findings"] and "present" in row[0]["findings"][0] else None
        return "result", row[0]["state"], said, row[0]["why_text"]
    if message.get("parked") or message.get("answer") in ("AR", "AE"):
        return "refused", "-", None, message.get("reason")
    return "not_a_result", "-", None, message.get("reason")


def send(b, path):
    """(how it went in, outcome, state, reason)"""
    last = (newest(b) or [{"id": 0}])[0]["id"]
    code, said = b.store(path)
    if code == 0 or "Received Store Response" in said:
        def arrived():
            m = newest(b)
            return m and m[0]["id"] != last and m[0]
        message = until(arrived, 3)
        if not message:
            return "storescu", "refused" if code else "lost", "-", said[-300:]
        outcome, state, _, reason = verdict_of(b, message)
        return "storescu", outcome, state, reason
    status, answer = b.instance(path)
    if status != 200:
        return "POST", f"status {status}", "-", str(answer)
    outcome, state = answer["outcome"], "-"
    if outcome in ("parked", "result"):
        outcome, state, _, _ = verdict_of(b, newest(b)[0])
    return "POST", outcome, state, answer["reason"]


def every_report():
    rows = {r[0]: r for r in table("result/data-sr.tsv")}
    files = sorted(f for f in glob.glob(os.path.join(SR, "*", "*.dcm")) if "ref-image" not in f)
    ways, ends = Counter(), Counter()
    with Brain(speed=1, models=MODELS, site={"unmatched_after": "10m"}) as b:
        for path in files:
            name = os.path.relpath(path, SR)
            if name not in rows:
                check(f"{name}: in the table", False)
                continue
            way, outcome, state, reason = send(b, path)
            ways[way] += 1
            ends[outcome] += 1
            if rows[name][1] == "text": # an AI product's only from a results sender, and not when a person is named
                check(f"{name}: by {way}", (outcome, state) in (("result", "not_analysed"), ("not_a_result", "-")), (outcome, state))
            else:
                equal(f"{name}: by {way}", (outcome, state), (rows[name][1], rows[name][2]))
            check(f"{name}: with a reason", reason)
            if name.startswith("rdsr-not-ai/"):
                equal(f"{name}: a dose report is no result", outcome, "not_a_result")
        for name in sorted(set(rows) - {os.path.relpath(f, SR) for f in files}):
            skip(name)
        print(f"   ways in {dict(ways)}, ends {dict(ends)}")
        spoken = [r[0] for r in rows.values() if r[2] in SPEAKING]
        shown = [p for p in b.get("/api/v1/parked?limit=1000")["parked"] if p["state"] in SPEAKING]
        shown = Counter(p["state"] for p in b.get("/api/v1/parked?limit=1000")["parked"])
        said = Counter(r[2] for r in rows.values())
        check("no more negative than say so", all(shown[s] <= said[s] for s in SPEAKING), shown)
        check("and none among the list's rows", not [a for i in b.worklist(status="all") for a in i["ai"] if a["state"] in SPEAKING])
        unmatched = [i for i in b.worklist() if i["status"] == "unmatched"]
        equal("all that is on the list are strays", len(b.worklist(status="all")), len(unmatched))
        check("positives with an alert concept are", {"critical"} <= {i["level"] for i in unmatched}, unmatched)
        check("nobody is paged for any of them yet", not b.pager.pages and not b.mail.mails)
        check("the brain and its front live", b.alive() and b.call("GET", "/healthz")[0] == 200 and b.store(os.path.join(SR, "ai-highdicom", "ai_ct_ich_positive_dutch_utf8.dcm"))[0] == 0)
        log = open(b.log, errors="replace").read()
        check("the log names none of the patients", not [n for n in ("^", "ZZ") if n in log])


def not_dicom():
    with Brain(speed=1) as b:
        for name, data, want in (("nothing", b"", 400), ("text", b"not dicom at all" * 50, 200), ("a preamble", b"\0" * 128 + b"DICM", 200),
                                 ("random bytes", os.urandom(4096), 200), ("5 MiB", b"\0" * (5 << 20), 413)):
            status, body, _ = b.raw("POST", "/api/v1/instances?ae_title=TESTAI", data, {"Content-Type": "application/dicom", "Authorization": "Bearer " + b.tokens["orthanc"]})
            equal(f"{name} by POST", status, want)
            if want == 200:
                answer = json.loads(body)
                check(f"{name}: kept or refused, with a reason", answer["outcome"] in ("parked", "refused") and answer["reason"], answer)
        check("the brain lives", b.alive() and b.call("GET", "/healthz")[0] == 200)


if not os.path.isdir(SR):
    print("skipped: no shared data beside the checkout")
    sys.exit(77)
for scene_of in (every_report, not_dicom):
    with scene(scene_of.__name__.replace("_", " ")):
        scene_of()
done()
