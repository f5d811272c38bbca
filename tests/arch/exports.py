#!/usr/bin/env python3
"""Checks what a shared object shows and needs: libOrthancSpoed.so exports the four Orthanc entry points and nothing else,
and needs libc and jansson only (a sanitizer's own library aside). Arguments: the shared objects. Exit 1 on a difference."""
import os
import re
import subprocess
import sys

WANT = {
    "libOrthancSpoed.so": {
        "exports": {"OrthancPluginInitialize", "OrthancPluginFinalize", "OrthancPluginGetName", "OrthancPluginGetVersion"},
        "needs": {"libc.so.6", "libjansson.so.4"},
    },
}
SANITIZER = re.compile(r"^lib(a|t|ub|l)san\.so|^ld-linux|^libclang_rt")


def lines(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True, env=dict(os.environ, LC_ALL="C")).stdout.splitlines()


def check(path):
    want = WANT[os.path.basename(path)]
    exports = {line.split()[-1].split("@")[0] for line in lines("nm", "-D", "--defined-only", path)}
    needs = {m.group(1) for line in lines("readelf", "-d", path) if (m := re.search(r"\(NEEDED\).*\[(.+)\]", line))}
    sanitized = any(SANITIZER.match(n) for n in needs)
    needs = {n for n in needs if not SANITIZER.match(n)}
    if sanitized:  # its run time brings these, and symbols of its own
        needs -= {"libm.so.6", "libgcc_s.so.1", "libstdc++.so.6", "libdl.so.2", "libpthread.so.0"}
        exports = {e for e in exports if not re.match(r"^_*(asan|ubsan|tsan|lsan|sanitizer)|^__odr", e)}
    bad = [f"exports {e}, which nobody asked for" for e in sorted(exports - want["exports"])]
    bad += [f"does not export {e}" for e in sorted(want["exports"] - exports)]
    bad += [f"needs {n}" for n in sorted(needs - want["needs"])]
    for problem in bad:
        print(f"{path}: {problem}")
    if not bad:
        print(f"{os.path.basename(path)}: exports {len(exports)}, needs {', '.join(sorted(needs))}")
    return bool(bad)


sys.exit(any([check(path) for path in sys.argv[1:]]) or len(sys.argv) < 2)
