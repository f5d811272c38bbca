#!/usr/bin/env python3
"""send.pacs: results go on to the archive as they came, byte for byte; again when it was down; not back to where they
came from; in observe not at all. The archive is DCMTK's storescp; one that refuses is a listener of our own."""
import glob
import os
import subprocess
import sys

from brain import ICH, PTX, Brain, Order, check, done, equal, free_port, scene, until
from hospital import sr_file

MODELS = """
models:
  - {id: chest, match: {name: "CXR-Triage", versions: ["2.1.0"]}, mode: live, for: {modality: [CR, DX]}}
"""


class Archive:
    def __init__(self, folder):
        self.port, self.folder, self.process = free_port(), folder, None
        os.makedirs(folder)

    def start(self):
        self.process = subprocess.Popen(["storescp", "+B", "-od", self.folder, "-aet", "PACS", str(self.port)], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        return until(lambda: subprocess.run(["echoscu", "-aec", "PACS", "127.0.0.1", str(self.port)], capture_output=True).returncode == 0)

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def objects(self):
        return sorted(glob.glob(self.folder + "/*"))


def data_of(path):
    """The data set of a file, without its meta header."""
    import struct
    raw = open(path, "rb").read()
    n = struct.unpack_from("<I", raw, 140)[0]
    return raw[144 + n:]


def make(b, number, **more):
    o = Order(f"PACS{number}", f"88{number:04}", modality="CR", code="THORAX", text="X-thorax")
    b.order(o)
    path = sr_file(b.path(f"pacs-{number}.dcm"), o, "CXR-Triage", "2.1.0", PTX, probability=0.9, **more)
    return o, path


def send(b, path, ae="TESTAI"):
    return subprocess.run(["storescu", "-R", "-aet", ae, "-aec", "SPOED", "127.0.0.1", str(b.dicom), path], capture_output=True, timeout=60).returncode


def rows(b, destination="pacs"):
    return [r for r in b.get("/api/v1/queue?limit=200", "it").get("rows", []) if r["destination"] == destination]


def main():
    folder = __import__("tempfile").mkdtemp(prefix="spoed-pacs-")
    pacs, quiet, told = Archive(folder + "/pacs"), Archive(folder + "/quiet"), Archive(folder + "/told")
    extra = (f"  pacs: {{type: dicom, to: \"dicom://PACS@127.0.0.1:{pacs.port}\", events: [result]}}\n"
             f"  shadow: {{type: dicom, to: \"dicom://PACS@127.0.0.1:{quiet.port}\", events: [result], mode: observe}}\n"
             f"  told: {{type: dicom, to: \"dicom://PACS@127.0.0.1:{told.port}\", events: [summary]}}\n")
    peers = "  pacs: {match: {door: dicom, ae_title: [PACSSCU]}, roles: [results]}\n"
    try:
        with Brain(speed=1, models=MODELS, extra=extra, peers=peers) as b:
            with scene("as it came"):
                pacs.start(), quiet.start(), told.start()
                o, path = make(b, 1)
                equal("the result is taken", send(b, path), 0)
                check("it stands in the archive", until(lambda: len(pacs.objects()) == 1))
                check("byte for byte", data_of(pacs.objects()[0]) == data_of(path))
                equal("the same again is taken", send(b, path), 0)
            with scene("not back"):
                _, path = make(b, 2)
                equal("a result of the archive itself is taken", send(b, path, "PACSSCU"), 0)
                check("and was seen", until(lambda: b.item("PACS2").get("ai") and b.item("PACS2")["ai"][0]["state"] == "positive"))
                _, path = make(b, 3)
                status, answer = b.instance(path) if hasattr(b, "instance") else (0, {})
                equal("one that a hook hands over is taken", status, 200)
                _, path = make(b, 4)
                equal("one of nobody is taken", send(b, path, "NOBODY"), 0)
                check("nothing else came to the archive", not until(lambda: len(pacs.objects()) != 1, 2))
            with scene("down and up"):
                pacs.stop()
                o, path = make(b, 5)
                equal("a result while the archive is down is taken", send(b, path), 0)
                check("and waits", not until(lambda: len(pacs.objects()) != 1, 2))
                pacs.start()
                check("until it is up", until(lambda: len(pacs.objects()) == 2, 60))
                check("byte for byte", data_of(pacs.objects()[1]) == data_of(path) or data_of(pacs.objects()[0]) == data_of(path))
            with scene("observe"):
                equal("the one that is observed got nothing", quiet.objects(), [])
                seen = [m for m in b.get("/api/v1/messages?direction=out&limit=50", "boss")["messages"] if m["peer"] == "shadow"]
                check("but the log says what would have gone", seen)
            with scene("a summary"):
                check("one for each study, after a while", until(lambda: len(told.objects()) >= 3, 40), told.objects())
                texts = [subprocess.run(["dsrdump", "+Pl", p], capture_output=True, text=True).stdout for p in told.objects()]
                check("says which product looked, and what it found", any("CXR-Triage" in t and "Pneumothorax" in t and "90 %" in t for t in texts), texts[:1])
                check("and that it is no report", all("Not a report" in t for t in texts))
                if __import__("shutil").which("dciodvfy"):
                    said = [subprocess.run(["dciodvfy", p], capture_output=True, text=True) for p in told.objects()]
                    wrong = [line for s in said for line in (s.stdout + s.stderr).split("\n") if line.startswith("Error")]
                    equal("dciodvfy finds no error", wrong, [])
    finally:
        pacs.stop(), quiet.stop(), told.stop()
        __import__("shutil").rmtree(folder, ignore_errors=True)
    done()


main()
