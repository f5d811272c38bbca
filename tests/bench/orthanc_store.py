#!/usr/bin/env python3
"""How much longer Orthanc takes to store images with the plugin: 8 associations at once, each with SPOED_IMAGES (20) CT
images of 512 x 512, into an Orthanc without the plugin, into one with it whose brain runs, and into one with it whose
brain is stopped (SIGSTOP). SPOED_PAIRS (10) rounds, each of all three in a turning order; the ratio is taken within a
round. Prints median and range of the ratios of wall time and of Orthanc's CPU time. Goal: at most 5 % slower.

Both Orthancs and the brain run all the time; between rounds the study is deleted, outside the measurement. One round is
not counted. Needs what tests/e2e/test_orthanc.py needs; a few minutes."""
import os
import signal
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fakes"))
from hospital import Order, uid, until  # noqa: E402
from orthanc import HookedBrain, Orthanc, ct_file, tools  # noqa: E402

PAIRS, IMAGES, ASSOCIATIONS = int(os.environ.get("SPOED_PAIRS", "10")), int(os.environ.get("SPOED_IMAGES", "20")), 8
WITHOUT, RUNNING, STOPPED = "without the plugin", "brain running", "brain stopped"


def cpu(pid):
    with open(f"/proc/{pid}/stat") as f:
        parts = f.read().rsplit(")", 1)[1].split()
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


def one(orthanc, files):
    """Stores everything; (wall, CPU of Orthanc) in seconds, then empties Orthanc."""
    before, start = cpu(orthanc.process.pid), time.monotonic()
    clients = [orthanc.store(part) for part in files]
    for c in clients:
        c.communicate(timeout=300)
    wall, used = time.monotonic() - start, cpu(orthanc.process.pid) - before
    if any(c.returncode for c in clients) or orthanc.stored() != sum(map(len, files)):
        raise RuntimeError("not everything was stored")
    for study in orthanc.get("/studies"):
        orthanc.call("DELETE", "/studies/" + study)
    return wall, used


def keep_folders(orthanc):
    """Orthanc removes a folder with its last file; two associations that make it again at once can both fail (seen
    once in 1.10.1's own storage). With a file of ours in each they stay."""
    for i in range(256):
        folder = f"{orthanc.dir}/db/{i:02x}"
        os.makedirs(folder, exist_ok=True)
        open(folder + "/keep", "w").close()


def said(name, ratios):
    if not ratios:
        return ""
    return f"{name} {statistics.median(ratios):.3f} [{min(ratios):.3f}-{max(ratios):.3f}]"


def main():
    missing = tools()
    if missing:
        print("skipped: needs " + missing)
        return 77
    with HookedBrain(speed=60) as brain, Orthanc(plugin=False) as bare, Orthanc(brain.section()) as hooked:
        for orthanc in (bare, hooked):
            keep_folders(orthanc)
        order = Order("B1", "990001", "ZZBENCH^Store")
        brain.order(order)
        files = [[ct_file(brain.path(f"{uid()}.dcm"), order, rows=512, fill=a) for a in range(IMAGES)] for _ in range(ASSOCIATIONS)]
        kinds = [WITHOUT, RUNNING, STOPPED]
        times = {k: [] for k in kinds}
        for round_number in range(PAIRS + 1):
            turn = round_number % len(kinds)
            for kind in kinds[turn:] + kinds[:turn]:
                if kind == STOPPED:
                    os.kill(brain.process.pid, signal.SIGSTOP)
                try:
                    measured = one(bare if kind == WITHOUT else hooked, files)
                finally:
                    os.kill(brain.process.pid, signal.SIGCONT)
                if round_number:
                    times[kind].append(measured)
            # What was queued for a stopped brain is no part of the next measurement.
            until(lambda: hooked.get("/spoed/system")["Waiting"] == 0, 30)
        count = IMAGES * ASSOCIATIONS
        for kind in kinds:
            wall = [t[0] for t in times[kind]]
            print(f"{kind}: {count / statistics.median(wall):.0f} images/s [{count / max(wall):.0f}-{count / min(wall):.0f}], "
                  f"CPU {1000 * statistics.median(t[1] for t in times[kind]) / count:.2f} ms an image")
        for kind in kinds[1:]:
            pairs = list(zip(times[kind], times[WITHOUT]))
            print(f"{kind}, {len(pairs)} pairs: " + said("wall time ratio", [a[0] / b[0] for a, b in pairs]) + ", " +
                  said("CPU ratio", [a[1] / b[1] for a, b in pairs if b[1]]))
    return 0


sys.exit(main())
