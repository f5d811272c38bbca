#!/usr/bin/env python3
"""Structured reports by C-STORE over one association, each answered after its commit, against what the client and the disk
give in the same run: the floor is 1 / (1 / sink + 1 / commit), sink = storescp --ignore, commit = 4 kB and
fdatasync, one after the other, appended or written over what is there, whichever is quicker. SPOED_COUNT (400) reports a turn, SPOED_TURNS (5) turns of each in a turning order; median and
range. Goal: >= 60 %. Two kinds of report: a TID 1500 result for a known order, and one whose order is not known (parked).

Also: 20 associations that say nothing, and how long an honest C-ECHO takes beside them (goal: under 0.5 s)."""
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "fakes"))
os.environ["TCP_NODELAY"] = "1"
from hospital import Brain, Order, free_port, sr_file, uid, until  # noqa: E402

COUNT, TURNS = int(os.environ.get("SPOED_COUNT", "400")), int(os.environ.get("SPOED_TURNS", "5"))
ICH = ("1386000", "Intracranial hemorrhage")


def sent(port, aec, files):
    """Objects a second over one association."""
    start = time.monotonic()
    p = subprocess.run(["storescu", "-R", "-aet", "TESTAI", "-aec", aec, "127.0.0.1", str(port), *files], capture_output=True, text=True)
    if p.returncode:
        raise RuntimeError(p.stdout + p.stderr)
    return len(files) / (time.monotonic() - start)


def commits(folder, overwrite):
    """4 kB writes a second, each made durable: at the end of a growing file, or over what is there, as a write-ahead log does."""
    with open(os.path.join(folder, "commit"), "wb") as f:
        if overwrite:
            f.write(bytes(4096 * COUNT))
            f.flush()
            os.fsync(f.fileno())
            f.seek(0)
        start = time.monotonic()
        for _ in range(COUNT):
            f.write(b"x" * 4096)
            f.flush()
            os.fdatasync(f.fileno())
        return COUNT / (time.monotonic() - start)


def said(name, values):
    print(f"{name}: {statistics.median(values):.0f}/s [{min(values):.0f}-{max(values):.0f}]", flush=True)


def store(brain):
    sink_port = free_port()
    sink = subprocess.Popen(["storescp", "--ignore", str(sink_port)])
    try:
        until(lambda: not subprocess.run(["echoscu", "127.0.0.1", str(sink_port)], capture_output=True).returncode, 20)
        kinds = {"results": [], "parked": []}
        sinks, disk, ratios = [], ([], []), {k: [] for k in kinds}
        for turn in range(TURNS + 1):
            files = {k: [] for k in kinds}
            for k, i in ((k, i) for k in kinds for i in range(COUNT)):
                order = Order(f"{k[0].upper()}{turn}{i:05d}", f"{turn}{i:06d}", name=f"ZZBENCH{i}^Store")
                if k == "results":
                    brain.order(order)
                files[k].append(sr_file(brain.path(f"{uid()}.dcm"), order, "ICH Triage", "2.1.0", ICH, present=False, probability=0.02))
            rate_sink = sent(sink_port, "ANY-SCP", files["results"])
            rate_disk = [commits(brain.dir, False), commits(brain.dir, True)]
            floor = 1 / (1 / rate_sink + 1 / max(rate_disk))
            for k in sorted(kinds, reverse=turn % 2):
                rate = sent(brain.dicom, "SPOED", files[k])
                if turn:  # one turn is not counted
                    kinds[k].append(rate)
                    ratios[k].append(rate / floor)
            if turn:
                sinks.append(rate_sink)
                for d, r in zip(disk, rate_disk):
                    d.append(r)
            for f in files["results"] + files["parked"]:
                os.unlink(f)
        said("sink: storescp --ignore", sinks)
        said("commit: 4 kB appended and fdatasync", disk[0])
        said("commit: 4 kB overwritten and fdatasync", disk[1])
        for k in kinds:
            said(f"brain, durable, {k}", kinds[k])
            r = statistics.median(ratios[k])
            print(f"brain, {k}: {100 * r:.0f} % of 1/(1/sink + 1/commit) [{100 * min(ratios[k]):.0f}-{100 * max(ratios[k]):.0f}]"
                  f" (goal >= 60 %)  {'met' if r >= 0.6 else 'MISSED'}", flush=True)
    finally:
        sink.terminate()
        sink.wait()


def silent(brain):
    quiet = [socket.create_connection(("127.0.0.1", brain.dicom)) for _ in range(20)]
    times = []
    for _ in range(10):
        start = time.monotonic()
        subprocess.run(["echoscu", "-aec", "SPOED", "127.0.0.1", str(brain.dicom)], check=True)
        times.append(time.monotonic() - start)
    for s in quiet:
        s.close()
    print(f"C-ECHO beside 20 silent associations: median {statistics.median(times):.3f} s, max {max(times):.3f} s (goal < 0.5 s)"
          f"  {'met' if max(times) < 0.5 else 'MISSED'}")


def main():
    missing = [t for t in ("storescu", "storescp", "echoscu") if not shutil.which(t)]
    if missing:
        print("skipped: needs " + ", ".join(missing))
        return 77
    with Brain(speed=1) as brain:
        store(brain)
        silent(brain)
    return 0


if __name__ == "__main__":
    sys.exit(main())
