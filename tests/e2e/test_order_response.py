#!/usr/bin/env python3
"""The application's own answer to orders, over MLLP from a running brain: ORR, ORI and ORG where MSH-16 or the peer's entry
asks for them, behind the CA where both answers are wanted, in the order of the orders with many in flight; the order is
on the list when its answer comes; by HTTP and `spoed hl7 try` the same."""
import json
import os
import subprocess

from brain import BUILD, Brain, Line, check, done, equal, fields, scene, stamp

PEERS = """  always: {match: {door: hl7, address: 127.0.0.1, msh_3: ALWAYS}, roles: [orders], order_response: true}
  strict: {match: {door: hl7, address: 127.0.0.1, msh_3: STRICT}, roles: [orders], on_unusable: ar, order_response: true}
  one: {match: {door: hl7, address: 127.0.0.1, msh_3: ONE}, roles: [orders], quirks: [one_answer]}
"""


def order(number, app="RIS", asks="|", kind="ORM^O01", numbers=True):
    ids = f"P{number}|F{number}" if numbers else "|"
    accession = f"ZZA{number}" if numbers else ""
    more = [f"IPC|{accession}|RP{number}|1.2.3.{number}|S{number}|CT"] if kind.startswith("OMI") else []
    return "\r".join([f"MSH|^~\\&|{app}|ZH|SPOED|ZH|{stamp()}||{kind}|{app}{number}|P|2.5.1|||{asks}",
                      "PID|1||ZZ7700001^^^ZH^PI||ZZCANARY^Test||19800101|F", f"ORC|NW|{ids}||SC",
                      f"OBR|1|{ids}|CTHERS^CT hersenen^L||||||||||||||{accession}||||||CT", *more, ""])


def said(answer):
    """(type, MSA-1, MSA-2, [ORC-1 to 3], PID-3)"""
    lines = [s.split("|") for s in answer.split("\r") if s]
    orders = [tuple(s[1:4]) for s in lines if s[0] == "ORC"]
    patient = [s[3] for s in lines if s[0] == "PID"]
    msa = fields(answer, "MSA")
    return fields(answer, "MSH")[9].split("^")[0], msa[1], msa[2], orders, patient


def ok(number, code="OK"):
    return [(code, f"P{number}", f"F{number}")], ["ZZ7700001^^^ZH^PI"]


def who_asks(b):
    line = Line(b.mllp)
    equal("original mode: an ACK", said(line.send(order(1))), ("ACK", "AA", "RIS1", [], []))
    equal("order_response: an ORR", said(line.send(order(2, "ALWAYS"))), ("ORR", "AA", "ALWAYS2", *ok(2)))
    equal("MSH-16 alone: an ORR", said(line.send(order(3, asks="NE|AL"))), ("ORR", "AA", "RIS3", *ok(3)))
    answer = line.send(order(4, "ALWAYS", kind="OMI^O23"))
    equal("an OMI: an ORI", said(answer), ("ORI", "AA", "ALWAYS4", *ok(4)))
    check("with OBR and IPC", "\rOBR|1|P4|F4|" in answer and "\rIPC|ZZA4|" in answer, answer)
    equal("an OMG: an ORG", said(line.send(order(5, "ALWAYS", kind="OMG^O19"))), ("ORG", "AA", "ALWAYS5", *ok(5)))
    equal("both: the CA", said(line.send(order(6, asks="AL|AL"))), ("ACK", "CA", "RIS6", [], []))
    behind = line.read()
    equal("and the ORR behind it", said(behind), ("ORR", "AA", "RIS6", *ok(6)))
    line.post("\r".join(["MSH|^~\\&|RIS|ZH|SPOED|ZH|1||ACK|X1|P|2.5.1", f"MSA|AA|{fields(behind, 'MSH')[10]}", ""]))
    equal("an ACK of that is taken without answer, and the order after it has its own", said(line.send(order(7))),
          ("ACK", "AA", "RIS7", [], []))
    equal("one_answer: the CA alone", said(line.send(order(8, "ONE", "AL|AL"))), ("ACK", "CA", "ONE8", [], []))
    equal("and the next answer is the next order's", said(line.send(order(9, "ONE"))), ("ACK", "AA", "ONE9", [], []))
    refused = line.send(order(10, "STRICT", numbers=False))
    equal("an unusable order of a peer that wants AR: UA", said(refused)[:4], ("ORR", "AR", "STRICT10", [("UA", "", "")]))
    check("with the reason in ORC-16 and ERR", fields(refused, "ORC")[16].startswith("^The message names no") and "\rERR|" in refused,
          refused)
    held = {(i["accession"] or {}).get("value") for i in b.worklist(status="all")}
    equal("all that were taken are on the list", held, {f"ZZA{n}" for n in range(1, 10)})
    line.close()


def many_in_flight(b):
    line = Line(b.mllp)
    asks = ["AL|AL", "AL|NE", "NE|AL", "NE|NE", "|"]
    want = []
    for n in range(100, 160):
        line.post(order(n, asks=asks[n % 5]))
        both = ("ACK", "CA", f"RIS{n}", [], []), ("ORR", "AA", f"RIS{n}", *ok(n))
        want += [both, both[:1], both[1:], (), (("ACK", "AA", f"RIS{n}", [], []),)][n % 5]
    equal("60 orders without waiting: every answer in its place", [said(line.read()) for _ in want], want)
    equal("and no further one", said(line.send(order(161)))[2], "RIS161")
    line.close()


def by_the_command(b):
    run = subprocess.run([os.path.join(BUILD, "spoed"), "-c", b.path("spoed.yaml"), "hl7", "try", "--peer", "always", "--json",
                          "--explain", "-"], input=order(200, "ALWAYS").encode(), capture_output=True, timeout=60)
    got = json.loads(run.stdout)
    equal("try: the answer is the MSA-1 code", got["answer"], "AA")
    check("and says by what", "answered by ORR AA (ORC-1 OK)" in got["reasons"], got["reasons"])


if __name__ == "__main__":
    with scene("the application answers orders"), Brain(speed=1, peers=PEERS) as brain:
        who_asks(brain)
        many_in_flight(brain)
        by_the_command(brain)
    done()
