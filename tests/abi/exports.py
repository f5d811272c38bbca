#!/usr/bin/env python3
"""What libspoed.so shows and needs: exactly the functions of symbols.txt, which are exactly those that the header
declares, under the version SPOED_1; SONAME libspoed.so.1; needs libc (a sanitizer's own libraries aside);
does not mention functions that end the process. Arguments: the shared object. Exit 1 on a difference."""
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
HEADER = os.path.join(HERE, "..", "..", "include", "spoed", "spoed.h")
SANITIZER = re.compile(r"^lib(a|t|ub|l)san\.so|^libclang_rt")
ITS_OWN = re.compile(r"^_*(asan|ubsan|tsan|lsan|sanitizer)|^__odr")


def lines(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True, env=dict(os.environ, LC_ALL="C")).stdout.splitlines()


def main(path):
    with open(os.path.join(HERE, "symbols.txt"), encoding="ascii") as f:
        want = f.read().split()
    with open(HEADER, encoding="utf-8") as f:
        declared = set(re.findall(r"^SPOED_API [^;(]*?\b(spoed_\w+)\(", f.read(), re.M))
    dynamic = lines("readelf", "-d", path)
    needs = {m.group(1) for line in dynamic if (m := re.search(r"\(NEEDED\).*\[(.+)\]", line))}
    soname = [m.group(1) for line in dynamic if (m := re.search(r"\(SONAME\).*\[(.+)\]", line))]
    sanitized = any(SANITIZER.match(n) for n in needs)
    needs = {n for n in needs if not SANITIZER.match(n)} - ({"libm.so.6", "libgcc_s.so.1", "libdl.so.2", "libpthread.so.0"} if sanitized else set())
    exports = [line.split()[-1] for line in lines("nm", "-D", "--defined-only", path) if " A " not in line]
    exports = [e for e in exports if not ITS_OWN.match(e)]
    uses = {line.split()[-1].split("@")[0] for line in lines("nm", "-D", "--undefined-only", path)}
    bad = [f"exports {e}" for e in exports if e not in {f"{w}@@SPOED_1" for w in want}]
    bad += [f"does not export {w}@@SPOED_1: that breaks every program that uses it" for w in want if f"{w}@@SPOED_1" not in exports]
    bad += [f"symbols.txt and the header differ: {name}" for name in sorted(declared ^ set(want))]
    bad += ["symbols.txt is not sorted"] if want != sorted(want) else []
    bad += [f"needs {n}" for n in sorted(needs - {"libc.so.6"})]
    bad += [f"the SONAME is {soname}"] if soname != ["libspoed.so.1"] else []
    bad += [f"can end the process of its host: {name}" for name in ("abort", "exit", "_exit", "quick_exit", "__assert_fail", "raise", "kill") if name in uses and not sanitized]
    bad += [f"changes something of its host's: {name}" for name in ("setlocale", "signal", "sigaction", "pthread_create", "fork", "setenv") if name in uses]
    for problem in bad:
        print(f"{os.path.basename(path)}: {problem}")
    if not bad:
        print(f"libspoed.so: {len(want)} functions, SONAME libspoed.so.1, needs {', '.join(sorted(needs))}")
    return bool(bad)


sys.exit(main(sys.argv[1]))
