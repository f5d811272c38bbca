"""A real Orthanc with (or without) the plugin, for end-to-end tests and benchmarks: its own temporary folder, free loopback
ports, stopped by its pid. The plugin is $SPOED_BUILD/libOrthancSpoed.so (default build/release).
"""
import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

from hospital import BUILD, Brain, free_port, stamp, uid, until

PLUGIN = os.path.join(BUILD, "libOrthancSpoed.so")


def tools(*more):
    """What is missing on this machine, or an empty text."""
    missing = [t for t in ("Orthanc", "storescu", "findscu", *more) if not shutil.which(t)]
    if not os.path.exists(PLUGIN):
        missing.append(PLUGIN)
    return ", ".join(missing)


class Orthanc:
    """section: the plugin's section; None: without one; plugin=False: without the plugin."""

    def __init__(self, section=None, plugin=True, **settings):
        self.dir = tempfile.mkdtemp(prefix="spoed-orthanc-")
        self.http, self.dicom = free_port(), free_port()
        self.log = os.path.join(self.dir, "orthanc.log")
        self.base = f"http://127.0.0.1:{self.http}"
        self.process = None
        self.config = {
            "Name": "test", "DicomAet": "ORTHANC", "DicomPort": self.dicom, "HttpPort": self.http,
            "StorageDirectory": self.dir + "/db", "IndexDirectory": self.dir + "/db", "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False, "DicomAlwaysAllowStore": True, "DicomAlwaysAllowFindWorklist": True,
            "DicomThreadsCount": 12, "StableAge": 2, "DefaultEncoding": "Utf8", "SaveJobs": False,
            "Plugins": [PLUGIN] if plugin else [], **settings}
        if section is not None:
            self.config["Spoed"] = section

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, kind, value, trace):
        self.stop()
        if kind and os.path.exists(self.log):
            sys.stderr.write("".join(self.lines("Spoed") + self.lines("E1")))
        shutil.rmtree(self.dir, ignore_errors=True)

    def start(self):
        for _ in range(4):
            if self.try_start():
                return
            # A port that was free may have become somebody's since.
            self.http, self.dicom = free_port(), free_port()
            self.base = f"http://127.0.0.1:{self.http}"
            self.config.update(HttpPort=self.http, DicomPort=self.dicom)
        raise RuntimeError("Orthanc did not come up")

    def try_start(self):
        os.makedirs(self.dir + "/db", exist_ok=True)
        with open(self.dir + "/orthanc.json", "w") as f:
            json.dump(self.config, f)
        env = dict(os.environ, TCP_NODELAY="1")
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(["Orthanc", self.dir + "/orthanc.json"], stdout=log, stderr=log, env=env)
        until(lambda: self.process.poll() is not None or self.get("/system"), 60)
        return self.process.poll() is None

    def stop(self, sig=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(sig)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def call(self, method, path, data=None, follow=True):
        """(status, bytes, headers); status 0: nobody answers."""
        request = urllib.request.Request(self.base + path, method=method, data=data)
        opener = urllib.request.build_opener() if follow else urllib.request.build_opener(Stay)
        try:
            with opener.open(request, timeout=20) as r:
                return r.status, r.read(), r.headers
        except urllib.error.HTTPError as e:
            return e.code, e.read(), e.headers
        except OSError:
            return 0, b"", {}

    def get(self, path):
        status, data, _ = self.call("GET", path)
        return json.loads(data) if status == 200 and data else None

    def stored(self):
        return (self.get("/statistics") or {}).get("CountInstances", 0)

    def store(self, files, aet="TESTAI", options=()):
        """One association; the process."""
        return subprocess.Popen(["storescu", "-R", *options, "-aet", aet, "-aec", "ORTHANC", "127.0.0.1", str(self.dicom),
                                 *files], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                env=dict(os.environ, TCP_NODELAY="1"))

    def store_now(self, *files, aet="TESTAI"):
        """True when every object was taken."""
        p = self.store(files, aet)
        p.communicate(timeout=120)
        return p.returncode == 0

    def find(self, calling, *keys, raw=False):
        """Modality worklist C-FIND: accession numbers in the order of the answers (raw: everything said)."""
        words = [w for k in (keys or ("AccessionNumber", "PatientName", "PatientID")) for w in ("-k", k)]
        out = subprocess.run(["findscu", "-v", "-W", "-aet", calling, "-aec", "ORTHANC", "127.0.0.1", str(self.dicom), *words],
                             capture_output=True, timeout=60, env=dict(os.environ, TCP_NODELAY="1"))
        text = (out.stdout + out.stderr).decode("utf-8", "replace")
        if raw:
            return text
        return re.findall(r"\(0008,0050\) SH \[([^\]]*?) *\]", text.split("Find Response", 1)[-1])

    def lines(self, word):
        with open(self.log, errors="replace") as f:
            return [line for line in f if word in line]


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args):
        return None


class HookedBrain(Brain):
    """A brain that knows the user of this Orthanc: whoever runs the test."""

    def write(self):
        super().write()
        with open(self.path("spoed.yaml")) as f:
            text = f.read()
        with open(self.path("spoed.yaml"), "w") as f:
            f.write(text.replace("user: orthanc", "user: " + pwd.getpwuid(os.geteuid()).pw_name))

    def section(self, **more):
        """Orthanc's section "Spoed" for this brain."""
        return {"Enable": True, "Socket": self.path("run/spoed.sock"), "ReportingAets": ["READ1"],
                "PublicUrl": self.base, **more}


def ct_file(path, order, instance=None, rows=64, fill=0):
    """A CT image of that order; rows × rows pixels of two bytes."""
    from pydicom.dataset import Dataset, FileMetaDataset
    d = Dataset()
    d.SpecificCharacterSet, d.SOPClassUID = "ISO_IR 192", "1.2.840.10008.5.1.4.1.1.2"
    d.SOPInstanceUID = instance or uid()
    d.StudyDate, d.StudyTime, d.AccessionNumber, d.Modality = stamp()[:8], stamp()[8:14], order.accession, "CT"
    d.PatientName, d.PatientID, d.IssuerOfPatientID = order.name, order.patient, "ZH"
    d.StudyInstanceUID, d.SeriesInstanceUID, d.SeriesNumber, d.InstanceNumber = order.study, order.series, "1", "1"
    d.SamplesPerPixel, d.PhotometricInterpretation, d.Rows, d.Columns = 1, "MONOCHROME2", rows, rows
    d.BitsAllocated, d.BitsStored, d.HighBit, d.PixelRepresentation = 16, 12, 11, 0
    d.add_new(0x7FE00010, "OW", bytes([fill % 251, 3]) * (rows * rows))
    d.file_meta = FileMetaDataset()
    d.file_meta.MediaStorageSOPClassUID, d.file_meta.MediaStorageSOPInstanceUID = d.SOPClassUID, d.SOPInstanceUID
    d.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    d.is_little_endian, d.is_implicit_VR = True, False
    d.save_as(path, write_like_original=False)
    return path
