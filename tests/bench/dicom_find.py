#!/usr/bin/env python3
"""Worklist queries by C-FIND over kept associations, against the brain's own front and through Orthanc with the plugin,
with wlmscpfs and Orthanc's ModalityWorklists plugin beside them in the same run.

SPOED_ITEMS (10000,100000) orders wait; the peers get at most 10,000, since they read every file for every query. The client
is mwlbench of ../shared/bench (built here, TCP_NODELAY on; the front and Orthanc are started with it too); without that
folder there is nothing to measure and the answer is "skipped". What the client can take at most is measured as well: the
same query over eight associations at once cannot be faster than its own CPU allows.

Goals: one accession number p50 <= 1 ms in the front, <= 2 ms through Orthanc; many answers: the first within 2 ms, then
>= 60 % of 20,000 answers/s and >= 2 times each peer; eight associations in sum >= 80 % of one."""
import json
import os
import socket
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "fakes"))
os.environ["TCP_NODELAY"] = "1"
from hospital import ROOT, Order, free_port, until  # noqa: E402
from orthanc import HookedBrain, Orthanc, tools  # noqa: E402
from ris import frame, read_frame  # noqa: E402

SHARED = os.path.join(os.path.dirname(ROOT), "shared", "bench")
CLIENT = os.path.join(ROOT, "build", "bench", "mwlbench")
SIZES = [int(n) for n in os.environ.get("SPOED_ITEMS", "10000,100000").split(",")]
WORKLISTS = "/usr/share/orthanc/plugins/libModalityWorklists.so"
PEER_MAX, CLIENT_TAKES = 10000, 20000


def build_client():
    os.makedirs(os.path.dirname(CLIENT), exist_ok=True)
    subprocess.run(["g++", "-O2", "-std=c++17", "-w", "-o", CLIENT, os.path.join(SHARED, "mwlbench.cc"), "-ldcmwlm", "-ldcmnet",
                    "-ldcmdata", "-loflog", "-lofstd", "-pthread"], check=True)


def fill(port, count, first):
    """count orders by MLLP, many in flight."""
    accessions = []
    with socket.create_connection(("127.0.0.1", port), timeout=60) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        rest, waiting = b"", 0
        for i in range(first, first + count):
            order = Order(f"A26{i:08d}", f"9{i:07d}", name=f"ZZBENCH{i}^Test", modality="CT" if i % 5 < 3 else "CR")
            accessions.append(order.accession)
            s.sendall(frame(order.hl7()))
            waiting += 1
            while waiting >= 200 or (waiting and i == first + count - 1):
                answer, rest = read_frame(s, rest)
                if "|AA|" not in answer:
                    raise RuntimeError("an order was refused")
                waiting -= 1
    return accessions


def on_the_list(brain, accession):
    out = subprocess.run(["findscu", "-v", "-W", "-aec", "SPOED", "127.0.0.1", str(brain.dicom), "-k", "AccessionNumber=" + accession],
                         capture_output=True, text=True, timeout=60)
    return accession in (out.stdout + out.stderr).split("Find Response", 1)[-1]


def ask(port, aec, queries, *more, assoc=1):
    out = subprocess.run([CLIENT, "--host", "127.0.0.1", "--port", str(port), "--aec", aec, "--assoc", str(assoc), "--queries",
                          str(queries), "--warmup", *more], capture_output=True, text=True, timeout=600)
    if out.returncode:
        raise RuntimeError(out.stderr[-500:] or out.stdout[-500:])
    return json.loads(out.stdout.splitlines()[-1])


def line(text, met=None):
    print(text + ("" if met is None else "  met" if met else "  MISSED"), flush=True)


def one(name, n, port, aec, accessions, queries, goal=None):
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as f:
        f.write("\n".join(accessions) + "\n")
        f.flush()
        r = ask(port, aec, queries, "--acc-file", f.name, "--expect", "1")
    p50 = r["latency_ms"]["p50"]
    line(f"{name}, {n} items, one accession number: p50 {p50:.2f} ms, p99 {r['latency_ms']['p99']:.2f} ms" +
         (f" (goal <= {goal} ms)" if goal else ""), p50 <= goal if goal else None)
    return p50


def many(name, n, port, aec, queries, ours=True, parallel=True):
    """Everything; answers a second of one association."""
    r = ask(port, aec, queries, "--expect", str(n))
    rate, first = r["answers_per_s"], r["first_answer_ms"]["p50"]
    line(f"{name}, {n} items, everything: first answer {first:.2f} ms" + (" (goal <= 2 ms)" if ours else ""), first <= 2 if ours else None)
    line(f"{name}, {n} items, everything: {rate:.0f} answers/s, the client's own CPU {1e6 * r['client_cpu_s'] / (n * (queries + 1)):.0f} us each" +
         (f" (goal >= 60 % of {CLIENT_TAKES}/s)" if ours else ""), rate >= 0.6 * CLIENT_TAKES if ours else None)
    if parallel:
        eight = ask(port, aec, max(1, queries // 4), "--expect", str(n), assoc=8)["answers_per_s"]
        line(f"{name}, {n} items, everything, 8 associations: {eight:.0f} answers/s in sum, {100 * eight / rate:.0f} % of one" +
             (" (goal >= 80 %)" if ours else ""), eight >= 0.8 * rate if ours else None)
    return rate


class Wlmscpfs:
    def __init__(self, folder):
        self.dicom = free_port()
        self.process = subprocess.Popen(["wlmscpfs", "--fork", "-q", "-csk", "-dfp", folder, str(self.dicom)])
        until(lambda: not subprocess.run(["echoscu", "-aec", "SPOED", "127.0.0.1", str(self.dicom)], capture_output=True).returncode, 20)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def peers(n, ours_one, ours_many):
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, os.path.join(SHARED, "gen_mwl.py"), "--count", str(n), "--out", folder, "--ae", "SPOED"], check=True)
        with open(folder + "/accessions.txt") as f:
            accessions = f.read().split()
        with Wlmscpfs(folder) as w:
            p50 = one("wlmscpfs", n, w.dicom, "SPOED", accessions, 2)
            rate = many("wlmscpfs", n, w.dicom, "SPOED", 1, ours=False, parallel=False)
            line(f"brain : wlmscpfs, {n} items: one accession number {p50 / ours_one:.0f} times quicker, many answers {ours_many / rate:.1f} times (goal >= 2)",
                 ours_many >= 2 * rate)
        with Orthanc(plugin=False, Plugins=[WORKLISTS], Worklists={"Enable": True, "Database": folder + "/SPOED", "LimitAnswers": 0}) as o:
            p50 = one("Orthanc ModalityWorklists", n, o.dicom, "ORTHANC", accessions, 2)
            rate = many("Orthanc ModalityWorklists", n, o.dicom, "ORTHANC", 1, ours=False, parallel=False)
            line(f"brain : Orthanc ModalityWorklists, {n} items: one accession number {p50 / ours_one:.0f} times quicker, "
                 f"many answers {ours_many / rate:.1f} times (goal >= 2)", ours_many >= 2 * rate)


def main():
    missing = tools("wlmscpfs", "g++")
    if missing or not os.path.exists(SHARED):
        print("skipped: needs " + (missing or "../shared/bench"))
        return 77
    build_client()
    with HookedBrain(speed=1) as brain, Orthanc(brain.section()) as orthanc:
        accessions, figures = [], {}
        for n in SIZES:
            accessions += fill(brain.mllp, n - len(accessions), len(accessions) + 1)
            until(lambda: on_the_list(brain, accessions[-1]), 60)
            figures[n] = (one("front", n, brain.dicom, "SPOED", accessions, 300, goal=1), None)
            one("Orthanc with the plugin", n, orthanc.dicom, "ORTHANC", accessions, 200, goal=2)
            figures[n] = (figures[n][0], many("front", n, brain.dicom, "SPOED", 4 if n <= PEER_MAX else 1))
        for n in SIZES:
            if n <= PEER_MAX:
                peers(n, *figures[n])
    return 0


if __name__ == "__main__":
    sys.exit(main())
