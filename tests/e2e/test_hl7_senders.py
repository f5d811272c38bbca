#!/usr/bin/env python3
"""Senders of HL7 that others wrote, unmodified, against a running brain: python3-hl7's mllp_send, and from npm simple-hl7,
node-hl7-client and @medplum/hl7. Each sends an order of ours and, where the shared collection is present, real messages
of it; what it gives back as the answer must be what the message asks for, with its own control id."""
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter

from brain import Brain, Order, check, done, equal, fields, scene, skip, table, until

import node
from hl7_files import HL7, answered_as, message_of

LIBRARIES = ("simple-hl7", "node-hl7-client", "medplum")
MOST = 40  # real messages for each


def by_mllp_send(port, files):
    for file in files:
        p = subprocess.run(["mllp_send", "--loose", "-p", str(port), "-f", file, "127.0.0.1"], capture_output=True, timeout=60)
        yield {"file": file, "answer": p.stdout.decode("utf-8", "replace").strip("\x0b\x1c\r\n")} if p.returncode == 0 else \
            {"file": file, "error": p.stderr.decode(errors="replace")[-200:]}


def by_node(library):
    def send(port, files):
        p = node.run("send.js", library, port, *files, timeout=300)
        check(f"{library} runs", p.returncode == 0, p.stderr[-500:])
        return map(json.loads, p.stdout.splitlines())
    return send


SENDERS = {"mllp_send": by_mllp_send, **{library: by_node(library) for library in LIBRARIES}}


def real_messages(folder):
    """{path of a copy: the code its sender must get}: order messages of the collection in plain ASCII, one message a file."""
    out = {}
    for n, row in enumerate(table("hl7/data-orders.tsv") if os.path.isdir(HL7) else []):
        if not os.path.exists(os.path.join(HL7, row[0])):
            continue
        text = message_of(row[0]).replace(b"\r\n", b"\r").replace(b"\n", b"\r")
        code = answered_as(text, row[1])
        if row[1] != "AA" or not code or not text.isascii() or b"\0" in text or text.count(b"MSH|") != 1 or not text.startswith(b"MSH|^~\\&|"):
            continue
        path = os.path.join(folder, f"{n:03d}.hl7")
        with open(path, "wb") as f:
            f.write(text if text.endswith(b"\r") else text + b"\r")
        out[path] = code
        if len(out) == MOST:
            break
    return out


def control_id(path):
    with open(path, "rb") as f:
        return fields(f.read().decode("ascii"), "MSH")[10]


def judge(name, said, want):
    """Counts what came back; a message that the library itself would not send is its own affair, and told."""
    kinds = Counter()
    for line in said:
        file = os.path.basename(line["file"])
        if "answer" in line:
            msa = fields(line["answer"].replace("\n", "\r"), "MSA")
            good = msa[1:3] == [want[line["file"]], control_id(line["file"])]
            if not good:
                check(f"{name}: {file}", False, line["answer"][:300])
            kinds["answered" if good else "wrong"] += 1
        elif "no answer" in line["error"]:
            check(f"{name}: {file} is answered", False)
            kinds["unanswered"] += 1
        else:
            kinds["not sent by the library: " + line["error"][:60]] += 1
    return kinds


def main():
    with tempfile.TemporaryDirectory() as folder, Brain(speed=1) as b:
        for k, (name, send) in enumerate(SENDERS.items()):
            if name in LIBRARIES and node.missing():
                skip(f"{name}: {node.missing()}")
                continue
            with scene(name):
                order = Order(f"SEND{k}", f"ZZ{k:07d}", name="ZZCANARY^Sender")
                path = os.path.join(folder, f"own{k}.hl7")
                with open(path, "w", newline="") as f:
                    f.write(order.hl7(control_id=f"OWN{k}"))
                kinds = judge(name, send(b.mllp, [path]), {path: "AA"})
                equal(f"{name}: our order is answered", kinds, Counter({"answered": 1}))
                check(f"{name}: and is on the list", until(lambda: any((i["accession"] or {}).get("value") == order.accession
                                                                       for i in b.worklist(status="all"))))
                real = real_messages(folder)
                if not real:
                    skip(f"{name}: the shared collection is not here")
                    continue
                kinds = judge(name, send(b.mllp, list(real)), real)
                check(f"{name}: {kinds['answered']} of {len(real)} real messages answered as they ask; " +
                      "; ".join(f"{n} {what}" for what, n in kinds.items() if what != "answered"),
                      kinds["answered"] >= len(real) * 0.7 and not kinds["wrong"] and not kinds["unanswered"], dict(kinds))
    done()


if __name__ == "__main__":
    sys.exit(main())
