#!/usr/bin/env python3
"""What leaves the house: to receivers that others wrote (python3-hl7, simple-hl7, node-hl7-server), in the form that a
destination asks for, alerts told, a paused destination, the queue without a brain, messages processed again, and the three
things that other engines got wrong: an AA while nothing could be stored, a late answer taken for the next message's, and a
flood of duplicates towards a slow peer."""
import json
import os
import queue
import resource
import subprocess
import sys
import threading
import time

from brain import BUILD, ICH, PTX, Brain, Order, Ris, check, done, equal, fields, free_port, scene, send, skip, until

import node

MODEL = ("ICH Triage", "2.1.0", ICH)
HERE = os.path.dirname(os.path.abspath(__file__))


class Receiver:
    """Somebody else's server in a process of its own."""

    def __init__(self, what):
        self.port, self.messages = free_port(), []
        self.lines = queue.Queue()
        if what == "python3-hl7":
            self.process = subprocess.Popen([sys.executable, os.path.join(HERE, "hl7_receiver.py"), str(self.port)],
                                            stdout=subprocess.PIPE, text=True)
        else:
            self.process = node.start("receive.js", what, self.port)
        threading.Thread(target=self.read, daemon=True).start()
        if not until(lambda: self.messages, 20):
            raise RuntimeError(f"{what} does not start")

    def read(self):
        for line in self.process.stdout:
            self.messages.append(line.strip() if line.strip() == "ready" else json.loads(line).replace("\n", "\r"))

    def of_type(self, kind):
        return [m for m in self.messages if (fields(m, "MSH") + [""] * 10)[9].startswith(kind)]

    def stop(self):
        self.process.kill()
        self.process.wait()


def bleeding(b, accession, patient="900001"):
    head = Order(accession, patient, "ZZBLEED^Test")
    equal(f"the order of {accession} is taken", b.order(head), "AA")
    equal("its images are taken", b.images(head), 200)
    check("its AI result is stored", b.result(head, *MODEL, probability=0.94))
    return head


def queue_of(b, state=""):
    return b.get("/api/v1/queue?limit=500" + (f"&state={state}" if state else ""), "boss").get("queue", [])


def sent_rows(b, destination):
    return [r for r in queue_of(b, "all") if r["destination"] == destination]


def receivers():
    for what in ("python3-hl7", "simple-hl7", "node-hl7-server"):
        if what != "python3-hl7" and node.missing():
            skip(f"{what}: {node.missing()}")
            continue
        with scene(f"{what} receives unmodified"):
            theirs = Receiver(what)
            extra = (f'  theirs: {{type: hl7, to: "mllp://127.0.0.1:{theirs.port}", peer: ris, events: [priority, alert], '
                     f'profile: [oru-r01-alert], reconnect_per_message: {"true" if what == "node-hl7-server" else "false"}}}\n')
            try:
                with Brain(speed=1, extra=extra) as b:
                    for n in range(3):
                        bleeding(b, f"REC{n}", f"90000{n}")
                    check("three priorities arrive", until(lambda: len(theirs.of_type("ORM")) == 3, 20), len(theirs.messages))
                    check("three alerts arrive", until(lambda: len(theirs.of_type("ORU")) == 3, 20), len(theirs.messages))
                    check("and all are acknowledged", until(lambda: {r["state"] for r in sent_rows(b, "theirs")} == {"done"}, 20),
                          [(r["kind"], r["state"], r["error"]) for r in sent_rows(b, "theirs")])
                    equal("at the first try", {r["attempts"] for r in sent_rows(b, "theirs")}, {1})
                    alert = theirs.of_type("ORU")[0]
                    check("which says that no radiologist has read", "AI, voordat een radioloog" in alert, alert)
            finally:
                theirs.stop()


CHEST = """
models:
  - id: chest-a
    match: {manufacturer: ExampleVendor, name: Chest Film, versions: ["5.2"]}
    mode: live
    required: true
    expected_within: 5m
    for: {modality: [CR, DX], body_part: CHEST}
    findings: {pneumothorax: {threshold: 0.7}}
  - id: chest-normal-a
    match: {manufacturer: ExampleVendor, name: Chest Normal, versions: ["1.0"]}
    mode: live
    required: true
    expected_within: 5m
    for: {modality: [CR, DX], body_part: CHEST}
"""


def reported(b, accession, patient):
    """A normal film whose draft a reporter accepts; the text that was accepted."""
    film = Order(accession, patient, "ZZNORMAL^Test", "XTHORAX", "X-thorax", "DX", "POLI", birth="19700101")
    ok = b.order(film) == "AA" and b.images(film) == 200
    ok &= b.result(film, "Chest Film", "5.2", PTX, present=False, probability=0.02) and b.result(film, "Chest Normal", "1.0")
    check(f"{accession} is in, with its results", ok)
    if not check("a draft is offered", until(lambda: b.item(accession).get("draft"), 10), b.item(accession).get("no_draft")):
        return ""
    item = b.item(accession)["id"]
    _, draft, headers = b.call("GET", f"/api/v1/items/{item}/draft", who="smit")
    b.act(f"items/{item}/opened")
    time.sleep(0.6)
    equal("and accepted", b.act(f"items/{item}/draft/accept", {}, "smit", {"If-Match": headers.get("ETag")}), 200)
    return draft.get("text", "")


def reports():
    """The accepted draft, as a report, to the three receivers."""
    for what in ("python3-hl7", "simple-hl7", "node-hl7-server"):
        if what != "python3-hl7" and node.missing():
            skip(f"{what}: {node.missing()}")
            continue
        with scene(f"{what} receives a report"):
            theirs = Receiver(what)
            extra = (f'  theirs: {{type: hl7, to: "mllp://127.0.0.1:{theirs.port}", peer: ris, events: [report], '
                     f'reconnect_per_message: {"true" if what == "node-hl7-server" else "false"}}}\n')
            try:
                with Brain(speed=1, extra=extra, models=CHEST, site={"min_dwell": "500ms", "undo": "300ms", "complete_after": "60s"}) as b:
                    b.stop()
                    b.put("spoed.yaml", b.text("spoed.yaml").replace("events: [priority, report]", "events: [priority]"))
                    b.start()
                    text = [reported(b, f"REP{n}", f"95000{n}") for n in range(2)][0]
                    check("two reports arrive", until(lambda: len(theirs.of_type("ORU^R01")) == 2, 20), theirs.messages)
                    check("and are acknowledged", until(lambda: [r["state"] for r in sent_rows(b, "theirs")] == ["done"] * 2, 20), sent_rows(b, "theirs"))
                    equal("at the first try", {r["attempts"] for r in sent_rows(b, "theirs")}, {1})
                    got = theirs.of_type("ORU^R01")[0] if theirs.of_type("ORU^R01") else ""
                    equal("of the order and its patient", (fields(got, "OBR")[2].split("^")[0], fields(got, "PID")[3].split("^")[0]), ("PREP0", "950000"))
                    equal("preliminary, by who accepted it", (fields(got, "OBR")[25], fields(got, "OBR")[32]), ("P", "smit"))
                    said = [s.split("|")[5] for s in got.split("\r") if s.startswith("OBX")]
                    equal("with a line for each line of the text", len(said), len(text.strip().split("\n")))
                    equal("the item is preliminary", b.item("REP0").get("status"), "preliminary")
            finally:
                theirs.stop()


def forms():
    ehr = Ris()
    extra = (f'  ehr: {{type: hl7, to: "mllp://127.0.0.1:{ehr.port}", events: [alert]}}\n'
             f'  board: {{type: hl7, to: "mllp://127.0.0.1:{ehr.port}", peer: ris, events: [priority], role: filler, '
             f'fields: {{OBR-5: {{critical: STAT}}, ORC-7.6: {{}}}}, version: "2.4"}}\n')
    try:
        with Brain(speed=1, extra=extra) as b:
            bleeding(b, "FORM1")
            r40 = until(lambda: ehr.of_type("ORU^R40"), 20)
            check("the alert arrives as ORU^R40", r40)
            text = r40[0] if r40 else ""
            equal("of HL7 2.6", fields(text, "MSH")[12], "2.6")
            check("for its patient", "900001^^^ZH" in text and fields(text, "OBR")[18] == "FORM1", text)
            check("before a radiologist has read", "|unread^AI, voordat" in text)
            check("with the finding's code", "1386000^" in text and "^intracranial-hemorrhage^" in text)
            order = until(lambda: ehr.of_type("ORM"), 20)
            order = order[0] if order else ""
            equal("the filler says XX", fields(order, "ORC")[1], "XX")
            equal("OBR-5 has words of its own", fields(order, "OBR")[5], "STAT")
            equal("ORC-7.6 the general one", fields(order, "ORC")[7].split("^")[5], "S")
            equal("OBR-27 is not named and stays", fields(order, "OBR")[27].split("^")[5], "R")
            alert = b.get("/api/v1/alerts?state=open", "smit")["alerts"][0]["id"]
            equal("it is acknowledged", b.act(f"alerts/{alert}/acknowledge", {"how": "phone"}), 200)
            check("and that is told once", until(lambda: len(ehr.of_type("ORU^R40")) == 2, 20))
            check("as such", "|alert-acknowledged|" in ehr.of_type("ORU^R40")[-1] and "|smit|" in ehr.of_type("ORU^R40")[-1])
            time.sleep(1.5)
            equal("nothing more", len(ehr.of_type("ORU^R40")), 2)
    finally:
        ehr.stop()


def pausing():
    with Brain(speed=1) as b:
        b.cli("queue", "pause", "ris", "--reason", "update of the RIS")
        bleeding(b, "PAUSE1")
        check("the row waits", until(lambda: [r for r in queue_of(b, "queued") if r["destination"] == "ris"], 10))
        time.sleep(2.5)
        equal("the RIS hears nothing", len(b.ris.of_type("ORM")), 0)
        check("people are paged all the same", until(lambda: b.pager.pages, 10))
        check("an alarm stands", "destination-paused" in b.alarms(), b.alarms())
        where = {d["name"]: d for d in b.get("/api/v1/destinations", "boss")["destinations"]}
        check("the destinations say so", where["ris"]["paused"] and where["ris"]["waiting"] == 1 and not where["pager"]["paused"], where)
        b.stop()
        listed = json.loads(b.cli("--json", "queue", "list", "--destination", "ris"))["queue"]
        equal("the queue can be read without a brain", [r["state"] for r in listed], ["queued"])
        shown = json.loads(b.cli("--json", "queue", "show", str(listed[0]["id"])))
        equal("and one row", (shown["wire"], shown["kind"]), ("S", "priority"))
        check("as a table too", "priority" in b.cli("queue", "list"))
        b.start()
        time.sleep(2)
        equal("the pause survives a restart", len(b.ris.of_type("ORM")), 0)
        b.stop()
        b.cli("queue", "resume", "ris")
        b.start()
        check("resumed without a brain, it is sent", until(lambda: len(b.ris.of_type("ORM")) == 1, 10))
        check("and the alarm ends", until(lambda: "destination-paused" not in b.alarms(), 10), b.alarms())
        done = subprocess.run([os.path.join(BUILD, "spoed"), "-c", b.path("spoed.yaml"), "queue", "pause", "pager"], capture_output=True, text=True)
        equal("a channel of pages is not paused", done.returncode, 1)


def refused():
    with Brain(speed=1) as b:
        b.ris.set("ar")
        bleeding(b, "DEAD1")
        dead = until(lambda: queue_of(b, "dead"), 10)
        check("AR is a dead letter at once", dead and dead[0]["attempts"] == 1, dead)
        equal("with what was said", dead[0]["error"], "AR")
        check("and an alarm", "priority-not-delivered" in b.alarms(), b.alarms())
        b.ris.set("aa")
        b.cli("queue", "retry", str(dead[0]["id"]))
        check("it can be sent again", until(lambda: len(b.ris.of_type("ORM")) == 2, 10))
        ids = [fields(m, "MSH")[10] for m in b.ris.of_type("ORM")]
        equal("with the same number, since it was never acknowledged", ids[0], ids[1])
        check("and the alarm ends", until(lambda: "priority-not-delivered" not in b.alarms(), 10))
        out = b.newest_message(direction="out", type="priority")
        check("the log knows it", until(lambda: b.newest_message(direction="out", type="priority").get("answer") == "AA", 10), out)
        equal("it is resent from the log", b.act(f"messages/{b.newest_message(direction='out', type='priority')['id']}/resend", who="it"), 200)
        check("once more", until(lambda: len(b.ris.of_type("ORM")) == 3, 10))
        check("with a new number, since the old one was", fields(b.ris.of_type("ORM")[2], "MSH")[10] != ids[0])
        b.ris.set("aa")
        b.ris.down()
        bleeding(b, "DEAD2", "900002")
        row = until(lambda: [r for r in queue_of(b, "queued") if r["destination"] == "ris" and r["attempts"]], 15)
        b.cli("queue", "discard", str(row[0]["id"]), "--reason", "done by telephone")
        check("what waits can be put away", not [r for r in queue_of(b, "queued") if r["destination"] == "ris"])


def again():
    with Brain(speed=1) as b:
        order = Order("AGAIN1", "900009", "ZZTWICE^Test")
        broken = order.hl7().replace("|AGAIN1|", "||").replace("PAGAIN1", "").replace("FAGAIN1", "")
        equal("an order without a number is parked", fields(send(b.mllp, broken), "MSA")[1], "AA")
        check("and shown", until(lambda: len(b.get("/api/v1/parked", "smit")["parked"]) == 1, 5), b.get("/api/v1/parked", "smit"))
        bad = b.newest_message(direction="in")
        status, body, _ = b.call("POST", f"/api/v1/messages/{bad['id']}/resend", {}, "it")
        equal("processed again it is parked again", (status, body.get("answer")), (200, "AA"))
        equal("once, not twice", len(b.get("/api/v1/parked", "smit")["parked"]), 1)
        path = b.path("order.hl7")
        with open(path, "w", encoding="utf-8", newline="") as f:
            f.write(order.hl7())
        said = json.loads(b.cli("--json", "send", path))
        equal("spoed send gives the answer", [(s["answer"], s["ok"]) for s in said], [("AA", True)])
        check("and the order is there", until(lambda: b.item("AGAIN1"), 5))
        mine = b.newest_message(direction="in", type="ORM")
        status, body, _ = b.call("POST", f"/api/v1/messages/{mine['id']}/resend", {"reason": "test"}, "it")
        equal("a good one can be processed again too", (status, body.get("answer")), (200, "AA"))
        equal("there is one such item", len([i for i in b.worklist("en", "all") if i["accession"]["value"] == "AGAIN1"]), 1)
        equal("not by a reader", b.call("POST", f"/api/v1/messages/{mine['id']}/resend", {}, "smit")[0], 403)


def store_full():
    """The first nightmare: an AA although nothing was stored. The store may not grow, so commits fail."""
    with Brain(speed=1) as b:
        equal("an order is taken", b.order(Order("FULL0", "900020")), "AA")
        size = os.path.getsize(b.path("spoed.db-wal")) if os.path.exists(b.path("spoed.db-wal")) else 0
        limit = max(size, os.path.getsize(b.path("spoed.db")))
        resource.prlimit(b.process.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        answers = {}
        for n in range(1, 400):
            order = Order(f"FULL{n}", f"91{n:04d}")
            answers[order.accession] = fields(send(b.mllp, order.hl7()), "MSA")[1]
            if answers[order.accession] != "AA":
                break
        check("at some point it cannot store any more", "AE" in answers.values(), len(answers))
        equal("and says nothing but AE then", {fields(send(b.mllp, Order(f"NOT{n}", f"92{n:04d}").hl7()), "MSA")[1] for n in range(3)}, {"AE"})
        resource.prlimit(b.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        check("it heals without a restart", until(lambda: b.order(Order("AFTER", "930000")) == "AA", 15, 0.5))
        there = {i["accession"]["value"] for i in b.worklist("en", "all")}
        taken = {a for a, code in answers.items() if code == "AA"}
        check("what was acknowledged is there", until(lambda: taken <= {i["accession"]["value"] for i in b.worklist("en", "all")}, 10), taken - there)


def slow_peer():
    """The second and third: late answers, and resending for ever because of them."""
    with Brain(speed=1, send=", total_timeout: 500ms") as b:
        b.ris.set("late:0.8")
        bleeding(b, "SLOW1")
        check("it is tried again", until(lambda: len(b.ris.of_type("ORM")) >= 2, 20))
        time.sleep(6)
        messages = b.ris.of_type("ORM")
        equal("always as the same message", len({fields(m, "MSH")[10] for m in messages}), 1)
        check("a few times, not in a flood", 2 <= len(messages) <= 5, len(messages))
        equal("and it is not taken for delivered", [r["state"] for r in sent_rows(b, "ris")], ["queued"])
        b.ris.set("late:0.2")
        check("once it answers in time it is done", until(lambda: [r["state"] for r in sent_rows(b, "ris")] == ["done"], 40))
        b.ris.set("previous")
        before = len(b.ris.of_type("ORM"))
        bleeding(b, "SLOW2", "900031")
        check("the answer to another message counts for nothing", until(lambda: len(b.ris.of_type("ORM")) >= before + 2, 20))
        check("it is not delivered", "done" not in {r["state"] for r in sent_rows(b, "ris") if r["item"] == b.item("SLOW2")["id"]})


def main():
    receivers()
    reports()
    for what in (forms, pausing, refused, again, store_full, slow_peer):
        with scene(what.__name__):
            what()
    done()


if __name__ == "__main__":
    main()
