#!/usr/bin/env python3
"""tests/fuzz/for_cpu.py TARGET CPU_SECONDS FOUND CORPUS: runs one libFuzzer program until it has used that much CPU time,
whatever else the machine does meanwhile, in turns of at most 200 s that go on from each other's corpus. FOUND is the folder
for new inputs and for what crashed. Prints "CPU s, runs, edges, new edges in the last half"; exit 1 at a finding."""
import os
import re
import resource
import subprocess
import sys


def used():
    r = resource.getrusage(resource.RUSAGE_CHILDREN)
    return r.ru_utime + r.ru_stime


def main():
    target, want, found, corpus = sys.argv[1], float(sys.argv[2]), sys.argv[3], sys.argv[4]
    os.makedirs(found, exist_ok=True)
    runs, seen, start = 0, [], used()
    while used() - start < want:
        # A time-out of 25 s: the machine may be busy with other things.
        p = subprocess.run([target, f"-max_total_time={min(200, max(5, int(want - used() + start) + 1))}", "-rss_limit_mb=512",
                            "-timeout=25", "-print_final_stats=1", f"-artifact_prefix={found}/finding-", found, corpus],
                           stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace")
        executed, edges = re.search(r"executed_units: *(\d+)", p.stderr), re.findall(r"cov: (\d+)", p.stderr)
        runs += int(executed.group(1)) if executed else 0
        if edges:
            seen.append((used() - start, int(edges[-1])))
        if p.returncode:
            print(p.stderr[-4000:], file=sys.stderr)
            print(f"{used() - start:.0f} s CPU, {runs} runs, FINDING in {found}")
            return 1
    half = [e for t, e in seen if t <= want / 2] or [seen[0][1] if seen else 0]
    print(f"{used() - start:.0f} s CPU, {runs} runs, {seen[-1][1] if seen else 0} edges, "
          f"{(seen[-1][1] if seen else 0) - half[-1]} of them new in the last half")
    return 0


sys.exit(main())
