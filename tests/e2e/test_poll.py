#!/usr/bin/env python3
"""A RIS without HL7: its modality worklist (DCMTK's wlmscpfs) is asked every second; its entries become orders, once;
what changes there changes here; what is gone there is marked here; when it does not answer there is an alarm."""
import os
import shutil
import subprocess
import tempfile

from brain import Brain, check, done, equal, free_port, scene, until
from hospital import uid


class Worklist:
    def __init__(self):
        self.dir, self.port, self.process = tempfile.mkdtemp(prefix="spoed-wl-"), free_port(), None
        os.makedirs(self.dir + "/RIS")
        open(self.dir + "/RIS/lockfile", "w").close()

    def put(self, name, accession, patient, text="CT hersenen", priority="ROUTINE", charset="ISO_IR 100", pn="ZZTEST^Odd"):
        from pydicom.dataset import Dataset, FileMetaDataset
        d = Dataset()
        d.SpecificCharacterSet, d.AccessionNumber, d.PatientName, d.PatientID = charset, accession, pn, patient
        d.PatientBirthDate, d.PatientSex, d.StudyInstanceUID = "19600101", "F", uid()
        d.RequestedProcedureDescription, d.RequestedProcedureID, d.RequestedProcedurePriority = text, accession, priority
        step = Dataset()
        step.Modality, step.ScheduledStationAETitle, step.ScheduledProcedureStepStartDate = "CT", "CT1", "20260101"
        step.ScheduledProcedureStepStartTime, step.ScheduledProcedureStepDescription = "080000", text
        step.ScheduledProcedureStepID = accession
        d.ScheduledProcedureStepSequence = [step]
        d.file_meta = FileMetaDataset()
        d.file_meta.MediaStorageSOPClassUID, d.file_meta.MediaStorageSOPInstanceUID = "1.2.276.0.7230010.3.1.0.1", uid()
        d.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
        d.is_little_endian, d.is_implicit_VR = True, False
        path = f"{self.dir}/RIS/{name}"
        d.save_as(path + ".tmp", write_like_original=False)
        os.replace(path + ".tmp", path + ".wl")

    def drop(self, name):
        os.unlink(f"{self.dir}/RIS/{name}.wl")

    def start(self):
        self.process = subprocess.Popen(["wlmscpfs", "-dfp", self.dir, "-csk", str(self.port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None


def main():
    ris = Worklist()
    peers = (f"  oldris: {{match: {{door: http, user: nobody}}, roles: [orders], poll: {{from: \"dicom://RIS@127.0.0.1:{ris.port}\", every: 1s, "
             "ae_title: SPOEDPOLL}}\n")
    ris.put("a", "POLL1", "660001")
    ris.put("b", "POLL2", "660002", priority="STAT", pn="ZZTËST^Zoë")
    ris.start()
    try:
        with Brain(speed=1, peers=peers) as b:
            with scene("entries become orders"):
                check("both are there", until(lambda: b.item("POLL1") and b.item("POLL2"), 15))
                item = b.item("POLL2")
                equal("with their priority", item["order_priority"], "stat")
                equal("their patient", [i["value"] for i in item["patient"]["ids"]], ["660002"])
                equal("in its own letters", item["patient"]["name"], "ZZTËST, Zoë")
                equal("and their study", len(item["study_uids"]), 1)
                check("they are offered to scanners", until(lambda: sorted(b.find("SPOED")) == ["POLL1", "POLL2"]))

            def messages():
                return [m for m in b.get("/api/v1/messages?direction=in&limit=200", "boss")["messages"] if m["peer"] == "oldris"]
            with scene("once"):
                n = len(messages())
                check("asked again, nothing new comes", not until(lambda: len(messages()) != n, 3))
            with scene("a change"):
                ris.put("a", "POLL1", "660001", text="CT thorax")
                check("is taken", until(lambda: any("thorax" in p["text"] for p in b.item("POLL1")["procedures"]), 10))
            with scene("gone"):
                ris.drop("b")
                check("is marked", until(lambda: len(messages()) >= 4, 10), len(messages()))
                equal("and changes nothing", b.item("POLL2")["status"], "ordered")
            with scene("silence"):
                ris.stop()

                def alarm():
                    return b"worklist-poll" in open(b.log, "rb").read()
                check("a RIS that does not answer raises an alarm", until(alarm, 15))
                equal("and nothing is lost", b.item("POLL1")["status"], "ordered")
                ris.put("c", "POLL3", "660003")
                ris.start()
                check("it is heard again", until(lambda: b.item("POLL3"), 15))
            with scene("a start"):
                b.stop()
                b.start()
                check("after a start nothing is there twice", until(lambda: b.item("POLL3"), 10))
                equal("one row each", sorted(i["accession"]["value"] for i in b.worklist(status="all")), ["POLL1", "POLL2", "POLL3"])
    finally:
        ris.stop()
        shutil.rmtree(ris.dir, ignore_errors=True)
    done()


main()
