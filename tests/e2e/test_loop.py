#!/usr/bin/env python3
"""The whole loop against a running brain: an order becomes first on both lists, the RIS hears it once, pages go on until
a person answers; drafts, and a RIS that does not take a report."""
import os
import shutil
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fakes"))
from hospital import Brain, Order, fields, send, until  # noqa: E402

ICH = ("1386000", "Intracranial hemorrhage")
PTX = ("36118008", "Pneumothorax")


def normal_film(brain, accession, patient):
    film = Order(accession, patient, "ZZNORMAL^Film", "XTHORAX", "X-thorax", "DX", birth="19700101")
    assert brain.order(film) == "AA" and brain.images(film) == 200
    assert brain.result(film, "Chest Film", "5.2", PTX, present=False, probability=0.02)
    assert brain.result(film, "Chest Normal", "1.0")
    until(lambda: brain.item(accession).get("images") == "complete", 15)  # that makes a new version of the draft
    return film, until(lambda: brain.item(accession).get("draft"), 15)


def accept(brain, accession, who="smit", tag=None):
    item = brain.item(accession)["id"]
    _, draft, headers = brain.call("GET", f"/api/v1/items/{item}/draft", who="smit")
    brain.call("POST", f"/api/v1/items/{item}/opened", {}, "smit")
    time.sleep(15 / brain.speed + 0.1)
    match = headers.get("ETag") if tag is None else tag
    return brain.call("POST", f"/api/v1/items/{item}/draft/accept", {}, who, {"If-Match": match} if match else {})[0]


class Loop(unittest.TestCase):
    def test_a_bleeding_is_first_and_pages_until_answered(self):
        with Brain(speed=60, echo=True) as brain:
            for i in range(39):
                o = Order(f"N{i:03d}", f"80{i:04d}", f"ZZQUIET^P{i}", "XPOLS", "X-pols", "DX", "POLI")
                self.assertEqual(brain.order(o), "AA")
                self.assertEqual(brain.images(o), 200)
            planned = Order("PLAN1", "810001", "ZZPLANNED^Later")
            self.assertEqual(brain.order(planned), "AA")
            head = Order("A40", "820001", "ZZBLEED^Head")
            self.assertEqual(brain.order(head), "AA")
            self.assertIn("A40", until(lambda: [a for a in brain.find("SPOED") if a == "A40"], 5))
            self.assertEqual(brain.images(head), 200)
            rank = until(lambda: brain.item("A40").get("rank"))
            self.assertEqual(rank, 40)
            self.assertTrue(brain.result(head, "ICH Triage", "2.1.0", ICH, probability=0.94))
            self.assertTrue(until(lambda: brain.item("A40").get("rank") == 1))
            self.assertEqual(brain.item("A40")["level"], "critical")
            english = " ".join(r["text"] for r in brain.item("A40")["reasons"] if r["rule"] == "ich")
            dutch = " ".join(r["text"] for r in brain.item("A40", "nl")["reasons"] if r["rule"] == "ich")
            self.assertIn("haemorrhage", english)
            self.assertIn("bloeding", dutch)
            reading, modality = brain.find("SPOED_READ"), brain.find("SPOED")
            self.assertEqual(reading[0], "A40")
            self.assertEqual(len(reading), 40)
            self.assertNotIn("A40", modality)
            self.assertIn("PLAN1", modality)
            self.assertNotIn("PLAN1", reading)

            sent = until(lambda: brain.ris.of_type("ORM"))
            self.assertEqual(len(sent), 1)
            self.assertEqual(fields(sent[0], "ORC")[1], "XO")
            self.assertEqual(fields(sent[0], "ORC")[7].split("^")[5], "S")
            self.assertEqual(fields(sent[0], "ZDS"), fields(head.hl7(), "ZDS"))
            self.assertEqual(brain.order(head, "XO", priority="R"), "AA")  # the RIS sets its own value back
            time.sleep(1.5)
            self.assertEqual(len(brain.ris.of_type("ORM")), 1)
            self.assertEqual(brain.item("A40")["rank"], 1)

            pages = until(lambda: [p for p in brain.pager.pages if p["to"] == "1001"])
            self.assertTrue(pages and all(p["signed"] for p in brain.pager.pages))
            self.assertNotIn("ZZBLEED", str(brain.mail.mails[0]["headers"]))
            self.assertTrue(until(lambda: any(m["headers"].get("X-Spoed-Page-Id") for m in brain.mail.mails)))
            self.assertTrue(until(lambda: [p for p in brain.pager.pages if p["to"] == "1002"], 20))  # five minutes of the night
            alert = brain.item("A40")["alert"]["id"]
            self.assertEqual(brain.call("POST", f"/api/v1/alerts/{alert}/acknowledge", {"how": "web"}, "visser")[0], 200)
            after = len(brain.pager.pages) + len(brain.mail.mails)
            time.sleep(8)  # longer than the repeat
            self.assertEqual(len(brain.pager.pages) + len(brain.mail.mails), after)

    def test_a_normal_film_is_drafted_accepted_and_sent_once(self):
        with Brain(speed=60) as brain:
            film, draft = normal_film(brain, "F1", "830001")
            self.assertTrue(draft)
            self.assertEqual(accept(brain, "F1", who="visser"), 403)
            self.assertEqual(accept(brain, "F1", tag=""), 428)
            self.assertEqual(accept(brain, "F1"), 200)
            report = until(lambda: brain.ris.of_type("ORU"))
            self.assertEqual(len(report), 1)
            self.assertEqual(fields(report[0], "OBR")[3].split("^")[0], "FF1")
            time.sleep(1)
            self.assertEqual(len(brain.ris.of_type("ORU")), 1)

            film, draft = normal_film(brain, "F2", "830002")
            self.assertTrue(draft)
            item = brain.item("F2")["id"]
            tag = brain.call("GET", f"/api/v1/items/{item}/draft", who="smit")[2].get("ETag")
            self.assertEqual(brain.images(film, 2, 1), 200)
            self.assertTrue(until(lambda: brain.item("F2").get("no_draft")))
            self.assertEqual(brain.call("POST", f"/api/v1/items/{item}/draft/accept", {}, "smit", {"If-Match": tag})[0], 412)

    def test_a_refused_report_comes_back(self):
        for mode in ("ar", "none"):
            with self.subTest(mode), Brain(speed=120, ris_mode=mode, settings=", report_timeout: 3s", send=", total_timeout: 1s") as brain:
                _, draft = normal_film(brain, "F3", "840001")
                self.assertTrue(draft)
                self.assertEqual(accept(brain, "F3"), 200)
                self.assertTrue(until(lambda: any(r["rule"] == "report-not-delivered" for r in brain.item("F3").get("reasons", [])), 60))
                self.assertIn(brain.item("F3")["status"], ("arrived", "in_progress"))
                self.assertTrue(any(a["kind"] == "report-not-delivered" for a in brain.get("/api/v1/alarms", "boss")["alarms"]))

    def test_an_unknown_patient_pages_the_radiologist_only(self):
        with Brain(speed=60) as brain:
            stray = Order("A300", "850001", "ZZSTRAY^Nobody")
            self.assertTrue(brain.result(stray, "ICH Triage", "2.1.0", ICH, probability=0.94))
            self.assertTrue(until(lambda: brain.item("A300").get("status") == "unmatched"))
            self.assertTrue(until(lambda: [p for p in brain.pager.pages if p["to"] == "1001"]))
            self.assertFalse([p for p in brain.pager.pages if p["to"] == "2001"])
            self.assertEqual(brain.order(stray), "AA")
            self.assertTrue(until(lambda: not brain.get("/api/v1/parked").get("parked")))
            self.assertNotEqual(brain.item("A300")["status"], "unmatched")

    def test_the_log_names_nobody(self):
        with Brain(speed=60) as brain:
            o = Order("CANARYACC", "CANARYPID", "ZZCANARY^Bird")
            self.assertEqual(brain.order(o), "AA")
            brain.images(o)
            brain.result(o, "ICH Triage", "2.1.0", ICH, probability=0.94)
            send(brain.mllp, "MSH|^~\\&|RIS|ZH|||2026||ORM^O01|X|P|2.5\rPID|1||CANARYPID||ZZCANARY^Bird\r")
            self.assertTrue(until(lambda: brain.item("CANARYACC").get("alert")))
            metrics = brain.call("GET", "/metrics")
            brain.stop()
            with open(brain.log, errors="replace") as f:
                text = f.read() + str(metrics)
            for word in ("ZZCANARY", "CANARYPID", "CANARYACC"):
                self.assertNotIn(word, text)


if __name__ == "__main__":
    if not shutil.which("storescu"):
        print("skipped: needs DCMTK's storescu and findscu")
        sys.exit(77)
    try:
        import pydicom  # noqa: F401
    except ImportError:
        print("skipped: needs python3-pydicom")
        sys.exit(77)
    unittest.main(verbosity=2)
