#!/usr/bin/env python3
"""Mutated structured reports (tests/suites/result/mutants, written by test_door_mutants) through the real front by
C-STORE, byte by byte as they are: storescu would mend or refuse them. Each ends accepted, held or refused as its row
says, with the status that belongs to it and a row in the message log; none is silent, none is on another order."""
import os
import struct
from collections import Counter

from brain import ROOT, Brain, check, done, equal, scene, send, table, until
from hospital import Order
from dimse import Dimse, command_set, uid, us

FOLDER = os.path.join(ROOT, "tests", "suites", "result", "mutants")
CLASSES = [f"1.2.840.10008.5.1.4.1.1.88.{n}" for n in (11, 22, 33, 34, 50, 67, 99)]
STATES = {"positive": 1, "negative": 2, "normal": 4, "failed": 8, "not_analysed": 16}
SUCCESS, MISNAMED, UNREADABLE = 0x0000, 0xA900, 0xC000
MODELS = """
models:
  - {id: ich, match: {manufacturer: Maker, name: ICH, versions: ["1"]}, mode: live, for: {modality: CT}}
"""


def split(data):
    """The two UIDs of the file's meta header, and what stands behind it."""
    n = struct.unpack_from("<I", data, 140)[0] if data[132:136] == b"\2\0\0\0" else 0
    if not n or 144 + n > len(data):
        return None, None, data
    at, found = 144, {}
    while at + 8 <= 144 + n:
        group, element = struct.unpack_from("<HH", data, at)
        long = data[at + 4:at + 6] in (b"OB", b"UN", b"SQ", b"UT")
        size, head = (struct.unpack_from("<I", data, at + 8)[0], 12) if long else (struct.unpack_from("<H", data, at + 6)[0], 8)
        found[group << 16 | element] = data[at + head:at + head + size].decode("latin-1").rstrip("\0 ")
        at += head + size
    return found.get(0x00020002), found.get(0x00020003), data[144 + n:]


def store(b, sop_class, sop, data):
    """(status, comment); a class that the front does not take is refused with its presentation context: (None, why)."""
    with Dimse(b.dicom, CLASSES, calling="TESTAI") as a:
        if sop_class not in a.accepted:
            return None, "presentation context refused"
        a.number += 1
        a.send(a.contexts[sop_class], command_set(uid(0x0002, sop_class), us(0x0100, 1), us(0x0110, a.number),
                                                  us(0x0700, 0), us(0x0800, 1), uid(0x1000, sop)), data)
        status, _ = a.response()
        return status, a.comment()


def outcome_of(b, message):
    """(outcome, the state of the result) by the message log, what is parked, and the item in full (a manager's view:
    products in shadow too)."""
    row = parked_result(b, message)
    if row:
        return "held", row["state"]
    if message["parked"] or message["answer"] in ("AR", "AE"):
        return "refused", None
    if message["item"]:
        found = [r for r in b.get(f"/api/v1/items/{message['item']}", "boss")["results"] if r["message"] == message["id"]]
        return ("accepted", found[0]["state"]) if found else ("not_a_result", None)
    return "not_a_result", None


def parked_result(b, message):
    rows = [p for p in b.get("/api/v1/parked?limit=1000")["parked"] if p["id"] == message.get("parked") and p["kind"] == "result"]
    return rows[0] if rows else None


def fits(want, states, got, state, status):
    if want == "any":
        return status in (SUCCESS, MISNAMED, UNREADABLE)
    if want == "refused_or_not":
        return got in ("refused", "not_a_result") or state == "not_analysed"
    return got == want and (got not in ("accepted", "held") or STATES[state] & states)


def every_mutant():
    ends = Counter()
    with Brain(speed=1, models=MODELS, site={"unmatched_after": "10m"}) as b:
        touched = set()
        for name, patient, accession, study, want, states, how in table("result/mutants.tsv"):
            order = Order(accession, patient, name="ZZCANARY^Test")
            order.study = study
            send(b.mllp, order.hl7())
            with open(os.path.join(FOLDER, name), "rb") as f:
                sop_class, sop, data = split(f.read())
            if sop_class not in CLASSES or not sop or not data:
                ends["cut in the meta header: never leaves its sender"] += 1
                continue
            last = b.newest_message(direction="in")["id"]
            status, comment = store(b, sop_class, sop, data + b"\0" * (len(data) % 2))
            if status is None:
                ends["class not taken"] += 1
                check(f"{how}: only of what is no result", want != "accepted" and sop_class.endswith(".99"), (want, sop_class))
                continue
            message = until(lambda: (m := b.newest_message(direction="in"))["id"] != last and m, 5)
            if not check(f"{how}: in the log", message):
                continue
            got, state = outcome_of(b, message)
            ends[got] += 1
            check(f"{how}: {want}", fits(want, int(states), got, state, status), (got, state, hex(status), comment, message))
            check(f"{how}: its status", (status in (MISNAMED, UNREADABLE) and comment) if got == "refused" else status == SUCCESS, (got, hex(status), comment))
            if got == "accepted":
                touched.add(accession)
        print(f"   ends {dict(ends)}")
        check("some of each", all(ends[e] >= 3 for e in ("accepted", "held", "refused", "not_a_result")), ends)
        for item in b.worklist(status="all"):
            if item["status"] != "unmatched":
                whole = b.get(f"/api/v1/items/{item['id']}", "boss")
                equal(f"{item['accession']['value']}: its own result or none", len(whole["results"]), int(item["accession"]["value"] in touched))
        check("the brain and its front live", b.alive() and b.call("GET", "/healthz")[0] == 200)
        with open(b.log, errors="replace") as f:
            check("the log names no patient", "ZZCANARY" not in f.read())


with scene("every mutant"):
    every_mutant()
done()
