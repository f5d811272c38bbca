"""A hospital around a real `spoed serve`, for end-to-end tests: configuration in a temporary folder, accounts, a RIS, a
pager and a mail sink (ris.py, pager.py, smtpsink.py), orders as HL7 and AI results as DICOM SR.

Brain() starts everything and stops it again as a context manager; nothing outside its folder and loopback is used. The
executables are in $SPOED_BUILD (default build/release). Synthetic patients only: every name begins with ZZ.
"""
import datetime
import itertools
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "fakes"))

from pager import Pager  # noqa: E402
from ris import Ris, fields, send  # noqa: E402
from smtpsink import SmtpSink  # noqa: E402

BUILD = os.environ.get("SPOED_BUILD", os.path.join(ROOT, "build", "release"))
SHARE = os.path.join(ROOT, "packaging", "share")
SECRET = "a-secret-of-the-tests"
_numbers = itertools.count(1)
_uid_root = f"2.25.{time.time_ns()}"


def uid():
    return f"{_uid_root}{next(_numbers):05d}"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def until(condition, seconds=10, every=0.05):
    """The condition's first true value within the time, else its last one."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() > end:
            return value
        time.sleep(every)


def stamp(seconds=0):
    t = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return t.strftime("%Y%m%d%H%M%S.") + f"{t.microsecond // 1000:03d}+0000"


class Order:
    def __init__(self, accession, patient, name="ZZTEST^Odd", code="CTHERS", text="CT hersenen", modality="CT",
                 location="SEH", priority="R", birth="19600101", sex="F"):
        self.accession, self.patient, self.name, self.code, self.text = accession, patient, name, code, text
        self.modality, self.location, self.priority, self.birth, self.sex = modality, location, priority, birth, sex
        self.study, self.series, self.images = uid(), uid(), [uid(), uid(), uid()]

    def hl7(self, control="NW", priority=None, at=0, control_id=None):
        t, p = stamp(at), priority or self.priority
        return "\r".join([
            f"MSH|^~\\&|RIS|ZH|SPOED|ZH|{t}||ORM^O01^ORM_O01|{control_id or 'T%08d' % next(_numbers)}|P|2.5|||||||UNICODE UTF-8",
            f"PID|1||{self.patient}^^^ZH^PI||{self.name}||{self.birth}|{self.sex}",
            f"PV1|1|E|{self.location}",
            f"ORC|{control}|P{self.accession}|F{self.accession}||||1^^^{t}^^{p}||{t}",
            f"OBR|1|P{self.accession}|F{self.accession}|{self.code}^{self.text}^L||||||||||||||{self.accession}||||||"
            f"{self.modality}|||^^^{t}^^{p}",
            f"ZDS|{self.study}^SPOED^Application^DICOM", ""])


def sr_file(path, order, model, version, finding=None, present=True, probability=None, images=2, manufacturer="ExampleVendor"):
    """A TID 1500 report; finding: (code, text) in SNOMED CT, None = "imaging result normal"."""
    from pydicom.dataset import Dataset, FileMetaDataset

    def code(value, scheme, meaning):
        d = Dataset()
        d.CodeValue, d.CodingSchemeDesignator, d.CodeMeaning = value, scheme, meaning
        return d

    def node(relation, kind, name, **values):
        d = Dataset()
        d.RelationshipType, d.ValueType, d.ConceptNameCodeSequence = relation, kind, [code(*name)]
        for k, v in values.items():
            setattr(d, k, v)
        return d

    def reference(instance):
        r = Dataset()
        r.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.2" if order.modality == "CT" else "1.2.840.10008.5.1.4.1.1.1.1"
        r.ReferencedSOPInstanceUID = instance
        return r

    seen = order.images[:images]
    group = [node("HAS CONCEPT MOD", "TEXT", ("111001", "DCM", "Algorithm Name"), TextValue=model),
             node("HAS CONCEPT MOD", "TEXT", ("111003", "DCM", "Algorithm Version"), TextValue=version)]
    name = ("121071", "DCM", "Finding")
    if finding:
        group.append(node("CONTAINS", "CODE", name, ConceptCodeSequence=[code(finding[0], "SCT", finding[1])]))
        said = ("52101004", "SCT", "Present") if present else ("2667000", "SCT", "Absent")
        group.append(node("CONTAINS", "CODE", name, ConceptCodeSequence=[code(*said)]))
    else:
        group.append(node("CONTAINS", "CODE", name, ConceptCodeSequence=[code("408573005", "SCT", "Imaging result normal")]))
    if probability is not None:
        value = Dataset()
        value.MeasurementUnitsCodeSequence, value.NumericValue = [code("1", "UCUM", "no units")], str(probability)
        group.append(node("CONTAINS", "NUM", ("111012", "DCM", "Certainty of Finding"), MeasuredValueSequence=[value]))
    for instance in seen:
        group.append(node("CONTAINS", "IMAGE", ("121112", "DCM", "Source of Measurement"), ReferencedSOPSequence=[reference(instance)]))
    groups = node("CONTAINS", "CONTAINER", ("125007", "DCM", "Measurement Group"), ContinuityOfContent="SEPARATE", ContentSequence=group)
    measured = node("CONTAINS", "CONTAINER", ("126010", "DCM", "Imaging Measurements"), ContinuityOfContent="SEPARATE", ContentSequence=[groups])
    now = datetime.datetime.now(datetime.timezone.utc)
    d = Dataset()
    d.SpecificCharacterSet, d.SOPClassUID, d.SOPInstanceUID = "ISO_IR 192", "1.2.840.10008.5.1.4.1.1.88.33", uid()
    d.StudyDate = d.ContentDate = now.strftime("%Y%m%d")
    d.StudyTime = d.ContentTime = now.strftime("%H%M%S")
    d.TimezoneOffsetFromUTC, d.AccessionNumber, d.Modality, d.Manufacturer = "+0000", order.accession, "SR", manufacturer
    d.ManufacturerModelName, d.SoftwareVersions = model, version
    d.PatientName, d.PatientID, d.IssuerOfPatientID = order.name, order.patient, "ZH"
    d.PatientBirthDate, d.PatientSex = order.birth, order.sex
    d.StudyInstanceUID, d.SeriesInstanceUID, d.StudyID, d.SeriesNumber, d.InstanceNumber = order.study, uid(), "1", "900", "1"
    d.ValueType, d.ContinuityOfContent = "CONTAINER", "SEPARATE"
    d.ConceptNameCodeSequence = [code("126000", "DCM", "Imaging Measurement Report")]
    series, study = Dataset(), Dataset()
    series.ReferencedSOPSequence, series.SeriesInstanceUID = [reference(i) for i in seen], order.series
    study.ReferencedSeriesSequence, study.StudyInstanceUID = [series], order.study
    d.CurrentRequestedProcedureEvidenceSequence = [study]
    d.CompletionFlag, d.VerificationFlag = "COMPLETE", "UNVERIFIED"
    template = Dataset()
    template.MappingResource, template.TemplateIdentifier = "DCMR", "1500"
    d.ContentTemplateSequence, d.ContentSequence = [template], [measured]
    d.file_meta = FileMetaDataset()
    d.file_meta.MediaStorageSOPClassUID, d.file_meta.MediaStorageSOPInstanceUID = d.SOPClassUID, d.SOPInstanceUID
    d.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    d.is_little_endian, d.is_implicit_VR = True, False
    d.save_as(path, write_like_original=False)
    return path


def scaled(text, speed):
    """Every duration of a rules file divided by speed; its tests, which speak of the real ones, are left out."""
    def one(m):
        ms = int(m.group(1)) * {"s": 1000, "m": 60000, "h": 3600000, "d": 86400000}[m.group(2)] / speed
        return f"{max(20, int(ms))}ms" if ms < 60000 else f"{int(ms / 1000)}s"
    return re.sub(r"(?<![\w.#-])(\d+)([smhd])\b", one, text.split("\ntests:")[0] + "\n")


class Brain:
    def __init__(self, speed=20, ris_mode="aa", settings="", send="", extra="", echo=False):
        self.dir = tempfile.mkdtemp(prefix="spoed-e2e-")
        self.http, self.mllp, self.dicom, self.speed = free_port(), free_port(), free_port(), speed
        self.base = f"http://127.0.0.1:{self.http}"
        self.ris = Ris(mode=ris_mode, echo=self.mllp if echo else None)
        self.pager, self.mail = Pager(secret=SECRET), SmtpSink()
        self.settings, self.send_extra, self.extra = settings, send, extra
        self.tokens, self.process, self.log = {}, None, os.path.join(self.dir, "spoed.log")

    def __enter__(self):
        try:
            self.write()
            self.start()
            for name, roles in (("smit", "reader,reporter"), ("visser", "clinician"), ("boss", "manager"), ("orthanc", "hook"), ("it", "admin")):
                self.tokens[name] = self.cli("user", "add", name, "--role", roles, "--token").split()[-1]
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind, value, trace):
        self.stop()
        for peer in (self.ris, self.pager, self.mail):
            peer.stop()
        if kind and os.path.exists(self.log):
            with open(self.log, errors="replace") as f:
                sys.stderr.write("".join(f.readlines()[-30:]))
        shutil.rmtree(self.dir, ignore_errors=True)

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def write(self):
        for sub in ("policy.d", "models.d"):
            os.makedirs(self.path(sub))
            for name in sorted(os.listdir(os.path.join(SHARE, sub))):
                with open(os.path.join(SHARE, sub, name), encoding="utf-8") as f, open(self.path(sub, name), "w", encoding="utf-8") as to:
                    to.write(scaled(f.read(), self.speed))
        shutil.copy(os.path.join(SHARE, "people.yaml"), self.path("people.yaml"))
        os.makedirs(self.path("run"))
        with open(self.path("pager.secret"), "w") as f:
            f.write(SECRET)
        me = pwd.getpwuid(os.geteuid()).pw_name

        def ms(seconds):
            return f"{max(20, int(seconds * 1000 / self.speed))}ms"
        with open(self.path("spoed.yaml"), "w") as f:
            f.write(f"""
site: {{name: Testziekenhuis, language: nl, patient_authority: ZH, accession_issuer: ZH, public_url: "{self.base}",
       min_dwell: {ms(15)}, undo: {ms(10)}, complete_after: {ms(60)}, unmatched_after: {ms(60)}{self.settings}}}
store: {{url: "sqlite:{self.dir}/spoed.db"}}
policy: ["{self.dir}/policy.d/*.yaml"]
models: ["{self.dir}/models.d/*.yaml"]
people: "{self.dir}/people.yaml"
run: "{self.dir}/run"
codes: "{SHARE}/codes"
site_codes: "{self.dir}/codes.d"
templates: "{SHARE}/templates"
listen:
  http: [{{address: 127.0.0.1, port: {self.http}}}, {{socket: "{self.dir}/run/spoed.sock", roles: {{{me}: admin}}}}]
  mllp: [{{address: 127.0.0.1, port: {self.mllp}}}]
  dicom: {{ae_title: SPOED, reporting_ae_title: SPOED_READ, address: 127.0.0.1, port: {self.dicom}}}
peers:
  ris: {{match: {{door: hl7, address: 127.0.0.1}}, roles: [orders, adt, reports]}}
  ai: {{match: {{door: dicom, ae_title: [TESTAI]}}, roles: [results]}}
  orthanc: {{match: {{door: http, user: orthanc}}, roles: [results]}}
channels:
  pager: {{type: webhook, url: "{self.pager.url}", secret_file: "{self.dir}/pager.secret"}}
  mail: {{type: smtp, url: "smtp://127.0.0.1:{self.mail.port}", from: spoed@zh.example}}
send:
  ris: {{type: hl7, to: "mllp://127.0.0.1:{self.ris.port}", events: [priority, report]{self.send_extra}}}
{self.extra}""")

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([os.path.join(BUILD, "spoed"), "-c", self.path("spoed.yaml"), "serve"], stdout=log, stderr=log)
        if not until(lambda: self.call("GET", "/healthz")[0] == 200 or self.process.poll() is not None, 20) or self.process.poll() is not None:
            raise RuntimeError("the brain did not come up: " + open(self.log, errors="replace").read()[-2000:])

    def stop(self, sig=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(sig)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def cli(self, *words, text="a-long-password\n"):
        done = subprocess.run([os.path.join(BUILD, "spoed"), "-c", self.path("spoed.yaml"), *words], input=text, capture_output=True, text=True, timeout=60)
        if done.returncode:
            raise RuntimeError(f"spoed {' '.join(words)}: {done.returncode}: {done.stderr}")
        return done.stdout.strip()

    def call(self, method, path, body=None, who=None, headers=None):
        """(status, decoded JSON or None, headers)"""
        h = {"Accept-Language": "en", **(headers or {})}
        if who:
            h["Authorization"] = "Bearer " + self.tokens[who]
        if body is not None:
            h["Content-Type"] = "application/json"
        request = urllib.request.Request(self.base + path, method=method, headers=h, data=None if body is None else json.dumps(body).encode())
        try:
            with urllib.request.urlopen(request, timeout=20) as r:
                status, data, h = r.status, r.read(), r.headers
        except urllib.error.HTTPError as e:
            status, data, h = e.code, e.read(), e.headers
        except OSError:
            return 0, None, {}
        try:
            return status, json.loads(data), h
        except ValueError:
            return status, None, h

    def get(self, path, who="smit", language="en"):
        return self.call("GET", path, who=who, headers={"Accept-Language": language})[1] or {}

    def worklist(self, language="en", status=None):
        return self.get("/api/v1/worklist?limit=2000" + (f"&status={status}" if status else ""), language=language).get("items", [])

    def item(self, accession, language="en"):
        for i in self.worklist(language, "all"):
            if (i.get("accession") or {}).get("value") == accession:
                return i
        return {}

    def order(self, order, control="NW", **more):
        return fields(send(self.mllp, order.hl7(control, **more)), "MSA")[1]

    def images(self, order, first=0, n=2):
        return self.call("POST", "/api/v1/events", {"type": "study_arrived", "study_uid": order.study,
                                                    "accession": {"value": order.accession, "issuer": "ZH"},
                                                    "patient_ids": [{"value": order.patient, "authority": "ZH"}],
                                                    "instances": order.images[first:first + n]}, "orthanc")[0]

    def result(self, order, model, version, finding=None, **more):
        """C-STOREs the report; True when it was taken."""
        path = sr_file(self.path(f"sr-{next(_numbers)}.dcm"), order, model, version, finding, **more)
        return subprocess.run(["storescu", "-R", "-aet", "TESTAI", "-aec", "SPOED", "127.0.0.1", str(self.dicom), path],
                              capture_output=True, timeout=60).returncode == 0

    def find(self, called):
        """Accession numbers that C-FIND gives on that called AE title, in the order of the answers."""
        keys = ["AccessionNumber", "PatientName", "PatientID", "StudyInstanceUID"]
        out = subprocess.run(["findscu", "-v", "-W", "-aet", "READER", "-aec", called, "127.0.0.1", str(self.dicom)] + [w for k in keys for w in ("-k", k)],
                             capture_output=True, text=True, timeout=60)
        return re.findall(r"\(0008,0050\) SH \[([^\]]*?) *\]", (out.stdout + out.stderr).split("Find Response", 1)[-1])
