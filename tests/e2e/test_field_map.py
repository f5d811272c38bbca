#!/usr/bin/env python3
"""Field maps: a site's own fields and an AI vendor's ORU^R01 are read as its files say, over MLLP by a running brain and
by `spoed hl7 try` in memory; a reload takes a changed map, a bad one keeps the old. And the contract of try and validate
over every HL7 file of the shared collection."""
import json
import os
import subprocess

from brain import BUILD, DATA, ROOT, Brain, Line, Order, check, done, equal, fields, scene, skip, stamp, until

SUITES = os.path.join(ROOT, "tests", "suites", "hl7")
TRY = {"file", "message", "answer", "event", "item", "reasons"}
VALIDATE = {"file", "message", "ok", "type", "version", "control_id", "segments", "roundtrip", "error"}
SITE = """
map: 1
order:
  accession: [{from: ZOR-3, strip: "ZZ-"}]
  priority: [{from: ZOR-7, values: {"1": stat}}, OBR-5]
"""
VENDOR = """
map: 1
results:
  model: {manufacturer: {text: ExampleVendor}, name: {text: ICH Triage}, version: {from: OBX-18.3}}
  words: {SUSPECTED: present, NOT SUSPECTED: absent}
  findings: [{when: {OBX-3.1: ICH}, concept: intracranial-hemorrhage}]
"""
PEERS = """  vendor: {match: {door: hl7, address: 127.0.0.1, msh_3: VENDORAI}, roles: [results], map: vendor.yaml}
  zris: {match: {door: hl7, address: 127.0.0.1, msh_3: ZRIS}, roles: [orders, adt], map: maps/site.yaml}
"""


def hl7(*words, config=None, text=None):
    """(exit code, what it printed) of spoed hl7."""
    more = ["-c", config] if config else []
    run = subprocess.run([os.path.join(BUILD, "spoed"), *more, "hl7", *words], input=text, capture_output=True, timeout=600)
    return run.returncode, run.stdout.decode("utf-8"), run.stderr.decode("utf-8", "replace")


def lines(*words, **more):
    return [json.loads(line) for line in hl7(*words, "--json", **more)[1].splitlines()]


def suite(name):
    return os.path.join(SUITES, name, "input.hl7")


def oru(order, word, status="P", number="R1", probability="0.94", app="VENDORAI"):
    return "\r".join([f"MSH|^~\\&|{app}|ZZ|SPOED|ZH|{stamp()}||ORU^R01|{app}{stamp()}|P|2.5.1",
                      f"PID|1||{order.patient}^^^ZH^PI||{order.name}||{order.birth}|{order.sex}",
                      f"OBR|1||{number}|AI^ZZ AI||||||||||||||{order.accession}|||||||{status}",
                      f"OBX|1|ST|ICH||{word}||||{probability}||{status}|||||||^^2.1.0",
                      f"OBX|2|ST|113014^DICOM Study^DCM||{order.study}||||||{status}", ""])


def zorder(number, accession, field=3):
    gap = "|" * (field - 1)
    return "\r".join([f"MSH|^~\\&|ZRIS|ZZ|SPOED|ZH|{stamp()}||ORM^O01|Z{number}|P|2.3.1", "PID|1||ZZ77^^^ZH^PI||ZZCANARY^Test",
                      f"ORC|NW|ZP{number}", f"OBR|1|ZP{number}||CTHERS^CT hersenen^L|R|||||||||||||WRONG{number}||||||CT",
                      f"ZOR|{gap}{accession}", ""])


def the_command():
    got = lines("try", suite("orm-nw"), suite("orm-laboratory"), suite("no-msh"), suite("orm-no-pid"))
    check("try says one object per message, with these keys and no others", all(set(g) == TRY for g in got), got)
    equal("what they become", [(g["answer"], g["event"], g["message"]) for g in got],
          [("AA", "order", 1), ("AA", "not-for-us", 1), ("AR", "unreadable", 1), ("AA", "unusable", 1)])
    equal("the item is that of the API", got[0]["item"]["accession"], {"value": "A1", "issuer": "ZH"})
    check("and has the list's keys", {"id", "rank", "level", "due", "arrived", "reasons", "status", "ai", "patient"} <= set(got[0]["item"]))
    check("without an item it is null", all(g["item"] is None for g in got[1:]))
    check("every one has a reason", all(g["reasons"] for g in got), [g["reasons"] for g in got])
    told = lines("try", "--explain", suite("orm-nw"))[0]["reasons"]
    check("--explain says which field was read", any(t.startswith("order.accession = A1 (OBR-18.1, built-in:") for t in told), told)
    order = open(suite("orm-nw"), "rb").read()
    adt = b"\r".join([b"MSH|^~\\&|RIS|ZZ|SPOED|RAD|20260310091500||ADT^A02|ZZ0002|P|2.3.1", b"EVN|A02|20260310091500",
                      b"PID|1||ZZ1001^^^ZH^PI||ZZCANARY^Test||19800229|F", b"PV1|1|I|ICU", b""])
    both = lines("try", "-", text=order + adt)
    equal("messages act on what came before", [(g["event"], g["message"], (g["item"] or {}).get("location")) for g in both],
          [("order", 1, "SEH"), ("patient", 2, "ICU")])
    alone = lines("try", "-", text=adt)[0]
    equal("and alone they are still what they are", (alone["answer"], alone["event"], alone["item"]), ("AA", "patient", None))
    code, out, _ = hl7("try", suite("orm-nw"))
    check("for people it says field by field", code == 0 and "order.priority = S (OBR-27.6, built-in:" in out, out)
    check("and has no colours where nobody looks", "\033" not in out)
    equal("unknown option", hl7("try", "--nonsense", suite("orm-nw"))[0], 2)
    equal("no file", hl7("try")[0], 2)
    equal("a file that is not there", hl7("try", "/nonexistent.hl7")[0], 1)
    equal("a configuration that is not there", hl7("try", suite("orm-nw"), config="/nonexistent.yaml")[0], 3)


def whole_collection():
    files = sorted(os.path.join(d, f) for d, _, names in os.walk(os.path.join(DATA, "hl7v2")) for f in names)
    if not files:
        return skip("no shared data")
    got = lines("try", *files)
    check(f"try answers every message of {len(files)} files", {g["file"] for g in got} == set(files)
          and all(set(g) == TRY and g["answer"] in ("AA", "AE", "AR") and g["reasons"] for g in got))
    valid = lines("validate", *files)
    check("validate has its keys", all(set(v) == VALIDATE for v in valid))
    check("what parses comes back byte for byte", all(v["roundtrip"] for v in valid if v["ok"]))
    check("what does not is refused with a position", all(v["error"] is None if v["ok"] else v["error"]["segment"] > 0 and v["error"]["byte"] > 0
                                                         and v["error"]["field"] >= 0 and v["error"]["text"] for v in valid))
    check("most of it parses", sum(v["ok"] for v in valid) > 500, sum(v["ok"] for v in valid))


class Mapped(Brain):
    def write(self):
        super().write()
        os.makedirs(self.path("maps"))
        self.put("maps/site.yaml", SITE)
        self.put("vendor.yaml", VENDOR)


def brain():
    return Mapped(speed=1, peers=PEERS)


def a_sites_fields():
    with brain() as b:
        line = Line(b.mllp)
        equal("taken", fields(line.send(zorder(1, "ZZ-77")), "MSA")[1], "AA")
        check("the accession is where the map says", until(lambda: b.item("77")), [i["accession"] for i in b.worklist(status="all")])
        told = lines("try", "--peer", "zris", "--explain", "-", config=b.path("spoed.yaml"), text=zorder(2, "ZZ-78").encode())[0]
        equal("try reads by the same map", (told["item"] or {}).get("accession"), {"value": "78", "issuer": "ZH"})
        check("and says by which line of it", any("ZOR-3" in t and "site.yaml:4" in t for t in told["reasons"]), told["reasons"])
        told = lines("try", "-", config=b.path("spoed.yaml"), text=zorder(9, "ZZ-98").encode())[0]
        equal("the sender is known by MSH-3 too", (told["item"] or {}).get("accession"), {"value": "98", "issuer": "ZH"})
        check("no such peer is a usage error", hl7("try", "--peer", "nobody", "-", config=b.path("spoed.yaml"), text=b"")[0] == 2)
        b.put("maps/site.yaml", SITE.replace("ZOR-3", "ZOR-4"))
        b.reload()
        number = iter(range(30, 1000))
        check("a reload takes the new map", until(lambda: line.send(zorder(next(number), "ZZ-79", 4)) and b.item("79")))
        b.put("maps/site.yaml", SITE.replace("accession", "acession"))
        code, out, err = hl7("try", "-", config=b.path("spoed.yaml"), text=zorder(4, "X").encode())
        check("a misspelt map is refused with its place", code == 3 and "site.yaml:4:3" in err and "did you mean" in err, err)
        b.reload()
        check("and the old one goes on", until(lambda: "site.yaml:4:3" in open(b.log, errors="replace").read() or
                                               b.call("GET", "/readyz", who="it")[0] == 503)
              and fields(line.send(zorder(5, "ZZ-80", 4)), "MSA")[1] == "AA" and until(lambda: b.item("80")))
        b.put("maps/site.yaml", SITE)
        journal = b.cli("export", "journal")
        check("the maps that were in force are kept", "map:zris" in journal and "map:vendor" in journal)
        line.close()


def a_vendors_results():
    with brain() as b:
        line, head = Line(b.mllp), Order("A1", "ZZ1", "ZZBLEED^Test")
        equal("order", b.order(head), "AA")
        equal("images", b.images(head), 200)
        equal("the result is taken", fields(line.send(oru(head, "SUSPECTED", "F")), "MSA")[1], "AA")
        check("it raises", until(lambda: b.item("A1").get("level") == "critical"), b.item("A1"))
        item = b.item("A1")
        equal("one row for the model", [(a["model"], a["state"], a["findings"][0]["concept"], a["findings"][0]["probability"]) for a in item["ai"]
                                        if a["state"] == "positive"], [("ich-a", "positive", "intracranial-hemorrhage", 0.94)])
        check("somebody is paged", until(lambda: b.pager.pages, 10))
        equal("a vendor's F is no report", (item["report"], item["status"]), ("none", "arrived"))
        line.send(oru(head, "NOT SUSPECTED", "F"))
        check("turned round without a mark it is a contradiction", until(lambda: b.item("A1").get("contradiction")), b.item("A1"))
        equal("and the row stays", b.item("A1")["level"], "critical")
        line.send(oru(head, "NOT SUSPECTED", "C"))
        check("marked as a correction it is taken back", until(lambda: b.item("A1").get("level") == "routine"), b.item("A1"))
        line.send(oru(head, "unremarkable", "C"))
        check("a word that the map does not have is not analysed",
              until(lambda: [a["state"] for a in b.item("A1")["ai"] if a["model"] == "ich-a"] == ["not_analysed"]), b.item("A1")["ai"])
        other = Order("A2", "ZZ2", "ZZOTHER^Test")
        line.send(oru(other, "SUSPECTED"))
        check("without an order it waits, seen by everybody", until(lambda: any(i["status"] == "unmatched" for i in b.worklist())))
        line.close()


def main():
    for name, part in (("the command", the_command), ("the whole collection", whole_collection), ("a site's fields", a_sites_fields),
                       ("a vendor's results", a_vendors_results)):
        with scene(name):
            part()
    done()


main()
