#!/usr/bin/env python3
"""What strangers can do to the others: silent, slow and greedy peers at every door, a store that takes no more, and a stop
in the middle of it all. Honest peers are answered meanwhile, nothing is acknowledged that was not stored, no descriptor
leaks, and no patient reaches the log.

Synthetic patients only. Prints "N passed, N failed".
"""
import os
import resource
import socket
import sqlite3
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fakes"))
from hospital import Brain, Order, fields, uid  # noqa: E402
from ris import frame, read_frame  # noqa: E402
from scu import Association, report  # noqa: E402

ICH = ("1386000", "Intracranial hemorrhage")
CANARY = "ZZCANARY"
passed = failed = 0


def check(name, ok, more=""):
    global passed, failed
    passed, failed = passed + bool(ok), failed + (not ok)
    if not ok:
        print("FAILED:", name, more)


def dial(port, source=None):
    return socket.create_connection(("127.0.0.1", port), timeout=20, source_address=(source, 0) if source else None)


def say(port, text):
    with dial(port) as s:
        s.sendall(frame(text))
        return fields(read_frame(s)[0], "MSA")


def store(b, order, calling="TESTAI"):
    instance = uid()
    with Association(b.dicom, calling=calling) as a:
        return instance, a.store(instance, report(instance, order, "ICH Triage", "2.1.0", ICH, 0.02, False))


def descriptors(b):
    return len(os.listdir(f"/proc/{b.process.pid}/fd"))


def honest(b, name):
    """One of each kind, within a second."""
    order, start = Order(f"H{uid()[-8:]}", f"P{uid()[-8:]}", name=f"{CANARY}^Honest"), time.monotonic()
    answers = (say(b.mllp, order.hl7())[1], store(b, order)[1], b.call("GET", "/api/v1/worklist", who="smit")[0])
    took = time.monotonic() - start
    check(f"{name}: honest peers are answered", answers == ("AA", 0, 200), answers)
    check(f"{name}: and at once", took < 1, f"{took:.2f} s")


def silent(b):
    many = [dial(b.mllp, f"127.0.0.{10 + i // 250}") for i in range(1000)]
    honest(b, "1,000 silent MLLP connections")
    for s in many:
        s.sendall(b"\x0bMSH|")
    honest(b, "1,000 unfinished messages")
    for s in many:
        s.close()
    many = [dial(b.dicom) for _ in range(20)]
    honest(b, "20 silent DICOM connections")
    for s in many:
        s.close()
    many = [dial(b.http) for _ in range(300)]
    for s in many:
        try:
            s.sendall(b"GET /worklist HTTP/1.1\r\nHost: x\r\nX-A: ")
        except OSError:
            pass  # one of those that gave way
    honest(b, "300 slow HTTP clients")
    for s in many:
        s.close()


def greedy(b):
    """Logins that fail, and bodies of nobody in particular."""
    def login(i):
        b.call("POST", "/api/v1/session", {"user": f"nobody{i}", "password": "not-a-password"})
    tries = [threading.Thread(target=login, args=(i,), daemon=True) for i in range(20)]
    for t in tries:
        t.start()
    start = time.monotonic()
    status = b.call("POST", "/api/v1/find", {"called": "SPOED", "calling": "READER", "keys": {}}, "orthanc")[0]
    check("hooks do not wait for logins", status in (200, 422) and time.monotonic() - start < 1, (status, time.monotonic() - start))
    for t in tries:
        t.join(60)
    many = [dial(b.http) for _ in range(30)]
    for s in many:
        try:
            s.sendall(b"POST /api/v1/instances HTTP/1.1\r\nHost: x\r\nContent-Type: application/dicom\r\n"
                      b"Content-Length: 4000000\r\n\r\n" + b"x" * 3900000)
        except OSError:
            pass
    honest(b, "30 bodies of 4 MB without an end")
    for s in many:
        s.close()


def leaks(b):
    time.sleep(1)
    before = descriptors(b)
    for i in range(200):
        dial(b.mllp).close()
        dial(b.http).close()
        a = Association(b.dicom)
        if i % 2:
            a.__exit__(None, None, None)
        else:
            a.sock.close()
    end = time.monotonic() + 10
    while descriptors(b) > before and time.monotonic() < end:
        time.sleep(0.1)
    check("no descriptor leaks", descriptors(b) <= before, (before, descriptors(b)))


def hostile(b):
    """Bytes that are nothing, with a patient in them."""
    for text in (f"MSH|^~\\&|RIS|ZH|SPOED|ZH|x||ORM^O01|{CANARY}|P|2.5\rPID|1||{CANARY}\r", CANARY):
        say(b.mllp, text)
    with dial(b.mllp) as s:
        s.sendall(CANARY.encode())
    with Association(b.dicom, calling=CANARY) as a:
        check("an unreadable object", a.store(uid(), CANARY.encode() * 9) == 0xC000)
    b.call("POST", "/api/v1/session", {"user": CANARY, "password": "not-a-password"})
    b.call("GET", f"/{CANARY}", who="smit")


def full(b):
    """The store may not grow: everything that needs it is refused, and what was acknowledged is there."""
    size = max(os.path.getsize(b.path("spoed.db") + end) for end in ("", "-wal"))
    subprocess.run(["prlimit", "--pid", str(b.process.pid), f"--fsize={size + 500000}"], check=True)
    taken, refused, results, web, studies = [], 0, set(), set(), []
    for n in range(400):
        order = Order(f"F{n}", f"PF{n}")
        answer = say(b.mllp, order.hl7() + f"NTE|1||{'x' * 20000}\r")[1]
        if answer == "AA":
            taken.append(order.accession)
            continue
        refused += answer == "AE"
        results.add(store(b, order)[1])
        web.add(b.call("POST", "/api/v1/events", {"type": "study_arrived", "study_uid": order.study}, "orthanc")[0])
        if 200 in web:  # so small that it still fitted: then it has to be there
            web.discard(200)
            studies.append(order.study)
        if refused == 3:
            break
    check("messages get AE", refused == 3, refused)
    check("results get 0xA700", results == {0xA700}, [hex(r) for r in results])
    check("events get 507", web == {507}, web)
    check("readiness says so", b.call("GET", "/readyz")[0] == 503)
    check("the list serves", b.call("GET", "/api/v1/worklist", who="smit")[0] == 200)
    b.process.kill()
    b.process.wait()
    b.start()
    there = {(i["accession"] or {}).get("value") for i in b.worklist(status="all")}
    check("what was acknowledged is there", taken and set(taken) <= there, len(set(taken) - there))
    with sqlite3.connect(f"file:{b.path('spoed.db')}?mode=ro", uri=True) as db:
        known = {uid for (uid,) in db.execute("SELECT study_uid FROM study")}
    check("and every study too", set(studies) <= known, len(set(studies) - known))


def stop(b):
    """A stop while senders send and somebody asks for figures: what was acknowledged is stored."""
    over, orders, results = threading.Event(), [], []

    def ris(me):
        try:
            with dial(b.mllp) as s:
                for n in range(100000):
                    order = Order(f"S{me}-{n}", f"PS{me}-{n}")
                    s.sendall(frame(order.hl7(control_id=f"S{me}-{n}")))
                    answer = fields(read_frame(s)[0], "MSA")
                    if not answer:
                        return
                    if answer[1] == "AA":
                        orders.append(answer[2])
        except OSError:
            return

    def ai(me):
        while not over.is_set():
            try:
                instance, status = store(b, Order(f"S{me}", f"PS{me}"))
            except OSError:  # the door is not open yet, or no longer
                time.sleep(0.01)
                continue
            if status == 0:
                results.append(instance)

    def scrape(_):
        while not over.is_set():
            if b.call("GET", "/metrics")[0] == 0:
                time.sleep(0.001)
    threads = [threading.Thread(target=t, args=(i,), daemon=True) for t in (ris, ai, scrape) for i in range(3)]
    for t in threads:
        t.start()
    time.sleep(1)
    b.stop()
    over.set()
    for t in threads:
        t.join(30)
    check("it stops in order", b.process.returncode == 0, b.process.returncode)
    with sqlite3.connect(b.path("spoed.db")) as db:
        there = {row[0] for row in db.execute("select control_id from message")}
    lost = [i for i in orders + results if i not in there]
    check("nothing acknowledged is lost", orders and results and not lost, (len(orders), len(results), lost[:5]))


def main():
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
    with Brain() as b:
        honest(b, "alone")
        for part in (silent, greedy, leaks, hostile, full, stop):
            part(b)
        with open(b.log, errors="replace") as f:
            log = f.read()
        check("no patient is in the log", CANARY not in log, [line for line in log.splitlines() if CANARY in line][:3])
    print(f"{passed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
