#!/usr/bin/env python3
"""Kills the brain (SIGKILL) again and again under mixed load, and compares what was acknowledged with what is stored and
sent (design rules 1 and 2).

Load: HL7 orders, changes, final reports and resends over several MLLP connections; AI results by C-STORE, some before their order; a
doctor who acknowledges alerts; a RIS, a pager and a mail sink that outlive every brain and keep all they were sent. A
sender that gets no answer sends the same bytes again until it has one, as a RIS does. Some kills come while the brain
starts. Every 20th kill the dead brain's files are copied and looked into before it is started again.

--kills N or SPOED_KILLS (default 200); --seed N; --life S. Prints one line for the ledger and "N passed, N failed".
"""
import argparse
import collections
import json
import os
import queue
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fakes"))
import hospital  # noqa: E402
from hospital import Brain, Order, fields, stamp, uid, until  # noqa: E402
from ris import frame, read_frame  # noqa: E402
from scu import Association, report  # noqa: E402

ICH = ("1386000", "Intracranial hemorrhage")
MLLP, SCU, SPEED = 4, 2, 4  # connections; the policy's durations are divided by SPEED


class Hospital(Brain):
    def launch(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([os.path.join(hospital.BUILD, "spoed"), "-c", self.path("spoed.yaml"), "serve"],
                                            stdout=log, stderr=log)

    def wait_up(self, seconds=20):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                return False
            try:
                socket.create_connection(("127.0.0.1", self.dicom), timeout=1).close()  # the last door to open
                return True
            except OSError:
                time.sleep(0.003)
        return False

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


class Load:
    def __init__(self, brain, seed):
        self.brain, self.stop, self.lock = brain, threading.Event(), threading.Lock()
        self.orders, self.results, self.alerts, self.reports = {}, {}, set(), {}  # what was acknowledged
        self.positive, self.location = {}, {}
        self.refused, self.again, self.twice = [], 0, 0
        self.waiting, self.read, self.seed = queue.Queue(), queue.Queue(), seed  # studies for the AI, and for a report
        self.threads = [threading.Thread(target=t, args=(i,), name=f"{t.__name__} {i}", daemon=True)
                        for n, t in ((MLLP, self.ris), (SCU, self.ai), (1, self.doctor)) for i in range(n)]

    def start(self):
        for t in self.threads:
            t.start()

    def finish(self):
        """Everybody ends what it has begun; what waits for a result gets it."""
        self.stop.set()
        for t in self.threads:
            t.join(60)
        return [f"{t.name} waits, {self.waiting.qsize()} studies wait for a result" for t in self.threads if t.is_alive()]

    # ---- orders -------------------------------------------------------------------------------
    def deliver(self, link, text):
        """Sends until there is an answer: (link, MSA-1)."""
        while True:
            try:
                if not link:
                    link = socket.create_connection(("127.0.0.1", self.brain.mllp), timeout=10)
                link.sendall(frame(text))
                answer, _ = read_frame(link)
                if answer:
                    return link, fields(answer, "MSA")
                raise ConnectionResetError
            except OSError:
                if link:
                    link.close()
                    with self.lock:
                        self.again += 1
                link = None
                time.sleep(0.005)

    def say(self, link, control_id, text, accession, location=None):
        """An order with its location, or a final report."""
        link, msa = self.deliver(link, text)
        with self.lock:
            if msa[1:3] != ["AA", control_id]:
                self.refused.append((control_id, msa))
            elif location:
                self.orders[control_id] = accession
                self.location[accession] = location
            else:
                self.reports[control_id] = accession
        return link

    def ris(self, me):
        dice, link, n = random.Random(self.seed * 100 + me), None, 0
        while not self.stop.is_set():
            n += 1
            accession = f"K{me}-{n}"
            order = Order(accession, f"P{me}-{n}", location="SEH")
            what = dice.random() if self.waiting.qsize() < 100 else 1
            if what < 0.1:  # the result is faster than the order
                self.waiting.put(order)
            text = order.hl7(control_id=f"C{me}-{n}")
            link = self.say(link, f"C{me}-{n}", text, accession, "SEH")
            if dice.random() < 0.1:  # a RIS that lost our answer
                link = self.say(link, f"C{me}-{n}", text, accession, "SEH")
                with self.lock:
                    self.twice += 1
            if what >= 0.1:
                if dice.random() < 0.15:
                    order.location = f"OK{n}"
                    link = self.say(link, f"X{me}-{n}", order.hl7("XO", control_id=f"X{me}-{n}"), accession, order.location)
                (self.waiting if what < 0.5 else self.read).put(order)
            try:
                done = self.read.get_nowait()
                link = self.say(link, f"R{done.accession}", final(done), done.accession)
            except queue.Empty:
                pass
            time.sleep(dice.random() * 0.02)
        if link:
            link.close()

    # ---- results ------------------------------------------------------------------------------
    def ai(self, me):
        dice, link = random.Random(self.seed * 100 + 50 + me), None
        while True:
            try:
                order = self.waiting.get(timeout=0.05)
            except queue.Empty:
                if self.stop.is_set():
                    break
                continue
            positive = dice.random() < 0.08
            instance = uid()
            data = report(instance, order, "ICH Triage", "2.1.0", ICH, 0.94 if positive else 0.02, positive)
            link, status = self.store(link, instance, data)
            with self.lock:
                if status:
                    self.refused.append((instance, status))
                else:
                    self.results[instance] = order.accession
                    if positive:
                        self.positive[order.accession] = instance
                    elif order.accession in self.location:
                        self.read.put(order)
            if dice.random() < 0.05:  # the same object again
                link, _ = self.store(link, instance, data)
            if link and dice.random() < 0.1:
                link.__exit__(None, None, None)
                link = None

    def store(self, link, instance, data):
        while True:
            try:
                link = link or Association(self.brain.dicom)
                status = link.store(instance, data)
                if status != 0xA700:
                    return link, status
            except OSError:
                if link:
                    link.sock.close()
                    with self.lock:
                        self.again += 1
                link = None
            time.sleep(0.005)

    # ---- people -------------------------------------------------------------------------------
    def doctor(self, me):
        dice = random.Random(self.seed * 100 + 90)
        while not self.stop.is_set():
            time.sleep(0.3)
            for alert in (self.brain.get("/api/v1/alerts?state=open", "visser").get("alerts") or [])[:50]:
                if dice.random() < 0.2 and self.brain.call("POST", f"/api/v1/alerts/{alert['id']}/acknowledge", {"how": "web"}, "visser")[0] == 200:
                    with self.lock:
                        self.alerts.add(alert["id"])

    def acknowledged(self):
        with self.lock:
            return set(self.orders) | set(self.reports), set(self.results), set(self.alerts)


def final(order):
    t = stamp()
    return "\r".join([f"MSH|^~\\&|RIS|ZH|SPOED|ZH|{t}||ORU^R01^ORU_R01|R{order.accession}|P|2.5",
                      f"PID|1||{order.patient}^^^ZH^PI||{order.name}||{order.birth}|{order.sex}",
                      f"OBR|1|P{order.accession}|F{order.accession}|{order.code}^{order.text}^L|||{t}|||||||||||{order.accession}||||{t}||CT|F",
                      f"OBX|1|TX|{order.code}^{order.text}^L||Geen bloeding.||||||F", ""])


# ---- looking ----------------------------------------------------------------------------------
def rows(db, sql, *values):
    return db.execute(sql, values).fetchall()


def missing_now(brain, acknowledged):
    """What was acknowledged and is not in the files that a dead brain left, looked at in a copy."""
    folder = tempfile.mkdtemp(prefix="spoed-kill-")
    try:
        for end in ("", "-wal"):
            if os.path.exists(brain.path("spoed.db" + end)):
                shutil.copy(brain.path("spoed.db" + end), os.path.join(folder, "spoed.db" + end))
        db = sqlite3.connect(os.path.join(folder, "spoed.db"))
        orders, results, alerts = acknowledged
        missing = [("message", i) for i in orders - {i for i, in rows(db, "SELECT control_id FROM message WHERE direction='in'")}]
        missing += [("result", i) for i in results - {i for i, in rows(db, "SELECT sop_uid FROM result")}]
        missing += [("alert", i) for i in alerts - {i for i, in rows(db, "SELECT id FROM alert WHERE ack_at > 0")}]
        if rows(db, "PRAGMA integrity_check") != [("ok",)]:
            missing.append(("database", "integrity_check"))
        db.close()
        return missing
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def twice(values):
    return [v for v, n in collections.Counter(values).items() if n > 1]


class Check:
    def __init__(self, load, brain, db):
        self.load, self.brain, self.db, self.passed, self.failed = load, brain, db, 0, 0
        self.control = {c: (n, item) for c, n, item in rows(
            db, "SELECT control_id, count(*), max(item) FROM message WHERE direction='in' AND (type LIKE 'ORM%' OR type LIKE 'ORU%') GROUP BY control_id")}
        self.items = collections.defaultdict(list)
        for accession, location, level, report in rows(db, "SELECT accession_value, location, level, report FROM item WHERE unmatched = 0"):
            self.items[accession].append((location, level, report))
        self.result = collections.defaultdict(list)
        for sop, items, parked, state in rows(db, "SELECT sop_uid, items, parked, state FROM result"):
            self.result[sop].append((json.loads(items), parked, state))

    def holds(self, what, wrong):
        wrong = list(wrong)
        self.passed, self.failed = self.passed + (not wrong), self.failed + bool(wrong)
        if wrong:
            print(f"FAILED: {what}: {len(wrong)}, for example {wrong[:3]}")

    def orders(self):
        load = self.load
        self.holds("every acknowledged order has its message, once", [c for c in load.orders if self.control.get(c, (0, 0))[0] != 1])
        self.holds("and its item", [c for c, a in load.orders.items() if not self.control.get(c, (0, 0))[1] or not self.items.get(a)])
        self.holds("no item twice", [a for a, i in self.items.items() if len(i) > 1])
        self.holds("the last change of an order is what stands",
                   [a for a, where in load.location.items() if self.items.get(a) and self.items[a][0][0] != where])

    def reports(self):
        sent = self.load.reports
        self.holds("every acknowledged report has its message, once", [c for c in sent if self.control.get(c, (0, 0))[0] != 1])
        self.holds("and has closed its item", [a for a in sent.values() if not self.items.get(a) or self.items[a][0][2] != "final"])

    def results(self):
        load = self.load
        self.holds("every acknowledged result is stored once", [s for s in load.results if len(self.result.get(s, [])) != 1])
        self.holds("no result twice", [s for s, r in self.result.items() if len(r) > 1])
        self.holds("and is applied to its item", [s for s in load.results if self.result.get(s) and (not self.result[s][0][0] or self.result[s][0][1])])
        self.holds("a positive one has raised it", [a for a in load.positive if not self.items.get(a) or self.items[a][0][1] != "1"])
        self.holds("nothing was answered with an error", load.refused)

    def pages(self):
        db, load = self.db, self.load
        sequences = rows(db, "SELECT a.id, i.accession_value, a.state, a.ack_at FROM alert a JOIN item i ON i.id = a.item")
        self.holds("one alert for every positive result", set(load.positive) ^ {a for _, a, _, _ in sequences})
        self.holds("no alert twice", twice(a for _, a, _, _ in sequences))
        self.holds("every acknowledgement of an alert stands", load.alerts - {i for i, _, _, at in sequences if at})
        planned = rows(db, "SELECT p.page_id, p.alert, p.step, p.person, p.channel, p.kind, p.repeat, o.state FROM alert_attempt p "
                           "LEFT JOIN outbox o ON o.id = p.outbox")
        self.holds("no page planned twice", twice(p[1:7] for p in planned) + twice(p[0] for p in planned))
        sent = collections.defaultdict(list)
        for p in self.brain.pager.pages:
            sent[p["page_id"]].append(bool(p["repeat"]))
        for m in self.brain.mail.mails:
            if m["headers"].get("X-Spoed-Page-Id"):
                sent[m["headers"]["X-Spoed-Page-Id"]].append(any(w in m["headers"].get("Subject", "") + m["body"] for w in ("HERHALING", "REPEAT")))
        # Who acknowledged before the first page had left is not paged any more: those rows were taken back.
        taken_back = {i for i, _, _, at in sequences if at} - {p[1] for p in planned if p[7] != "cancelled"}
        self.holds("every alert was paged", {i for i, _, _, _ in sequences} - taken_back - {p[1] for p in planned if p[0] in sent})
        self.holds("every page that is done was sent", [p[0] for p in planned if p[7] == "done" and p[0] not in sent])
        self.holds("no page is left over", [p[0] for p in planned if p[7] not in ("done", "cancelled")])
        self.holds("no page but those planned", set(sent) - {p[0] for p in planned})
        self.holds("a page sent again says so", [p for p, marks in sent.items() if not all(marks[1:])])
        self.repeats = sum(len(marks) - 1 for marks in sent.values())
        self.sent = len(sent)
        self.alerts = len(sequences)

    def priorities(self):
        heard = collections.defaultdict(list)
        for m in self.brain.ris.of_type("ORM"):
            heard[fields(m, "OBR")[18]].append(fields(m, "MSH")[10])
        self.holds("the RIS heard the priority of every positive result", set(self.load.positive) - set(heard))
        self.holds("and of no other", set(heard) - set(self.load.positive))
        self.holds("once: a message sent again keeps its MSH-10", [a for a, ids in heard.items() if len(set(ids)) > 1])
        self.resent = sum(len(ids) - 1 for ids in heard.values())

    def journal(self):
        ids = [i for i, in rows(self.db, "SELECT id FROM journal ORDER BY id")]
        self.holds("the journal has no gap", [] if ids == list(range(1, len(ids) + 1)) else [(len(ids), ids[-1])])
        self.holds("the database is sound", [] if rows(self.db, "PRAGMA integrity_check") == [("ok",)] else ["integrity_check"])


def run(kills, seed, life):
    dice, start_failures, missing, at_start, began = random.Random(seed), 0, [], 0, time.monotonic()
    with Hospital(speed=SPEED) as brain:
        brain.pager.delay = 0.02  # so that kills fall into deliveries
        load = Load(brain, seed)
        load.start()
        for n in range(1, kills + 1):
            if not brain.wait_up():
                start_failures += 1
            elif n % 10:
                time.sleep(dice.random() * life)
            brain.kill()
            if n % 20 == 0:
                missing += missing_now(brain, load.acknowledged())
            brain.launch()
            if n % 10 == 0:
                time.sleep(dice.random() * 0.06)
                brain.kill()
                at_start += 1
                brain.launch()
        took = time.monotonic() - began
        up, ended = brain.wait_up(), load.finish()
        settled = until(lambda: not open_rows(brain), 90, 0.25)
        brain.stop()
        db = sqlite3.connect(brain.path("spoed.db"))
        check = Check(load, brain, db)
        check.holds("the brain starts after every kill", ["start"] * (start_failures + (not up)))
        check.holds("what a dead brain left has all that it acknowledged", missing)
        check.holds("every sender gets its answer in the end", ended)
        check.holds("the outbox empties", [] if settled else ["rows are left"])
        for part in (check.orders, check.reports, check.results, check.pages, check.priorities, check.journal):
            part()
        db.close()
        if check.failed:
            kept = os.path.join(tempfile.gettempdir(), f"spoed-kill-{seed}.db")
            shutil.copy(brain.path("spoed.db"), kept)
            print("the database is kept:", kept)
    messages = len(load.orders) + len(load.reports) + len(load.results) + len(load.alerts)
    print(f"kill -9: {kills + at_start} kills ({at_start} while starting) in {took:.0f} s under {messages / took:.0f} acknowledged messages/s: "
          f"{len(load.orders)} orders, {len(load.reports)} reports, {len(load.results)} results, {len(load.alerts)} acknowledgements; {load.again} sent again unanswered, "
          f"{load.twice} again all the same; {check.alerts} alerts, {check.sent} pages, {check.repeats} of them sent again; "
          f"{len(load.positive)} priorities, {check.resent} of them sent again; "
          f"{'nothing lost, nothing twice' if not check.failed else 'FAILED'}")
    print(f"{check.passed} passed, {check.failed} failed")
    return 0 if not check.failed else 1


def open_rows(brain):
    db = sqlite3.connect(f"file:{brain.path('spoed.db')}?mode=ro", uri=True)
    try:
        return rows(db, "SELECT count(*) FROM outbox WHERE state IN ('queued', 'sending')")[0][0]
    finally:
        db.close()


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--kills", type=int, default=int(os.environ.get("SPOED_KILLS", "200")))
    p.add_argument("--life", type=float, default=0.35, help="the longest that a brain lives, in seconds; %(default)s by default")
    p.add_argument("--seed", type=int, default=int(time.time()))
    a = p.parse_args()
    print(f"seed {a.seed}", flush=True)
    return run(a.kills, a.seed, a.life)


if __name__ == "__main__":
    sys.exit(main())
