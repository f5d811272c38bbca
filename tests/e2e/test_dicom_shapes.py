#!/usr/bin/env python3
"""Reports in the shapes of other makers' toolkits, written with pydicom, through `spoed dicom show --json`. What each
must come to is written in the row, before anything is read: groups as TID 1410, 1411 and 1501, relationships as dcmjs
writes them, old codes, percent or 1, no evidence, 88.22 to 88.35, several algorithms, evaluations only, and companions.
The keys of the answer are those that issue and docs name, no more and no fewer."""
import json
import os
import subprocess
import tempfile

from brain import BUILD, check, done, equal, scene
from hospital import uid
from pydicom.dataset import Dataset, FileMetaDataset

KEYS = ["file", "ok", "sop_class", "study_uid", "accession", "patient_id", "results", "notes", "error"]
RESULT = ["model", "manufacturer", "version", "state", "findings"]
FINDING = ["concept", "code", "scheme", "meaning", "present", "probability", "site", "laterality", "measurements"]
SR, CT = "1.2.840.10008.5.1.4.1.1.88.", "1.2.840.10008.5.1.4.1.1.2"
PTX, ICH = ("36118008", "SCT", "Pneumothorax"), ("1386000", "SCT", "Intracranial hemorrhage")
EFFUSION, ABSENT = ("60046008", "SCT", "Pleural effusion"), ("272519000", "SCT", "Absent")
PRESENT, F = ("52101004", "SCT", "Present"), ("121071", "DCM", "Finding")
CERTAINTY, GROUP = ("111012", "DCM", "Certainty of Finding"), ("125007", "DCM", "Measurement Group")
SEEN = uid()


def code(value, scheme, meaning):
    d = Dataset()
    d.CodeValue, d.CodingSchemeDesignator, d.CodeMeaning = value, scheme, meaning
    return d


def node(kind, name, value=None, *below, relation="CONTAINS", unit=None):
    d = Dataset()
    d.RelationshipType, d.ValueType, d.ConceptNameCodeSequence = relation, kind, [code(*name)]
    if kind == "CODE":
        d.ConceptCodeSequence = [code(*value)]
    elif kind == "TEXT":
        d.TextValue = value
    elif kind == "UIDREF":
        d.UID = value
    elif kind == "PNAME":
        d.PersonName = value
    elif kind == "NUM":
        n = Dataset()
        n.NumericValue, n.MeasurementUnitsCodeSequence = str(value), [code(unit or "1", "UCUM", unit or "no units")]
        d.MeasuredValueSequence = [n]
    elif kind in ("IMAGE", "COMPOSITE"):
        r = Dataset()
        r.ReferencedSOPClassUID, r.ReferencedSOPInstanceUID = value
        d.ReferencedSOPSequence = [r]
    elif kind in ("SCOORD", "SCOORD3D"):
        d.GraphicType, d.GraphicData = value, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
        if kind == "SCOORD3D":
            d.ReferencedFrameOfReferenceUID = "1.2.3.9"
    if below:
        d.ContentSequence = list(below)
    if kind == "CONTAINER":
        d.ContinuityOfContent = "SEPARATE"
    return d


def box(name, *below, relation="CONTAINS"):
    return node("CONTAINER", name, None, *below, relation=relation)


def algorithm(name, version="1.0", relation="HAS CONCEPT MOD"):
    return [node("TEXT", ("111001", "DCM", "Algorithm Name"), name, relation=relation),
            node("TEXT", ("111003", "DCM", "Algorithm Version"), version, relation=relation)]


def finding(what, *said, **more):
    return [node("CODE", F, what, **more)] + [node("CODE", F, s, **more) for s in said]


def site(which=("39607008", "SCT", "Lung"), side=None, relation="HAS CONCEPT MOD"):
    below = [node("CODE", ("272741003", "SCT", "Laterality"), side, relation="HAS CONCEPT MOD")] if side else []
    return node("CODE", ("363698007", "SCT", "Finding Site"), which, *below, relation=relation)


LEFT = ("7771000", "SCT", "Left")
DEVICE = [node("CODE", ("121005", "DCM", "Observer Type"), ("121007", "DCM", "Device"), relation="HAS OBS CONTEXT"),
          node("TEXT", ("121013", "DCM", "Device Observer Name"), "box", relation="HAS OBS CONTEXT")]
PERSON = [node("CODE", ("121005", "DCM", "Observer Type"), ("121006", "DCM", "Person"), relation="HAS OBS CONTEXT"),
          node("PNAME", ("121008", "DCM", "Person Observer Name"), "ZZTEST^Reader", relation="HAS OBS CONTEXT")]
SEGMENT = node("IMAGE", ("121191", "DCM", "Referenced Segment"), ("1.2.840.10008.5.1.4.1.1.66.4", uid()))
REGION = node("SCOORD", ("111030", "DCM", "Image Region"), "POLYLINE",
              node("IMAGE", ("121112", "DCM", "Source"), (CT, SEEN), relation="SELECTED FROM"))
SPACE = node("SCOORD3D", ("111030", "DCM", "Image Region"), "POLYGON")
TRACKED = [node("TEXT", ("112039", "DCM", "Tracking Identifier"), "1", relation="HAS OBS CONTEXT"),
           node("UIDREF", ("112040", "DCM", "Tracking Unique Identifier"), "1.2.3.40", relation="HAS OBS CONTEXT")]


def measured(*groups):
    return box(("126010", "DCM", "Imaging Measurements"), *groups)


def group(*items):
    return box(GROUP, *items)


def flat(*lists):
    return [i for one in lists for i in (one if isinstance(one, list) else [one])]


# name, class, root items, what else differs in the header, {model: state}, {concept or code: present}
ROWS = [
    ("highdicom: planar group (1410), percent", "34", DEVICE + [measured(group(*flat(TRACKED, algorithm("A"), finding(PTX, PRESENT), site(side=LEFT), REGION,
     node("NUM", CERTAINTY, 93, unit="%"))))], {}, {"A": "positive"}, {"pneumothorax": (True, 0.93, "left")}),
    ("highdicom: volumetric group (1411) in space", "34", DEVICE + [measured(group(*flat(TRACKED, algorithm("A"), finding(ICH, PRESENT), SPACE,
     node("NUM", ("118565006", "SCT", "Volume"), 12.5, unit="cm3"))))], {}, {"A": "positive"}, {"intracranial-hemorrhage": (True, None, None)}),
    ("highdicom: generic group (1501), absent, 1", "34", DEVICE + [measured(group(*flat(algorithm("A"), finding(PTX, ABSENT), node("NUM", CERTAINTY, 0.04))))], {},
     {"A": "negative"}, {"pneumothorax": (False, 0.04, None)}),
    ("dcmqi: a segment and its volume say nothing of presence", "33", DEVICE + [measured(group(*flat(TRACKED, algorithm("A"), finding(("52988006", "SCT", "Lesion")), SEGMENT,
     node("NUM", ("118565006", "SCT", "Volume"), 3, unit="cm3"))))], {}, {"A": "not_analysed"}, {"52988006": (None, None, None)}),
    ("dcmqi: a person's measurements", "33", PERSON + [measured(group(*flat(TRACKED, finding(("52988006", "SCT", "Lesion")), SEGMENT,
     node("NUM", ("118565006", "SCT", "Volume"), 3, unit="cm3"))))], {}, {}, {}),
    ("dcmjs, OHIF: CONTAINS everywhere", "33", DEVICE + [measured(group(*flat(algorithm("A", relation="CONTAINS"), finding(PTX, PRESENT), site(side=LEFT, relation="CONTAINS"))))], {},
     {"A": "positive"}, {"pneumothorax": (True, None, "left")}),
    ("MONAI: DCM 121053", "33", DEVICE + [measured(group(*flat(algorithm("A"), finding(PTX, ("121053", "DCM", "Present")))))], {}, {"A": "positive"}, {"pneumothorax": (True, None, None)}),
    ("MONAI: DCM 121054", "33", DEVICE + [measured(group(*flat(algorithm("A"), finding(PTX, ("121054", "DCM", "Absent")))))], {}, {"A": "negative"}, {"pneumothorax": (False, None, None)}),
    ("MONAI: neither of the two", "33", DEVICE + [measured(group(*flat(algorithm("A"), finding(PTX), node("NUM", CERTAINTY, 0.99))))], {}, {"A": "not_analysed"}, {"pneumothorax": (None, 0.99, None)}),
    ("evaluations only, in a group", "22", DEVICE + [measured(group(*flat(algorithm("A"), node("CODE", PTX, ABSENT), node("CODE", EFFUSION, PRESENT))))], {}, {"A": "positive"},
     {"pneumothorax": (False, None, None), "pleural-effusion": (True, None, None)}),
    ("evaluations only, in their own container", "33", flat(DEVICE, algorithm("A"), box(("C0034375", "UMLS", "Qualitative Evaluations"), node("CODE", PTX, ABSENT))), {},
     {"A": "negative"}, {"pneumothorax": (False, None, None)}),
    ("evaluations only, one in a word that is nobody's", "33", flat(DEVICE, algorithm("A"), box(("C0034375", "UMLS", "Qualitative Evaluations"), node("CODE", PTX, ABSENT),
     node("CODE", EFFUSION, ("4711", "99TEST", "Conceivable")))), {}, {"A": "not_analysed"}, {"pneumothorax": (False, None, None), "pleural-effusion": (None, None, None)}),
    ("evaluations in words", "33", flat(DEVICE, algorithm("A"), box(("C0034375", "UMLS", "Qualitative Evaluations"), node("TEXT", PTX, "absent"))), {},
     {"A": "not_analysed"}, {"pneumothorax": (None, None, None)}),
    ("Extensible SR", "35", DEVICE + [measured(group(*flat(algorithm("A"), finding(PTX, PRESENT))))], {}, {"A": "positive"}, {"pneumothorax": (True, None, None)}),
    ("no evidence at all", "33", DEVICE + [measured(group(*flat(algorithm("A"), finding(PTX, ABSENT))))], {"evidence": False}, {"A": "negative"}, {"pneumothorax": (False, None, None)}),
    ("legacy codes throughout", "33", DEVICE + [measured(group(*flat(algorithm("A"), finding(("D2-80300", "SRT", "Pneumothorax"), ("G-A203", "99SDM", "Present")),
     node("CODE", ("G-C0E3", "SRT", "Finding Site"), ("T-28000", "SRT", "Lung")))))], {}, {"A": "positive"}, {"pneumothorax": (True, None, None)}),
    ("two algorithms, each with its own", "33", DEVICE + [measured(group(*flat(algorithm("A"), finding(PTX, ABSENT))), group(*flat(algorithm("B", "2"), finding(ICH, PRESENT))))], {},
     {"A": "negative", "B": "positive"}, {}),
    ("two algorithms, one of which failed", "33", DEVICE + [measured(group(*flat(algorithm("A"), finding(PTX, ABSENT))), group(*flat(algorithm("B"), finding(ICH),
     node("TEXT", ("121106", "DCM", "Comment"), "Processing failed: motion"))))], {}, {"A": "negative", "B": "failed"}, {}),
    ("one status for two findings", "33", DEVICE + [measured(group(*flat(algorithm("A"), finding(PTX), finding(EFFUSION, ABSENT))))], {}, {"A": "not_analysed"}, {}),
    ("the meaning contradicts the code", "33", DEVICE + [measured(group(*flat(algorithm("A"), finding(PTX, ("272519000", "SCT", "Present")))))], {}, {"A": "not_analysed"}, {"pneumothorax": (None, None, None)}),
    ("partial", "33", DEVICE + [measured(group(*flat(algorithm("A"), finding(PTX, ABSENT))))], {"CompletionFlag": "PARTIAL"}, {"A": "not_analysed"}, {"pneumothorax": (False, None, None)}),
    ("nothing measured", "33", DEVICE + [measured()], {}, {"box": "not_analysed"}, {}),
    ("a basic text", "11", [node("TEXT", F, "No pneumothorax")], {}, {"": "not_analysed"}, {}),
]
COMPANIONS = [("key objects", SR + "59", "KO"), ("a secondary capture", "1.2.840.10008.5.1.4.1.1.7", "OT"), ("a PDF", "1.2.840.10008.5.1.4.1.1.104.1", "DOC"),
              ("a segmentation", "1.2.840.10008.5.1.4.1.1.66.4", "SEG"), ("a presentation state", "1.2.840.10008.5.1.4.1.1.11.1", "PR")]


def header(sop_class, modality="SR"):
    d = Dataset()
    d.SpecificCharacterSet, d.SOPClassUID, d.SOPInstanceUID, d.Modality = "ISO_IR 192", sop_class, uid(), modality
    d.StudyInstanceUID, d.SeriesInstanceUID = STUDY, uid()
    d.AccessionNumber, d.PatientID, d.PatientName, d.IssuerOfPatientID = "ACC1", "ZZ1", "ZZCANARY^Test", "ZH"
    d.Manufacturer = "Shapes"
    return d


STUDY = uid()


def write(folder, name, d):
    path = os.path.join(folder, name)
    d.file_meta = FileMetaDataset()
    d.file_meta.MediaStorageSOPClassUID, d.file_meta.MediaStorageSOPInstanceUID = d.SOPClassUID, d.SOPInstanceUID
    d.file_meta.TransferSyntaxUID, d.is_little_endian, d.is_implicit_VR = "1.2.840.10008.1.2.1", True, False
    d.save_as(path, write_like_original=False)
    return path


def report(folder, number, row):
    _, sop_class, items, more, _, _ = row
    d = header(SR + sop_class)
    d.ValueType, d.ContinuityOfContent = "CONTAINER", "SEPARATE"
    d.ConceptNameCodeSequence = [code(*(("18748-4", "LN", "Report") if sop_class == "11" else ("126000", "DCM", "Imaging Measurement Report")))]
    d.CompletionFlag, d.VerificationFlag, d.ContentSequence = more.get("CompletionFlag", "COMPLETE"), "UNVERIFIED", items
    if more.get("evidence", True):
        r, series, study = Dataset(), Dataset(), Dataset()
        r.ReferencedSOPClassUID, r.ReferencedSOPInstanceUID = CT, SEEN
        series.SeriesInstanceUID, series.ReferencedSOPSequence = uid(), [r]
        study.StudyInstanceUID, study.ReferencedSeriesSequence = STUDY, [series]
        d.CurrentRequestedProcedureEvidenceSequence = [study]
    return write(folder, f"{number:02}.dcm", d)


def show(*files):
    ran = subprocess.run([os.path.join(BUILD, "spoed"), "dicom", "show", "--json", *files], capture_output=True, text=True, timeout=60)
    return ran.returncode, [json.loads(line) for line in ran.stdout.splitlines()], ran.stderr


def keys_are_right(name, o, path):
    equal(f"{name}: keys", list(o), KEYS)
    check(f"{name}: keys of results and findings", all(list(r) == RESULT and all(list(f) == FINDING for f in r["findings"]) for r in o["results"]), o)
    equal(f"{name}: of what", (o["file"], o["ok"], o["study_uid"], o["accession"], o["patient_id"], o["error"]), (path, True, STUDY, "ACC1", "ZZ1", None))


def shapes(folder):
    files = [report(folder, i, row) for i, row in enumerate(ROWS)]
    status, told, complaint = show(*files)
    if not check("all are read", status == 0 and len(told) == len(ROWS), (status, complaint)):
        return
    for (name, sop_class, _, _, states, findings), o, path in zip(ROWS, told, files):
        keys_are_right(name, o, path)
        equal(f"{name}: class", o["sop_class"], SR + sop_class)
        equal(f"{name}: states", {r["model"]: r["state"] for r in o["results"]}, states)
        got = {f["concept"] or f["code"]: (f["present"], f["probability"], f["laterality"]) for r in o["results"] for f in r["findings"]}
        check(f"{name}: findings", not findings or got == findings, (got, findings))


def companions(folder):
    for number, (name, sop_class, modality) in enumerate(COMPANIONS):
        path = write(folder, f"c{number}.dcm", header(sop_class, modality))
        status, told, _ = show(path)
        keys_are_right(name, told[0], path)
        check(f"{name}: no result, and said so", status == 0 and told[0]["results"] == [] and any("belongs to a result" in n for n in told[0]["notes"]), told)


def what_cannot_be_read(folder):
    bad, gone = os.path.join(folder, "bad.dcm"), os.path.join(folder, "gone.dcm")
    with open(bad, "wb") as f:
        f.write(b"\0" * 128 + b"DICM" + b"\xff" * 200)
    status, told, _ = show(bad, gone)
    equal("exit code", status, 1)
    for o in told:
        equal("keys", list(o), KEYS)
        check("not ok, and why", o["ok"] is False and o["error"] and o["results"] == [] and o["study_uid"] is None, o)
    equal("one object per file", len(told), 2)


with tempfile.TemporaryDirectory() as here:
    for part in (shapes, companions, what_cannot_be_read):
        with scene(part.__name__.replace("_", " ")):
            part(here)
done()
