#!/usr/bin/env python3
"""The plugin in a real Orthanc beside a real brain: what becomes of every kind of object, both worklists, the pages'
links, and what each of the two does while the other is stopped or killed. Ends with "N passed, N failed, N skipped"."""
import glob
import http.server
import json
import os
import shutil
import signal
import socketserver
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fakes"))
from hospital import BUILD, ROOT, Order, sr_file, uid, until  # noqa: E402
from orthanc import HookedBrain, Orthanc, ct_file, tools  # noqa: E402

ICH = ("1386000", "Intracranial hemorrhage")
DATA = os.path.join(ROOT, "..", "shared", "data", "dicom-sr")
OUTCOMES = ("result", "parked", "not_a_result", "refused")


def content(path):
    with open(path, "rb") as f:
        return f.read()


def bleeding(brain, order):
    return sr_file(brain.path(f"ich-{uid()}.dcm"), order, "ICH Triage", "2.1.0", ICH, probability=0.94)


def slices(brain, order, n):
    return [ct_file(brain.path(f"ct-{uid()}.dcm"), order, fill=i) for i in range(n)]


def at_once(orthanc, files):
    """Each over an association of its own, all at the same time: (all taken, seconds)."""
    start = time.monotonic()
    clients = [orthanc.store([f]) for f in files]
    for c in clients:
        c.communicate(timeout=120)
    return all(c.returncode == 0 for c in clients), time.monotonic() - start


def positive(brain, accession):
    return any(a["state"] == "positive" for a in brain.item(accession).get("ai", []))


class FakeBrain:
    """A brain that answers every POST with one status."""

    def __init__(self, status):
        self.dir = tempfile.TemporaryDirectory()
        self.socket, self.seen = self.dir.name + "/s", []
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                fake.seen.append(self.path)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()
            do_GET = do_POST

            def log_message(self, *args):
                pass

            def address_string(self):
                return "socket"

        class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
            daemon_threads = True
        self.server = Server(self.socket, Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.server.shutdown()
        self.server.server_close()
        self.dir.cleanup()


class Objects(unittest.TestCase):
    def post(self, brain, path):
        """To the brain itself; its answer."""
        request = urllib.request.Request(brain.base + "/api/v1/instances?ae_title=TESTAI", data=content(path),
                                         headers={"Content-Type": "application/dicom", "Authorization": "Bearer " + brain.tokens["orthanc"]})
        with urllib.request.urlopen(request, timeout=20) as r:
            return json.loads(r.read())

    def since(self, brain, before):
        return [m for m in brain.get("/api/v1/messages?limit=5", "it")["messages"] if m["id"] not in before]

    def test_every_report_ends_somewhere_with_a_reason(self):
        import pydicom
        files = sorted(glob.glob(DATA + "/**/*.dcm", recursive=True))
        if not files:
            self.skipTest("no ../shared/data/dicom-sr here")
        names = {}  # Study UID -> files
        counts = {"through Orthanc": 0, "committed first": 0, "refused by storescu": 0, "no report": 0}
        with HookedBrain(speed=60) as brain, Orthanc(brain.section()) as orthanc:
            for path in files:
                name = os.path.basename(path)
                before = {m["id"] for m in brain.get("/api/v1/messages?limit=5", "it")["messages"]}
                try:
                    d = pydicom.dcmread(path, force=True, stop_before_pixels=True)
                    kind = str(d.get("SOPClassUID", ""))
                    names.setdefault(str(d.get("StudyInstanceUID", "")), []).append(name)
                except Exception:  # not readable at all: that is what it is here for
                    kind = ""
                if not orthanc.store_now(path):
                    counts["refused by storescu"] += 1
                    answer = self.post(brain, path)
                    self.assertIn(answer["outcome"], OUTCOMES, name)
                    self.assertTrue(answer["reason"], name)
                    continue
                fresh = self.since(brain, before)
                if not kind.startswith("1.2.840.10008.5.1.4.1.1.88."):
                    self.assertEqual(fresh, [], name)
                    counts["no report"] += 1
                    continue
                # There when storescu returns: committed before stored. On a busy machine the brain may take longer
                # than the second that Orthanc waits: stored, and handed over afterwards.
                counts["committed first"] += len(fresh) == 1
                fresh = fresh or until(lambda: self.since(brain, before), 60, 0.5)
                self.assertEqual(len(fresh), 1, name)
                self.assertTrue(fresh[0]["reason"], name)
                if "rdsr-not-ai" in path:
                    self.assertRegex(fresh[0]["reason"], "no result|not one of", name)
                counts["through Orthanc"] += 1
            parked = brain.get("/api/v1/parked").get("parked", [])
            self.assertTrue(parked and all(p["why"] for p in parked))
            for p in parked:  # none is negative or normal unless it says so
                if p["state"] in ("negative", "normal"):
                    self.assertRegex(" ".join(names[p["study_uid"]]), "negative|normal|no_findings|mixed")
            sent = orthanc.get("/spoed/system")
            self.assertEqual(sent["Dropped"], 0)
            if not sent["Failures"]:
                self.assertEqual(counts["committed first"], counts["through Orthanc"])
                self.assertEqual(sent["InstancesSent"], counts["through Orthanc"])  # each once
            self.assertGreater(counts["committed first"], 0)
        print(f"\n{len(files)} objects: " + ", ".join(f"{n} {what}" for what, n in counts.items()) + f"; {len(parked)} parked")

    def test_uploads_by_rest_are_handed_over_after_they_are_stored(self):
        with HookedBrain(speed=60) as brain, Orthanc(brain.section()) as orthanc:
            o = Order("R1", "900001", "ZZREST^Upload")
            self.assertEqual(brain.order(o), "AA")
            for path in [bleeding(brain, o)] + slices(brain, o, 2):
                self.assertEqual(orthanc.call("POST", "/instances", content(path))[0], 200)
            self.assertTrue(until(lambda: positive(brain, "R1"), 15))
            self.assertTrue(until(lambda: brain.item("R1").get("images") == "complete", 15))

    def test_only_an_explicit_cannot_commit_refuses_a_report(self):
        with HookedBrain(speed=60) as brain:
            o = Order("Q1", "900002", "ZZFULL^Disk")
            report, image = bleeding(brain, o), slices(brain, o, 1)[0]
            for status, taken in ((507, False), (503, True), (500, True), (403, True)):
                with self.subTest(status), FakeBrain(status) as fake, Orthanc({"Enable": True, "Socket": fake.socket}) as orthanc:
                    client = orthanc.store([report], options=["-v"])
                    said = client.communicate(timeout=60)[0]
                    self.assertEqual(client.returncode == 0, taken, said)
                    self.assertTrue(orthanc.store_now(image))
                    self.assertEqual(orthanc.stored(), 1 + taken)
                    if not taken:
                        self.assertTrue("a700" in said.lower() or "OutOfResources" in said.replace(" ", ""), said)


class Lists(unittest.TestCase):
    def test_a_bleeding_is_first_for_the_reader_and_gone_for_the_scanner(self):
        with HookedBrain(speed=60) as brain, Orthanc(brain.section()) as orthanc:
            for i in range(39):
                o = Order(f"N{i:03d}", f"91{i:04d}", f"ZZQUIET^P{i}", "XPOLS", "X-pols", "DX", "POLI")
                self.assertEqual(brain.order(o), "AA")
                self.assertEqual(brain.images(o), 200)
            self.assertEqual(brain.order(Order("PLAN1", "920001", "ZZLÉON^Çaïla")), "AA")
            head = Order("A40", "920002", "ZZBLEED^Head")
            self.assertEqual(brain.order(head), "AA")
            self.assertEqual(set(until(lambda: len(orthanc.find("CT1")) == 2 and orthanc.find("CT1"))), {"A40", "PLAN1"})
            self.assertTrue(orthanc.store_now(*slices(brain, head, 3), aet="CT1"))
            self.assertTrue(until(lambda: brain.item("A40").get("rank") == 40))
            self.assertEqual(until(lambda: len(orthanc.find("READ1")) == 40 and orthanc.find("READ1"))[-1], "A40")
            self.assertTrue(orthanc.store_now(bleeding(brain, head)))
            reading = until(lambda: (r := orthanc.find("READ1"))[0] == "A40" and r)
            self.assertTrue(reading)
            self.assertEqual(reading, [i["accession"]["value"] for i in brain.worklist()])
            self.assertEqual(orthanc.find("CT1"), ["PLAN1"])
            self.assertIn("ZZLÉON^Çaïla", orthanc.find("CT1", "AccessionNumber", "PatientName", raw=True))
            said = orthanc.find("CT1", "AccessionNumber=A40", "PatientName", raw=True)
            self.assertNotIn("Pending", said)
            narrow = orthanc.find("READ1", "AccessionNumber=A40", "PatientName", "ScheduledProcedureStepSequence[0].Modality=CT")
            self.assertEqual(narrow, ["A40"])

    def test_a_stopped_brain_gives_an_incomplete_list_not_an_empty_one(self):
        with HookedBrain(speed=60) as brain, Orthanc(brain.section()) as orthanc:
            self.assertEqual(brain.order(Order("S1", "930001", "ZZSTOP^Ped")), "AA")
            os.kill(brain.process.pid, signal.SIGSTOP)
            try:
                times = []
                for _ in range(4):
                    start = time.monotonic()
                    said = orthanc.find("CT1", "AccessionNumber", raw=True)
                    times.append(time.monotonic() - start)
                    self.assertNotIn("(Success)", said)
            finally:
                os.kill(brain.process.pid, signal.SIGCONT)
            self.assertLess(times[0], 5)
            self.assertLess(min(times[1:]), 0.9)  # the breaker is open: nothing waits
            self.assertTrue(until(lambda: orthanc.find("CT1") == ["S1"], 20, 1))

    def test_links_status_and_metrics(self):
        with HookedBrain(speed=60) as brain, Orthanc(brain.section()) as orthanc:
            for path, to in (("/spoed/app/", "/worklist"), ("/spoed/open?study=1.2.3", "/worklist?study=1.2.3"),
                             ("/spoed/open?study=%22%3E%3Cscript", "/worklist")):
                status, _, headers = orthanc.call("GET", path, follow=False)
                self.assertEqual((status, headers.get("Location")), (302, brain.base + to), path)
            self.assertEqual(orthanc.call("POST", "/spoed/app/", b"", follow=False)[0], 405)
            self.assertTrue(until(lambda: orthanc.get("/spoed/system")["BrainUp"] or orthanc.store_now(*slices(brain, Order("M1", "1"), 1)), 10))
            text = orthanc.call("GET", "/tools/metrics-prometheus")[1].decode()
            for name in ("queue_depth", "events_sent_total", "instances_sent_total", "dropped_total", "brain_up"):
                self.assertIn("orthanc_spoed_" + name, text)
            self.assertEqual(orthanc.get("/plugins/spoed")["RootUri"].strip("/"), "spoed/app")

    def test_without_its_section_it_does_nothing_and_says_so_once(self):
        for section in (None, {"Enable": False}):
            with self.subTest(section), Orthanc(section) as orthanc:
                self.assertEqual(len(orthanc.lines("Spoed: ")), 1)
                self.assertEqual(orthanc.call("GET", "/spoed/system")[0], 404)


class Apart(unittest.TestCase):
    """Neither keeps the other from its work."""

    def test_a_page_goes_on_when_orthanc_is_killed(self):
        with HookedBrain(speed=60) as brain, Orthanc(brain.section()) as orthanc:
            o = Order("K1", "940001", "ZZKILL^Orthanc")
            self.assertEqual(brain.order(o), "AA")
            self.assertTrue(orthanc.store_now(bleeding(brain, o)))
            orthanc.stop(signal.SIGKILL)
            self.assertTrue(until(lambda: [p for p in brain.pager.pages if p["to"] == "1001"], 10))
            self.assertTrue(until(lambda: [p for p in brain.pager.pages if p["to"] == "1002"], 20))  # escalated after it died

    def test_a_stopped_brain_keeps_nothing_from_being_stored(self):
        with HookedBrain(speed=60) as brain, Orthanc(brain.section()) as orthanc:
            o = Order("P1", "950001", "ZZSTOP^Brain")
            self.assertEqual(brain.order(o), "AA")
            self.assertTrue(at_once(orthanc, slices(brain, o, 8))[0])  # warm
            usual = sorted(at_once(orthanc, slices(brain, o, 8))[1] for _ in range(3))[1]
            os.kill(brain.process.pid, signal.SIGSTOP)
            try:
                taken, seconds = at_once(orthanc, slices(brain, o, 8))
                self.assertTrue(taken)
                first, waited = at_once(orthanc, [bleeding(brain, o)])
                others = [at_once(orthanc, [bleeding(brain, Order(f"P9{i}", "950009"))]) for i in range(3)]
                self.assertTrue(first and all(ok for ok, _ in others))
                skipped = min(took for _, took in others)
                self.assertEqual(orthanc.stored(), 44)
            finally:
                os.kill(brain.process.pid, signal.SIGCONT)
            print(f"\n8 images at once: {usual:.3f} s with the brain, {seconds:.3f} s while it is stopped; "
                  f"a report then {waited:.2f} s, the next at best {skipped:.2f} s")
            self.assertLess(seconds, usual * 3 + 1)
            self.assertLess(waited, 5)
            self.assertLess(skipped, 0.9)
            self.assertTrue(until(lambda: positive(brain, "P1"), 20))
            self.assertTrue(until(lambda: orthanc.get("/spoed/system")["Waiting"] == 0, 20))

    def test_a_brain_that_orthanc_starts_outlives_it(self):
        class Unstarted(HookedBrain):
            """Configured, with its accounts, and not running: Orthanc is to start it."""

            def start(self):
                pass

        def pid():
            """Of the brain with this configuration, found by its command line."""
            for p in filter(str.isdigit, os.listdir("/proc")):
                try:
                    with open(f"/proc/{p}/cmdline", "rb") as f:
                        words = f.read().split(b"\0")
                except OSError:
                    continue
                if brain.path("spoed.yaml").encode() in words and b"--detach" in words:
                    return int(p)
            return 0

        def both_answer():
            return all(subprocess.run(["echoscu", "-aec", aec, "127.0.0.1", str(port)], capture_output=True).returncode == 0
                       for aec, port in (("SPOED", brain.dicom), ("ORTHANC", orthanc.dicom)))

        with Unstarted(speed=60) as brain:
            section = brain.section(Start=True, Configuration=brain.path("spoed.yaml"), Program=os.path.join(BUILD, "spoed"))
            with Orthanc(section) as orthanc:
                try:
                    self.assertTrue(until(both_answer, 30))
                    started = pid()
                    self.assertTrue(started)
                    with open(f"/proc/{started}/stat") as f:
                        parent, _, session = map(int, f.read().rsplit(")", 1)[1].split()[1:4])
                    self.assertNotEqual(parent, orthanc.process.pid)
                    self.assertEqual(session, started)
                    inherited = {os.readlink(f"/proc/{started}/fd/{n}") for n in os.listdir(f"/proc/{started}/fd")}
                    self.assertFalse([f for f in inherited if orthanc.dir + "/db" in f])
                    orthanc.stop(signal.SIGKILL)
                    orthanc.start()
                    self.assertTrue(until(both_answer, 30))
                    self.assertEqual(pid(), started)  # the same one: it never stopped
                    os.kill(started, signal.SIGKILL)
                    self.assertTrue(until(lambda: pid() not in (0, started) and both_answer(), 40))  # started anew
                    o = Order("S1", "955001", "ZZSTART^Brain")
                    self.assertEqual(brain.order(o), "AA")
                    self.assertTrue(orthanc.store_now(bleeding(brain, o)))
                    self.assertTrue(until(lambda: positive(brain, "S1"), 20))
                finally:
                    running = pid()
                    if running:
                        os.kill(running, signal.SIGTERM)
                        self.assertTrue(until(lambda: not pid(), 20))

    def test_what_came_while_the_brain_was_dead_is_caught_up(self):
        with HookedBrain(speed=60) as brain, Orthanc(brain.section()) as orthanc:
            o, p = Order("C1", "960001", "ZZCATCH^Up"), Order("C2", "960002", "ZZCATCH^Rest")
            for order in (o, p):
                self.assertEqual(brain.order(order), "AA")
            brain.stop(signal.SIGKILL)
            self.assertTrue(at_once(orthanc, slices(brain, o, 8) + [bleeding(brain, o)])[0])
            self.assertEqual(orthanc.stored(), 9)
            orthanc.stop(signal.SIGKILL)  # and its queue with it
            orthanc.start()
            self.assertEqual(orthanc.call("POST", "/instances", content(bleeding(brain, p)))[0], 200)
            brain.start()
            self.assertTrue(until(lambda: positive(brain, "C1") and positive(brain, "C2"), 30))
            self.assertTrue(until(lambda: brain.item("C1").get("images") in ("partial", "complete"), 30))
            self.assertTrue(until(lambda: not orthanc.get("/spoed/system")["Behind"], 20))
            sent = orthanc.get("/spoed/system")["InstancesSent"]
            orthanc.stop()
            orthanc.start()  # looks at the last changes again: the brain knows them
            self.assertTrue(until(lambda: not orthanc.get("/spoed/system")["Behind"], 20))
            self.assertLessEqual(orthanc.get("/spoed/system")["InstancesSent"], sent)
            results = [a for a in brain.item("C1")["ai"] if a["state"] == "positive"]
            self.assertEqual(len(results), 1)

    def test_an_orthanc_with_a_past_is_followed_from_a_day_ago(self):
        with HookedBrain(speed=60) as brain, Orthanc(None) as orthanc:
            old, fresh, later = (Order(f"H{i}", f"97000{i}", f"ZZPAST^P{i}") for i in range(3))
            for order in (old, fresh, later):
                self.assertEqual(brain.order(order), "AA")
            self.assertTrue(orthanc.store_now(*slices(brain, old, 2), bleeding(brain, old)))
            orthanc.stop()
            index = sqlite3.connect(orthanc.dir + "/db/index")
            index.execute("UPDATE Changes SET date = '20200101T000000'")
            index.commit()
            index.close()
            orthanc.start()
            self.assertTrue(orthanc.store_now(*slices(brain, fresh, 2), bleeding(brain, fresh)))
            orthanc.stop()
            orthanc.config["Spoed"] = brain.section()
            orthanc.start()
            self.assertTrue(until(lambda: positive(brain, "H1") and brain.item("H1")["images"] != "none", 20))
            self.assertTrue(until(lambda: not orthanc.get("/spoed/system")["Behind"], 20))
            self.assertEqual(brain.item("H0").get("images"), "none")
            self.assertEqual(orthanc.get("/spoed/system")["InstancesSent"], 1)
            # Another index under the same name: its changes begin at one again.
            orthanc.stop()
            shutil.rmtree(orthanc.dir + "/db")
            orthanc.config.pop("Spoed")
            orthanc.start()
            self.assertTrue(orthanc.store_now(bleeding(brain, later)))
            orthanc.stop()
            orthanc.config["Spoed"] = brain.section()
            orthanc.start()
            self.assertTrue(until(lambda: positive(brain, "H2"), 20))


if __name__ == "__main__":
    missing = tools()
    try:
        import pydicom  # noqa: F401
    except ImportError:
        missing = ", ".join(filter(None, [missing, "python3-pydicom"]))
    if missing:
        print("skipped: needs " + missing)
        print("0 passed, 0 failed, 1 skipped")
        sys.exit(77)
    ran = unittest.main(verbosity=2, exit=False).result
    bad = len(ran.failures) + len(ran.errors)
    print(f"{ran.testsRun - bad - len(ran.skipped)} passed, {bad} failed, {len(ran.skipped)} skipped")
    sys.exit(bad > 0)
