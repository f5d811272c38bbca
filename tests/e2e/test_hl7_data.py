#!/usr/bin/env python3
"""Every HL7 file of the shared collection, sent over MLLP to a running brain. What an order message must make is said by
tests/suites/hl7/data-orders.tsv (its first lines explain it), and that is what the list must hold afterwards. All the
others: answered AA or AR and never AE, and the connection and the brain live on."""
import os
import sys
from collections import Counter

from brain import Brain, Line, check, done, equal, fields, scene, skip, table, until
from hl7_files import HL7, answered_as, message_of

STATUS = {"cancel": ("cancelled",), "hold": ("ordered", "arrived"), "exam-done": ("arrived",)}


def brain():
    return Brain(speed=1)


def expectation(row):
    """(file, answer, [(accession, placer, filler, modality, priority, note)])"""
    return row[0], row[1], [tuple((o.split("|") + [""] * 6)[:6]) for o in row[3:]] if int(row[2]) else []


def batches(rows):
    """Files of which no two name the same order go to the same brain, so that each finds a list of its own."""
    out = []
    for row in rows:
        names = {x for o in row[2] for x in o[:3] if x}
        for used, batch in out:
            if not used & names:
                break
        else:
            used, batch = set(), []
            out.append((used, batch))
        used |= names
        batch.append(row)
    return [batch for _, batch in out]


def held(item):
    return tuple(((item.get(k) or {}).get("value") or "") for k in ("accession", "placer", "filler")) + (item.get("modality") or "",)


def one_order_file(b, line, file, answer, orders):
    before = {i["id"] for i in b.worklist(status="all")}
    data = message_of(file)
    want = answered_as(data, answer)
    got = fields(line.send(data), "MSA")[1:2] if want else line.post(data)
    if not equal(f"{file}: answered", got, [want] if want else None):
        return
    message = b.newest_message(direction="in")
    until(lambda: len({i["id"] for i in b.worklist(status="all")} - before) == len(orders), 1)
    new = [i for i in b.worklist(status="all") if i["id"] not in before]
    equal(f"{file}: the items it makes", Counter(held(i) for i in new), Counter(o[:4] for o in orders))
    for o in orders:
        for item in (i for i in new if held(i) == o[:4]):
            if o[4]:
                equal(f"{file}: priority", item["order_priority"], o[4])
            word = o[5].split(" ")[0]
            want = STATUS.get(word, ("ordered",))
            check(f"{file}: stands as {' or '.join(want)}", item["status"] in want, item["status"])
    if not orders:
        check(f"{file}: makes nothing, and says why", message.get("reason") or message.get("parked"), message)


def orders_are_on_the_list():
    rows = [expectation(r) for r in table("hl7/data-orders.tsv")]
    missing = [r[0] for r in rows if not os.path.exists(os.path.join(HL7, r[0]))]
    for file in missing:
        skip(file)
    for batch in batches([r for r in rows if r[0] not in missing]):
        with brain() as b:
            line = Line(b.mllp)
            for file, answer, orders in batch:
                one_order_file(b, line, file, answer, orders)
            check(f"one connection for all {len(batch)}, and the brain lives", b.alive() and line.send(ping()).count("MSA|AA"))
            line.close()


def msa(answer):
    """MSA-1 and MSA-2, with the answer's own delimiters."""
    found = [s for s in answer.split("\r") if s.startswith("MSA")]
    return (found[0].split(answer[3]) + ["", ""])[1:3] if found else ["", ""]


def ping():
    ping.n += 1
    return f"MSH|^~\\&|RIS|ZH|||20260101||ADT^A13|PING{ping.n}|P|2.5\rPID|1||1^^^ZH||ZZPING^Test\r"


ping.n = 0


def all_files():
    for folder, _, names in sorted(os.walk(HL7)):
        for name in sorted(names):
            yield os.path.relpath(os.path.join(folder, name), HL7)


def every_file_is_answered():
    answers, odd = Counter(), []
    with brain() as b:
        line = Line(b.mllp)
        for file in all_files():
            message = message_of(file)
            if b"\x1c\r" in message:  # would end the frame: not one message any more
                skip(file)
                continue
            want = {answered_as(message, v) for v in ("AA", "AR")}
            try:
                code = "" if want == {""} else msa(line.send(message))[0] if "" not in want else None
                if code is None:  # perhaps: the next answer is this one's or that of the next message
                    line.post(message)
                    line.post(ping())
                    last = msa(line.read())
                    code = "" if last[1] == f"PING{ping.n}" else last[0]
                    last = msa(line.read()) if code else last
                else:
                    if want == {""}:
                        line.post(message)
                    last = msa(line.send(ping()))
            except OSError as e:
                odd.append(f"{file}: {e}")
                line.close()
                line = Line(b.mllp)
                continue
            answers[code or "no answer wanted"] += 1
            if code not in want:
                odd.append(f"{file}: {code}, not {want}")
            if last != ["AA", f"PING{ping.n}"]:
                odd.append(f"{file}: the next message on the connection was answered {last}")
        equal(f"each of {sum(answers.values())} files is answered {dict(answers)}, and the next on the connection too", odd, [])
        check("the brain lives", b.alive() and b.call("GET", "/healthz")[0] == 200)
        counted = 0
        after = ""
        while True:
            page = b.get(f"/api/v1/messages?direction=in&limit=500{after}", "boss")
            counted += len([m for m in page["messages"] if not (m["control_id"] or "").startswith("PING")])
            if not page.get("next"):
                break
            after = "&after=" + page["next"]
        equal("every list can be read", [b.call("GET", p, who="smit")[0] for p in ("/api/v1/worklist?status=all", "/api/v1/parked", "/api/v1/alerts")], [200] * 3)
        check("what was answered is in the message log", counted >= sum(answers.values()) * 0.9, counted)
        b.kill()
        b.start()
        equal("and can still be after a restart", b.call("GET", "/api/v1/worklist?status=all", who="smit")[0], 200)


if not os.path.isdir(HL7):
    print("skipped: no shared data beside the checkout")
    sys.exit(77)
for scene_of in (orders_are_on_the_list, every_file_is_answered):
    with scene(scene_of.__name__.replace("_", " ")):
        scene_of()
done()
