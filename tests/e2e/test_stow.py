#!/usr/bin/env python3
"""STOW-RS against a running brain: results and what comes beside them, several in one request, of one study, large ones,
and everything that is refused, each with its status and reason."""
import http.client
import io
import json

from brain import PTX, Brain, Order, check, done, equal, scene, until
from hospital import sr_file, uid

MODELS = """
models:
  - {id: chest, match: {name: "CXR-Triage", versions: ["2.1.0"]}, mode: live, for: {modality: [CR, DX]}}
"""
TAKEN, FAILED = "00081199", "00081198"


def multipart(parts, kind="application/dicom", boundary="spoed-boundary"):
    body = b"".join(b"--" + boundary.encode() + b"\r\nContent-Type: " + kind.encode() + b"\r\n\r\n" + p + b"\r\n" for p in parts)
    return body + b"--" + boundary.encode() + b"--\r\n", f'multipart/related; type="application/dicom"; boundary={boundary}'


def post(b, body, content_type, path="/dicom-web/studies", who="orthanc"):
    c = http.client.HTTPConnection("127.0.0.1", b.http, timeout=60)
    c.request("POST", path, body, {"Content-Type": content_type, "Authorization": "Bearer " + b.tokens[who]} if who else {"Content-Type": content_type})
    r = c.getresponse()
    data = r.read()
    c.close()
    return r.status, json.loads(data) if data else {}, r.headers.get("Content-Type")


def reasons(said):
    return [i["00081197"]["Value"][0] for i in said.get(FAILED, {}).get("Value", [])]


def taken(said):
    return [i["00081155"]["Value"][0] for i in said.get(TAKEN, {}).get("Value", [])]


def report(b, number):
    o = Order(f"STOW{number}", f"99{number:04}", modality="CR", code="THORAX", text="X-thorax")
    b.order(o)
    path = sr_file(b.path(f"stow-{number}.dcm"), o, "CXR-Triage", "2.1.0", PTX, probability=0.9)
    return o, open(path, "rb").read()


def capture(order, megabytes, transfer="1.2.840.10008.1.2.1", sop_class="1.2.840.10008.5.1.4.1.1.7"):
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.encaps import encapsulate
    d = Dataset()
    d.SOPClassUID, d.SOPInstanceUID, d.StudyInstanceUID, d.SeriesInstanceUID = sop_class, uid(), order.study, uid()
    d.PatientName, d.PatientID, d.IssuerOfPatientID, d.AccessionNumber, d.Modality = order.name, order.patient, "ZH", order.accession, "OT"
    d.Manufacturer, d.ManufacturerModelName = "ExampleVendor", "CXR-Triage"
    d.Rows, d.Columns, d.BitsAllocated, d.SamplesPerPixel = 1024, 1024, 8, 1
    pixels = bytes(megabytes << 20)
    d.PixelData = encapsulate([pixels]) if transfer.endswith(".50") else pixels
    d["PixelData"].VR = "OB"
    d["PixelData"].is_undefined_length = transfer.endswith(".50")
    d.file_meta = FileMetaDataset()
    d.file_meta.MediaStorageSOPClassUID, d.file_meta.MediaStorageSOPInstanceUID, d.file_meta.TransferSyntaxUID = sop_class, d.SOPInstanceUID, transfer
    d.is_little_endian, d.is_implicit_VR = True, False
    f = io.BytesIO()
    d.save_as(f, write_like_original=False)
    return f.getvalue()


def main():
    with Brain(speed=1, models=MODELS) as b:
        with scene("one result"):
            o, sr = report(b, 1)
            status, said, kind = post(b, *multipart([sr]))
            equal("is taken", (status, len(taken(said)), kind), (200, 1, "application/dicom+json"))
            check("and applied", until(lambda: b.item("STOW1").get("ai") and b.item("STOW1")["ai"][0]["state"] == "positive"))
            status, said, _ = post(b, *multipart([sr]))
            equal("the same again is taken", status, 200)
        with scene("what comes beside it"):
            status, said, _ = post(b, *multipart([capture(o, 1), capture(o, 1, "1.2.840.10008.1.2.4.50")]))
            equal("captures, plain and compressed", (status, len(taken(said))), (200, 2), )
            status, said, _ = post(b, *multipart([capture(o, 40)]))
            equal("one of 40 MiB", (status, len(taken(said))), (200, 1))
            status, said, _ = post(b, *multipart([capture(o, 70)]))
            equal("one of 70 MiB is too much", status, 413)
        with scene("of one study"):
            o2, sr2 = report(b, 2)
            status, said, _ = post(b, *multipart([sr2]), path=f"/dicom-web/studies/{o2.study}")
            equal("its own", (status, len(taken(said))), (200, 1))
            _, sr3 = report(b, 3)
            status, said, _ = post(b, *multipart([sr3]), path=f"/dicom-web/studies/{o2.study}")
            equal("another's", (status, reasons(said)), (409, [0xA900]))
            check("which changed nothing", not any(a["state"] == "positive" for a in b.item("STOW3").get("ai", [])))
            equal("a study that is no UID", post(b, *multipart([sr3]), path="/dicom-web/studies/x")[0], 422)
        with scene("several"):
            _, sr4 = report(b, 4)
            status, said, _ = post(b, *multipart([sr4, capture(o, 1, sop_class="1.2.840.10008.5.1.4.1.1.2"), b"not DICOM at all" * 20]))
            equal("one is taken, an image and what is none are not", (status, len(taken(said)), reasons(said)), (202, 1, [0x0122, 0xC000]))
            status, said, _ = post(b, *multipart([sr4[:-21]]))
            equal("a damaged one", (status, reasons(said)), (409, [0xC000]))
        with scene("what is refused"):
            body, kind = multipart([sr])
            for name, args, wanted in [("another type", (body, "application/json"), 415), ("no boundary", (body, "multipart/related"), 415),
                                       ("parts of JSON", (body, 'multipart/related; type="application/dicom+json"; boundary=x'), 415),
                                       ("no end", (body[:-6], kind), 400), ("nothing", (b"", kind), 400),
                                       ("another boundary", (body, kind + "x"), 400)]:
                equal(name, post(b, *args)[0], wanted)
            equal("nobody", post(b, body, kind, who=None)[0], 401)
            equal("a reader", post(b, body, kind, who="smit")[0], 403)
    done()


main()
