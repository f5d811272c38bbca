#!/usr/bin/env python3
"""Going live (domain §11): 200 open orders from a CSV file and a FHIR bundle, imported without any effect outward, twice
with the effect of once; compared with the RIS's list until the worklist is called complete; then a result that comes
later pages as always. With a brain that runs, and without one. HL7 and modality worklist files too."""
import datetime
import http.server
import json
import os
import subprocess
import threading
import time

from brain import BUILD, DATA, ICH, Brain, Order, check, done, equal, scene, skip, until
from hospital import uid

HEAD = ("ICH Triage", "2.1.0", ICH)
NOW = datetime.datetime.now(datetime.timezone.utc)


def ago(**what):
    return (NOW - datetime.timedelta(**what)).strftime("%Y-%m-%dT%H:%M:%S+00:00")


def run(b, *words, text=""):
    """Exit code, what was printed (JSON with --json), and what was said on standard error."""
    p = subprocess.run([os.path.join(BUILD, "spoed"), "-c", b.path("spoed.yaml"), *words], input=text, capture_output=True,
                       text=True, timeout=120)
    out = p.stdout
    if "--json" in words and out.strip().startswith("{"):
        out = json.loads(out)
    return p.returncode, out, p.stderr


def csv_rows(first, n, done=True):
    return [f"G{i};7{i:05d};ZZTEST^Import{i};1960-01-31;F;CTHERS;CT hersenen;CT;HEAD;{'stat' if i % 10 == 0 else 'routine'};"
            f"{ago(hours=30 if i % 2 else 1) if done else ''};SEH" for i in range(first, first + n)]


HEADS = "accession;patient_id;patient_name;birth_date;sex;procedure;procedure_text;modality;body_part;priority;exam_done;location"


def bundle(first, n, by=lambda kind, i: f"urn:uuid:{kind[0].lower()}{i}"):
    """by: how one resource refers to another"""
    entries = []
    for i in range(first, first + n):
        study = uid()
        entries += [
            {"fullUrl": f"urn:uuid:p{i}", "resource": {
                "resourceType": "Patient", "id": f"p{i}", "gender": "male", "birthDate": "1950-05-05",
                "identifier": [{"type": {"coding": [{"code": "MR"}]}, "value": f"7{i:05d}"},
                               {"system": "urn:oid:2.16.840.1.113883.2.4.6.3", "value": f"9{i:08d}"}],
                "name": [{"family": f"ZZImport{i}", "given": ["Test"]}]}},
            {"fullUrl": f"urn:uuid:s{i}", "resource": {
                "resourceType": "ServiceRequest", "id": f"s{i}", "status": "active", "intent": "order", "priority": "urgent",
                "identifier": [{"type": {"coding": [{"code": "ACSN"}]}, "value": f"G{i}"}],
                "category": [{"coding": [{"system": "http://snomed.info/sct", "code": "363679005"}]}],
                "code": {"coding": [{"code": "CTHERS", "display": "CT hersenen"}]},
                "subject": {"reference": by("Patient", i)}}},
            {"fullUrl": f"urn:uuid:i{i}", "resource": {
                "resourceType": "ImagingStudy", "id": f"i{i}", "status": "available", "started": ago(minutes=40),
                "identifier": [{"system": "urn:dicom:uid", "value": f"urn:oid:{study}"}],
                "basedOn": [{"reference": by("ServiceRequest", i)}], "modality": [{"code": "CT"}],
                "subject": {"reference": by("Patient", i)}}}]
    return {"resourceType": "Bundle", "type": "searchset", "entry": entries}


class Fhir(http.server.BaseHTTPRequestHandler):
    """A bundle in pages of 20 orders."""
    pages = []

    def do_GET(self):
        k = int(self.path.rsplit("=", 1)[-1]) if "page=" in self.path else 0
        page = dict(self.pages[k])
        if k + 1 < len(self.pages):
            page["link"] = [{"relation": "next", "url": f"http://127.0.0.1:{self.server.server_port}/fhir/ServiceRequest?page={k + 1}"}]
        body = json.dumps(page).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/fhir+json")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def quiet(b):
    """Nothing waits in the queue or has ever left the house."""
    rows = sum(len(b.get(f"/api/v1/queue?state={s}", "it").get("queue") or b.get(f"/api/v1/queue?state={s}", "it").get("rows") or [])
               for s in ("queued", "sending", "done", "dead", "observed"))
    return rows == 0 and not b.pager.pages


def the_story():
    with Brain(speed=1, users={}) as b:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Fhir)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        ready = b.get("/readyz")
        check("a new brain says that the list may be incomplete", ready.get("complete") is False and ready.get("ready") is True)
        check("and why", until(lambda: any(r["name"] == "reconcile ris" and not r["ok"] and "not yet" in r["text"]
                                           for r in b.get("/readyz")["reasons"]), 5))
        check("and so does the list", b.get("/api/v1/worklist").get("complete") is False)
        with scene("the CSV file, while the brain runs"):
            b.put("open.csv", HEADS + "\n" + "\n".join(csv_rows(1, 120)) + "\n")
            code, out, err = run(b, "import", "csv", b.path("open.csv"), "--dry-run", "--json")
            equal("a dry run says what would be", (code, out["new"], out["dry_run"]), (0, 120, True))
            equal("and does nothing", len(b.worklist(status="all")), 0)
            code, out, err = run(b, "import", "csv", b.path("open.csv"), "--json")
            equal("all are new", (code, out["read"], out["new"], out["refused"]), (0, 120, 120, 0))
            code, out, err = run(b, "import", "csv", b.path("open.csv"), "--json")
            equal("twice is once", (code, out["new"], out["changed"], out["same"]), (0, 0, 0, 120))
            check("they are on the list", until(lambda: len(b.worklist()) == 120, 5), len(b.worklist()))
            late = b.item("G1")
            check("what waited 30 hours is raised, by the time of its exam", "max_wait" in b.rules_of("G1") and
                  abs((NOW - datetime.datetime.fromisoformat(late["arrived"])).total_seconds() - 30 * 3600) < 5, late)
        with scene("the FHIR bundle, page after page from an address"):
            Fhir.pages = [bundle(201 + 20 * k, 20) for k in range(4)]
            address = f"http://127.0.0.1:{server.server_port}/fhir/ServiceRequest?status=active"
            code, out, err = run(b, "import", "fhir", address, "--json")
            equal("four pages of twenty", (code, out["new"], out["refused"]), (0, 80, 0))
            item = b.item("G201")
            equal("patient, priority and study", (item["patient"]["ids"][0], item["order_priority"], len(item["study_uids"]), item["modality"]),
                  ({"value": "700201", "authority": "ZH"}, "urgent", 1, "CT"))
            equal("200 are open", len(b.worklist()), 200)
            lines = bundle(400, 3, lambda kind, i: f"{kind}/{kind[0].lower()}{i}")["entry"]
            b.put("all.ndjson", "\n".join(json.dumps(r["resource"]) for r in lines) + "\n{broken\n")
            code, out, err = run(b, "import", "fhir", b.path("all.ndjson"), "--json")
            check("a bad line never stops the rest", code == 1 and out["new"] == 3 and out["refused"] == 1 and "line 10" in out["problems"][0]["place"], out)
        with scene("nothing went out"):
            time.sleep(2)
            check("no message to the RIS, no page, nothing waiting", quiet(b), b.get("/api/v1/queue", "it"))
        with scene("bad input"):
            b.put("bad.csv", "accession,patient_id,priority\nB1,1,stat\nB2,2,very\nB3,,routine\n\"B4\",4\nB5,5,routine\n")
            code, out, err = run(b, "import", "csv", b.path("bad.csv"))
            places = [line.split(": ")[0].replace(b.dir + "/", "") for line in err.strip().splitlines()]
            check("each is named with line and column", code == 1 and sorted(places) == ["bad.csv:3:6", "bad.csv:4:1", "bad.csv:5:6"], err)
            check("the good ones are in", b.item("B1") and b.item("B5"))
            b.put("heads.csv", "accession,patient\nB1,1\n")
            code, out, err = run(b, "import", "csv", b.path("heads.csv"))
            check("an unknown column is an error with its place", code == 1 and "heads.csv:1:11" in err, err)
            b.put("other.csv", "accession,patient_id\nG5,999999\n")
            code, out, err = run(b, "import", "csv", b.path("other.csv"))
            check("another patient under a known number is refused", code == 1 and "other.csv:2:1" in err and "pati" in err, err)
            check("and nothing of it is taken", b.item("G5")["patient"]["ids"][0]["value"] == "700005")
            equal("no such format is a question of usage", run(b, "import", "xml", "x")[0], 2)
            equal("nor such a peer", run(b, "import", "csv", b.path("bad.csv"), "--peer", "nobody")[0], 2)
            code, out, err = run(b, "import", "fhir", "http://198.51.100.1/fhir")
            check("plain http goes to this machine only", code == 1 and "https" in err, err)
        with scene("comparing with the RIS's list"):
            rows = [r for r in csv_rows(1, 120) if not r.startswith("G7;")] + csv_rows(501, 2)
            rows[0] = rows[0].replace("routine", "stat")
            b.put("ris.csv", HEADS + "\n" + "\n".join(rows) + "\n")
            b.put("ris.json", json.dumps({"resourceType": "Bundle", "entry": [e for page in Fhir.pages for e in page["entry"]]}))
            code, out, err = run(b, "reconcile", b.path("ris.csv"), b.path("ris.json"), "--json")
            equal("two are missing", (code, sorted(m["accession"] for m in out["missing"])), (1, ["G501", "G502"]))
            check("what only we have is extra", {e["accession"] for e in out["extra"]} >= {"G7", "B1", "B5", "G400"}, out["extra"])
            check("a priority differs", [(d["accession"], d["differences"][0]["field"]) for d in out["different"]] == [("G1", "priority")], out["different"])
            equal("that is no complete list", b.get("/readyz")["complete"], False)
            code, out, err = run(b, "reconcile", b.path("ris.csv"), b.path("ris.json"), "--apply", "--json")
            equal("applied: nothing is missing", (code, out["still_missing"], out["complete"]), (0, 0, True))
            check("the list is complete", until(lambda: b.get("/api/v1/worklist").get("complete") is True, 5))
            check("and so says readiness", b.get("/readyz")["complete"] is True)
            check("extra ones are marked for a person, and stay", "not-in-ris" in b.rules_of("G7") and b.item("G7")["status"] == "arrived")
            check("the different one is as it was", b.item("G1")["order_priority"] == "routine")
            code, out, err = run(b, "reconcile", b.path("open.csv"), b.path("ris.json"), b.path("ris.csv"))
            check("as a table", code == 0 and "extra" in out and "0 missing" in out, out + err)
            check("listed again: no mark any more", "not-in-ris" not in b.rules_of("G7"))
            check("still nothing went out", quiet(b), b.get("/api/v1/queue", "it"))
        with scene("a result that comes later pages as always"):
            o = Order("G2", "700002", "ZZTEST^Import2")
            b.images(o)
            check("the result is taken", b.result(o, *HEAD, probability=0.95))
            check("the radiologist is paged", until(lambda: b.pager.pages, 10))
            check("the row is critical", until(lambda: b.item("G2")["level"] == "critical", 5))
        with scene("HL7 files, with what writes back later"):
            orders = [Order(f"H{i}", f"80000{i}", f"ZZHL{i}^Test") for i in range(5)]
            b.put("messages.hl7", "".join("\x0b" + o.hl7(at=-3600) + "\x1c\r" for o in orders) + "\x0bnot a message\x1c\r")
            code, out, err = run(b, "import", "hl7", b.path("messages.hl7"), "--json")
            check("five orders and a bad message", code == 1 and out["new"] == 5 and out["refused"] == 1, out)
            equal("twice is once", run(b, "import", "hl7", b.path("messages.hl7"), "--json")[1]["same"], 5)
            equal("the same message over MLLP has been seen", b.order(orders[0], at=-3600), "AA")
        server.shutdown()


def without_a_brain():
    with Brain(speed=1) as b:
        b.put("open.csv", HEADS + "\n" + "\n".join(csv_rows(1, 30)) + "\n")
        b.stop()
        b.process = None
        code, out, err = run(b, "import", "csv", b.path("open.csv"), "--json")
        equal("without a brain, under its lock", (code, out["new"]), (0, 30))
        code, out, err = run(b, "reconcile", b.path("open.csv"), "--json")
        equal("compared", (code, out["complete"]), (0, True))
        code, out, err = run(b, "model", "set-mode", "cspine-a", "1.0", "suspended", "testing")
        known = code == 0 or "Unknown model" in err
        check("a mode is set under the lock too", known, (code, out, err))
        b.start()
        check("the brain that comes up has them, complete", until(lambda: len(b.worklist()) == 30 and b.get("/readyz")["complete"], 5))


def worklist_files():
    folder = os.path.join(DATA, "mwl", "dcmtk-wlistdb-bin")
    if not os.path.isdir(folder):
        skip("modality worklist files: no shared data")
        return
    with Brain(speed=1) as b:
        code, out, err = run(b, "import", "mwl", *sorted({root for root, _, files in os.walk(folder) if files}), "--json")
        check("worklist files become orders", out["new"] > 0, out)
        listed = [i for i in b.worklist(status="all")]
        check("scheduled, not yet on the reporting list", len(listed) == out["new"] and all(i["status"] == "ordered" for i in listed))
        code, out, err = run(b, "import", "mwl", f"dicom://SPOED@127.0.0.1:{b.dicom}", "--json")
        check("a worklist that is asked by C-FIND gives the same ones", out["new"] == 0 and out["same"] + out["changed"] > 0, out)


with scene("the go-live story"):
    the_story()
with scene("without a brain"):
    without_a_brain()
with scene("modality worklist files"):
    worklist_files()
done()
