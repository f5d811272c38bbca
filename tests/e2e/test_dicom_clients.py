#!/usr/bin/env python3
"""Clients that share no code with ours, unmodified against a running brain: DCMTK's findscu with its own query files, odil
(python3-odil), dcmjs-dimse (npm), Orthanc as SCU. And what a query's character set does to the answers."""
import glob
import json
import os
import re
import subprocess

from brain import DATA, Brain, Line, Order, check, done, equal, scene, skip, until
from dimse import MWL, Dimse, dataset
from hospital import uid

KEYS = [(0x00080050, "SH", ""), (0x00100010, "PN", ""), (0x00100020, "LO", "")]


def findscu(b):
    files = sorted(glob.glob("/usr/share/doc/dcmtk/examples/wlistqry/*.dump") or glob.glob(os.path.join(DATA, "mwl", "dcmtk-wlistqry", "*.dump")))
    if not files:
        return skip("DCMTK's query files are not here")
    for path in files:
        query = b.path(os.path.basename(path) + ".dcm")
        subprocess.run(["dump2dcm", path, query], check=True, capture_output=True)
        said = subprocess.run(["findscu", "-v", "-W", "-aec", "SPOED", "127.0.0.1", str(b.dicom), query], capture_output=True, text=True, timeout=60)
        text = said.stdout + said.stderr
        check(f"findscu -W {os.path.basename(path)}: served", said.returncode == 0 and re.search(r"Received Final Find Response \(Success\)", text), text[-300:])


def odil_client(b, order):
    try:
        import odil
    except ImportError:
        return skip("python3-odil is not installed")
    a = odil.Association()
    a.set_peer_host("127.0.0.1")
    a.set_peer_port(b.dicom)
    context = odil.AssociationParameters.PresentationContext
    role = context.Role.SCU
    contexts = [context(1, "1.2.840.10008.1.1", ["1.2.840.10008.1.2"], role), context(3, MWL, ["1.2.840.10008.1.2.1"], role)]
    a.update_parameters().set_calling_ae_title("ODIL").set_called_ae_title("SPOED").set_presentation_contexts(contexts)
    a.associate()
    echo = odil.EchoSCU(a)
    echo.echo()
    check("odil: C-ECHO", True)
    query = odil.DataSet()
    query.add("AccessionNumber")
    query.add("PatientName", ["*"])
    step = odil.DataSet()
    step.add("Modality", ["CT"])
    query.add("ScheduledProcedureStepSequence", [step])
    find = odil.FindSCU(a)
    find.set_affected_sop_class(MWL)
    answers = [r.as_string("AccessionNumber")[0] for r in find.find(query)]
    check("odil: the modality worklist", order.accession.encode() in [bytes(x) if not isinstance(x, bytes) else x for x in answers] or order.accession in
          [str(x) for x in answers], answers)
    a.release()


def dcmjs(b, order):
    import node
    if node.missing():
        return skip("dcmjs-dimse: " + node.missing())

    def run(*words):
        r = node.run("dicom.js", b.dicom, *words)
        return json.loads(r.stdout.strip().split("\n")[-1]) if r.stdout.strip() else {"error": r.stderr[-300:]}
    equal("dcmjs-dimse: C-ECHO", run("echo").get("status"), 0)
    said = run("worklist")
    check("dcmjs-dimse: the modality worklist", said.get("status") == 0 and order.accession in said.get("answers", []), said)
    step = uid()
    equal("dcmjs-dimse: N-CREATE", run("mpps", step, order.study, order.patient, "begin").get("status"), 0)
    check("leaves the worklist", until(lambda: order.accession not in b.find("SPOED")))
    equal("dcmjs-dimse: N-SET", run("mpps", step, order.study, order.patient, "end").get("status"), 0)
    check("is to be read", until(lambda: b.item(order.accession)["status"] == "arrived"))


def orthanc(b, order):
    import shutil
    if not shutil.which("Orthanc"):
        return skip("Orthanc is not installed")
    from orthanc import Orthanc
    import urllib.request
    with Orthanc(plugin=False, DicomModalities={"spoed": ["SPOED", "127.0.0.1", b.dicom]}) as o:
        def post(path, body):
            r = urllib.request.Request(o.base + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
            with urllib.request.urlopen(r, timeout=30) as f:
                return json.loads(f.read() or b"{}")
        post("/modalities/spoed/echo", {})
        check("Orthanc: C-ECHO", True)
        said = post("/modalities/spoed/find-worklist", {"AccessionNumber": "", "PatientID": "", "ScheduledProcedureStepSequence": [{"Modality": "CT"}]})
        check("Orthanc: the modality worklist", order.accession in json.dumps(said), said)


def letters(b):
    o = Order("LETTERS1", "440001", name="ZZTËST^Zoë")
    b.order(o)
    with Dimse(b.dicom, [MWL]) as a:
        def ask(charset, name="", accession="LETTERS1"):
            status, answers = a.find(MWL, dataset((0x00080005, "CS", charset), (0x00080050, "SH", accession), (0x00100010, "PN", name)))
            return answers[0] if status == 0 and len(answers) == 1 else (status, answers)
        until(lambda: isinstance(ask(""), bytes))
        for charset, bytes_of, label in [("", "ZZTËST^Zoë".encode(), b"ISO_IR 192"), ("ISO_IR 192", "ZZTËST^Zoë".encode(), b"ISO_IR 192"),
                                         ("ISO_IR 100", "ZZTËST^Zoë".encode("latin-1"), b"ISO_IR 100"),
                                         ("ISO_IR 101", "ZZTËST^Zoë".encode("iso8859-2"), b"ISO_IR 101"),
                                         ("ISO_IR 144", "ZZTËST^Zoë".encode(), b"ISO_IR 192"),
                                         ("ISO 2022 IR 100\\ISO 2022 IR 87", "ZZTËST^Zoë".encode(), b"ISO_IR 192")]:
            got = ask(charset)
            check(f"asked in {charset or 'none'}: answered in {label.decode()}", isinstance(got, bytes) and bytes_of in got and label in got, got)
        answers = a.find(MWL, dataset((0x00080005, "CS", "ISO_IR 100"), (0x00080050, "SH", "")) + b"\x10\x00\x10\x00PN\x08\x00" + "ZZTËST*".encode("latin-1") + b" ")
        equal("a name in Latin-1 is found", (answers[0], len(answers[1])), (0, 1))
        answers = a.find(MWL, dataset((0x00080005, "CS", "GB18030"), (0x00080050, "SH", "")) + b"\x10\x00\x10\x00PN\x0a\x00" + b"\xcd\xf5*".ljust(10))
        equal("a name in GB18030 is read, and nobody's", (answers[0], len(answers[1])), (0, 0))
    line = Line(b.mllp)
    line.send(Order("LETTERS2", "440002", name="王^小东").hl7())
    line.close()
    with Dimse(b.dicom, [MWL]) as a:
        until(lambda: b.item("LETTERS2"))

        def found():
            s, answers = a.find(MWL, dataset((0x00080005, "CS", "GB18030"), (0x00080050, "SH", ""), ) + b"\x10\x00\x10\x00PN\x04\x00" + "王".encode("gb18030") + b"* ")
            return s == 0 and len(answers) == 1
        check("a name in GB18030 is found", until(found))


def main():
    with Brain(speed=1) as b:
        orders = [Order(f"CLIENT{i}", f"33000{i}") for i in range(3)]
        for o in orders:
            b.order(o)
        until(lambda: len(b.find("SPOED")) == 3)
        for part, args in ((findscu, ()), (odil_client, (orders[0],)), (dcmjs, (orders[1],)), (orthanc, (orders[2],)), (letters, ())):
            with scene(part.__name__):
                part(b, *args)
    done()


main()
