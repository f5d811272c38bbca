#!/usr/bin/env python3
"""1,000 silent peers and 1,000 that send one byte a second on the HL7 port, from eight addresses: an honest peer's answers
stay quick (p99 under 1 s) and the brain's memory grows by at most 64 MB. Arguments: --seconds N (default 10; .ci/long
says 120, so that the deadline of a frame passes, and those it cuts off dial again), --each N peers.

Synthetic patients only. Prints "N passed, N failed".
"""
import argparse
import os
import resource
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fakes"))
from hospital import Brain, Order, fields  # noqa: E402
from ris import frame, read_frame  # noqa: E402

ADDRESSES, RATE = 8, 20
passed = failed = 0


def check(name, ok, more=""):
    global passed, failed
    passed, failed = passed + bool(ok), failed + (not ok)
    print("ok      " if ok else "FAILED  ", name, more, flush=True)


def dial(port, n):
    s = socket.create_connection(("127.0.0.1", port), timeout=20, source_address=(f"127.0.1.{n % ADDRESSES + 1}", 0))
    s.setblocking(False)
    return s


def resident(b):
    with open(f"/proc/{b.process.pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS")) / 1024


class Crowd(threading.Thread):
    """Holds them, and lets each of the drippers say its next byte once a second."""

    def __init__(self, port, each):
        super().__init__(daemon=True)
        self.port, self.over, self.again, self.drips = port, False, 0, 0
        self.silent = [dial(port, i) for i in range(each)]
        self.drippers = [[dial(port, i), 0] for i in range(each)]
        self.text = frame("MSH|^~\\&|NOBODY|ZH|SPOED|ZH|20261123||ORM^O01|1|P|2.5\rNTE|1||" + "x" * 100000)

    def gone(self, s):
        try:
            return s.recv(10) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    def run(self):
        while not self.over:
            start = time.monotonic()
            for n, d in enumerate(self.drippers):
                try:
                    d[0].send(self.text[d[1]:d[1] + 1])
                    d[1] += 1
                    self.drips += 1
                    if not self.gone(d[0]):
                        continue
                except OSError:
                    pass
                d[0].close()
                self.again += 1
                d[:] = [dial(self.port, n), 0]
            for n, s in enumerate(self.silent):
                if self.gone(s):
                    s.close()
                    self.again += 1
                    self.silent[n] = dial(self.port, n)
            time.sleep(max(0, start + 1 - time.monotonic()))

    def stop(self):
        self.over = True
        self.join(20)
        for s in self.silent + [d[0] for d in self.drippers]:
            s.close()


def honest(b, seconds):
    """Seconds that each answer took, RATE a second on one connection; and how many were AA."""
    took, good, n, begin = [], 0, 0, time.monotonic()
    with socket.create_connection(("127.0.0.1", b.mllp), timeout=30) as s:
        while time.monotonic() - begin < seconds:
            message = Order(f"CROWD{begin:.0f}{n}", f"ZZ{n:07d}", name="ZZCANARY^Crowd").hl7()
            start = time.monotonic()
            s.sendall(frame(message))
            good += fields(read_frame(s)[0], "MSA")[1:2] == ["AA"]
            took.append(time.monotonic() - start)
            n += 1
            time.sleep(max(0, begin + n / RATE - time.monotonic()))
    return sorted(took), good


def p99(took):
    return took[len(took) * 99 // 100]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--seconds", type=int, default=10)
    p.add_argument("--each", type=int, default=1000)
    o = p.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
    with Brain(speed=1) as b:
        alone, _ = honest(b, 3)
        before = resident(b)
        crowd = Crowd(b.mllp, o.each)
        crowd.start()
        took, good = honest(b, o.seconds)
        more = resident(b) - before
        check(f"{o.each} silent and {o.each} slow peers ({crowd.drips} single bytes, {crowd.again} dialled again) for {o.seconds} s: "
              f"an honest peer's answers p50 {took[len(took) // 2] * 1000:.1f} ms, p99 {p99(took) * 1000:.1f} ms, max "
              f"{took[-1] * 1000:.1f} ms (alone p99 {p99(alone) * 1000:.1f} ms); p99 under 1 s", p99(took) < 1)
        check("every honest message was taken", good == len(took), (good, len(took)))
        check(f"the brain's memory grew by {more:.1f} MB; at most 64", more <= 64)
        check("they were there", crowd.drips > o.each * o.seconds / 4, crowd.drips)
        crowd.stop()
        with open(b.log, errors="replace") as f:
            check("no patient is in the log", "ZZCANARY" not in f.read())
    print(f"{passed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
