#!/usr/bin/env python3
"""kill -9 of the brain under mixed load: orders over MLLP and AI results by C-STORE. A sender that gets no answer sends the
same bytes again. Afterwards what was acknowledged is compared with what is stored and what was sent:

  - every order that was answered AA is there, once;
  - every result that was accepted is applied to its order, once;
  - its page reached the pager; a page id came more than once only marked as a repeat;
  - the RIS got one priority message for it, more often only with the same MSH-10.

Usage: kill.py [--kills N] (default 200). Exit 0 when all of it held.
"""
import argparse
import collections
import os
import random
import signal
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fakes"))
from hospital import Brain, Order, fields, send, until  # noqa: E402

ICH = ("1386000", "Intracranial hemorrhage")


class Load:
    def __init__(self, brain):
        self.brain, self.stop = brain, threading.Event()
        self.orders, self.results, self.resent = [], [], 0
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.order_all, args=(n,)) for n in range(2)]
        self.threads.append(threading.Thread(target=self.result_all))
        for t in self.threads:
            t.start()

    def end(self):
        self.stop.set()
        for t in self.threads:
            t.join()

    def until_answered(self, message):
        """True when it was answered AA; the same bytes again as long as there is no answer."""
        for _ in range(40):
            try:
                answer = fields(send(self.brain.mllp, message, timeout=5), "MSA")
                if answer:
                    return answer[1] == "AA"
            except (OSError, socket.timeout):
                pass
            with self.lock:
                self.resent += 1
            time.sleep(0.1)
        return False

    def order_all(self, thread):
        n = 0
        while not self.stop.is_set():
            n += 1
            o = Order(f"K{thread}{n:05d}", f"7{thread}{n:05d}", f"ZZKILL^T{thread}N{n}", "XPOLS", "X-pols", "DX", "POLI")
            if self.until_answered(o.hl7()):
                self.orders.append(o.accession)
            time.sleep(0.04)

    def result_all(self):
        n = 0
        while not self.stop.is_set():
            n += 1
            o = Order(f"R{n:05d}", f"79{n:05d}", f"ZZKILL^R{n}")
            if not self.until_answered(o.hl7()):
                continue
            self.orders.append(o.accession)
            self.brain.images(o)
            if self.brain.result(o, "ICH Triage", "2.1.0", ICH, probability=0.94):
                self.results.append(o.accession)


def everything(brain):
    """All items by accession number, and the numbers that stand more than once."""
    items, twice, after = {}, [], ""
    while True:
        page = brain.get("/api/v1/worklist?status=all&limit=1000" + (f"&after={after}" if after else ""))
        for i in page.get("items", []):
            a = (i.get("accession") or {}).get("value")
            if a in items:
                twice.append(a)
            items[a] = i
        after = page.get("next")
        if not after:
            return items, twice


def check(brain, load):
    problems = []
    items, twice = everything(brain)
    problems += [f"order {a} is there twice" for a in twice]
    problems += [f"order {a} was acknowledged and is not there" for a in load.orders if a not in items]

    def paged():
        seen = {p.get("alert_id") for p in brain.pager.pages}
        return [a for a in load.results if (items.get(a, {}).get("alert") or {}).get("id") not in seen]
    missing = until(lambda: not paged(), 60) or paged()
    if missing is not True:
        problems += [f"the result of {a} was accepted and nobody was paged" for a in missing]
    for a in load.results:
        ai = [x for x in items.get(a, {}).get("ai", []) if x["model"] == "ich-a"]
        if len(ai) != 1 or ai[0]["state"] != "positive" or len(ai[0]["findings"]) != 1:
            problems.append(f"the result of {a} is there {len(ai)} times, {[x['state'] for x in ai]}")
    first = collections.Counter(p["page_id"] for p in brain.pager.pages if not p.get("repeat"))
    problems += [f"page {i} came {n} times without the mark of a repeat" for i, n in first.items() if n > 1]
    ids = collections.defaultdict(set)

    def heard():
        for m in brain.ris.of_type("ORM"):
            ids[fields(m, "OBR")[3].split("^")[0]].add(fields(m, "MSH")[10])
        return all("F" + a in ids for a in load.results)
    if not until(heard, 60):
        problems += [f"the RIS never heard of {a}" for a in load.results if "F" + a not in ids]
    problems += [f"the RIS got {len(v)} different priority messages for {k}" for k, v in ids.items() if len(v) > 1]
    return problems


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--kills", type=int, default=200)
    p.add_argument("--seed", type=int, default=int(time.time()))
    a = p.parse_args()
    random.seed(a.seed)
    print(f"seed {a.seed}, {a.kills} kills", flush=True)
    with Brain(speed=1) as brain:
        load = Load(brain)
        try:
            for n in range(a.kills):
                time.sleep(random.uniform(0.05, 0.6))
                brain.stop(signal.SIGKILL)
                brain.start()
                if (n + 1) % 50 == 0:
                    print(f"{n + 1} kills, {len(load.orders)} orders and {len(load.results)} results acknowledged", flush=True)
        finally:
            load.end()
        problems = check(brain, load)
        pages = len(brain.pager.pages)
        print(f"{a.kills} kills: {len(load.orders)} orders and {len(load.results)} results acknowledged, {load.resent} sent again, "
              f"{pages} pages of which {sum(bool(p.get('repeat')) for p in brain.pager.pages)} marked as repeats")
        for line in problems[:40]:
            print("NOT:", line)
        print(f"{len(problems)} problems")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
