#!/usr/bin/env python3
"""libspoed.so against a running brain, as a PACS would use it (here from Python, by ctypes): an order, images and a
result handed in, the list, claims, the stream through a restart of the brain; and the example host, built as its own
first lines say."""
import ctypes as c
import os
import select
import signal
import subprocess
import time

from brain import ICH, Brain, Order, check, done, equal, hospital, scene, sr_file, until

P = c.c_char_p
CODES = {"ok": 0, "again": 1, "end": 2, "invalid": -1, "denied": -2, "not found": -3, "conflict": -4, "unreachable": -7, "uncertain": -8}


class Error(c.Structure):
    _fields_ = [("size", c.c_size_t), ("code", c.c_int), ("http_status", c.c_int), ("reason", c.c_char * 64),
                ("text", c.c_char * 256), ("holder", c.c_char * 128)]


class Options(c.Structure):
    _fields_ = [("size", c.c_size_t), ("socket_path", P), ("token", P), ("language", P), ("connect_ms", c.c_int), ("ms", c.c_int)]


class OrderAnswer(c.Structure):
    _fields_ = [("size", c.c_size_t), ("answer", c.c_char * 4), ("reason", c.c_char * 256), ("revision", c.c_int64),
                ("ack", P), ("ack_room", c.c_size_t), ("ack_size", c.c_size_t)]


class ResultAnswer(c.Structure):
    _fields_ = [("size", c.c_size_t), ("outcome", c.c_int), ("id", c.c_int64), ("revision", c.c_int64), ("reason", c.c_char * 256)]


class Study(c.Structure):
    _fields_ = [("size", c.c_size_t), ("study_uid", P), ("accession", P), ("issuer", P), ("patient_id", P), ("authority", P),
                ("instances", c.POINTER(P)), ("n_instances", c.c_size_t), ("at", c.c_int64), ("complete", c.c_int)]


class Query(c.Structure):
    _fields_ = [("size", c.c_size_t), ("status", P), ("modality", P), ("location", P), ("after", P), ("limit", c.c_int), ("at_least", c.c_int64)]


class Event(c.Structure):
    _fields_ = [("size", c.c_size_t), ("kind", c.c_int), ("id", c.c_int64), ("revision", c.c_int64)]


def sized(kind, **values):
    return kind(size=c.sizeof(kind), **values)


class Host:
    """One session. Every call gives the name of its code, and keeps the error."""

    def __init__(self, lib, path, token=None, ms=0):
        self.lib, self.error, self.session = lib, sized(Error), c.c_void_p()
        options = sized(Options, socket_path=path.encode(), token=token.encode() if token else None, language=b"en", ms=ms)
        code = lib.spoed_open(c.byref(options), c.byref(self.session), c.byref(self.error))
        assert code == 0, self.error.text

    def call(self, name, *arguments):
        self.error = sized(Error)
        return self.name(getattr(self.lib, name)(self.session, *arguments, c.byref(self.error)))

    def name(self, code):
        return self.lib.spoed_code_name(code).decode()

    def order(self, hl7):
        answer, ack = sized(OrderAnswer), c.create_string_buffer(4096)
        answer.ack, answer.ack_room = c.cast(ack, P), 4096
        return self.call("spoed_submit_order", hl7.encode(), c.c_size_t(len(hl7.encode())), c.byref(answer)), answer, ack.value.decode()

    def result(self, path, ae=None):
        answer = sized(ResultAnswer)
        with open(path, "rb") as f:
            data = f.read()
        return self.call("spoed_submit_result", data, c.c_size_t(len(data)), ae, c.byref(answer)), answer

    def study(self, order):
        uids = (P * 2)(*[u.encode() for u in order.images[:2]])
        study = sized(Study, study_uid=order.study.encode(), accession=order.accession.encode(), issuer=b"ZH",
                      patient_id=order.patient.encode(), authority=b"ZH", instances=uids, n_instances=2)
        revision = c.c_int64()
        return self.call("spoed_announce_study", c.byref(study), c.byref(revision)), revision.value

    def list(self, at_least=0):
        """(code, rows, revision)"""
        query, found = sized(Query, at_least=at_least), c.c_void_p()
        code = self.call("spoed_list_open", c.byref(query), c.byref(found))
        if code != "ok":
            return code, [], 0
        get = self.lib
        rows = [{"id": get.spoed_list_id(found, i), "rank": get.spoed_list_rank(found, i), "due": get.spoed_list_due(found, i),
                 **{k: getattr(get, "spoed_list_" + k)(found, i).decode() for k in ("level", "status", "accession", "patient_id", "reader")},
                 "why": get.spoed_list_reason(found, i, 0).decode()} for i in map(c.c_size_t, range(get.spoed_list_count(found)))]
        revision = get.spoed_list_revision(found)
        get.spoed_list_free(found)
        return code, rows, revision

    def claim(self, item, what="claim"):
        return self.call("spoed_" + what, c.c_int64(item), None)

    def subscribe(self, place=0):
        stream = c.c_void_p()
        code = self.call("spoed_subscribe", c.c_int64(place), c.byref(stream))
        return code, stream

    def next(self, stream, seconds=5):
        """(code, event): waits on the descriptor, as a host does."""
        event, end = sized(Event), time.monotonic() + seconds
        while True:
            code = self.name(self.lib.spoed_next(stream, c.byref(event)))
            if code != "again" or time.monotonic() > end:
                return code, event
            select.select([self.lib.spoed_stream_fd(stream)], [], [], 0.2)

    def close(self):
        self.lib.spoed_close(self.session)


def load():
    lib = c.CDLL(os.path.join(hospital.BUILD, "libspoed.so.1"))
    for name in ("version", "code_name"):
        getattr(lib, "spoed_" + name).restype = P
    for name in ("level", "status", "accession", "patient_id", "reader", "reason"):
        getattr(lib, "spoed_list_" + name).restype = P
    for name in ("list_id", "list_rank", "list_due", "list_revision", "stream_place"):
        getattr(lib, "spoed_" + name).restype = c.c_int64
    lib.spoed_list_count.restype = c.c_size_t
    return lib


def hand_in(b, pacs, order):
    with scene("a PACS hands in an order, images and a result"):
        code, answer, ack = pacs.order(order.hl7(control_id="EMBED1"))
        equal("the order is taken", (code, answer.answer), ("ok", b"AA"))
        check("the acknowledgement names the message", "MSA|AA|EMBED1" in ack, ack)
        code, again, _ = pacs.order(order.hl7(control_id="EMBED1"))
        equal("the same once more", (code, again.answer), ("ok", b"AA"))
        code, rows, _ = pacs.list(answer.revision)
        equal("what has no images is not listed", (code, [r["accession"] for r in rows]), ("ok", []))
        code, revision = pacs.study(order)
        equal("images are announced", code, "ok")
        code, rows, at = pacs.list(revision)
        equal("it is listed, once", [(r["accession"], r["patient_id"], r["status"], r["rank"]) for r in rows],
              [(order.accession, order.patient, "arrived", 1)])
        check("at the revision that was asked for, with a due time and a reason", at >= revision and rows[0]["due"] > 0 and rows[0]["why"], rows)
        code, stream = pacs.subscribe()
        equal("it follows the changes, from now on", (code, pacs.next(stream)[1].kind), ("ok", 5))
        path = sr_file(b.path("embed.dcm"), order, "ICH Triage", "2.1.0", ICH, probability=0.94)
        code, result = pacs.result(path, b"TESTAI")
        equal("the result counts", (code, result.outcome), ("ok", 1))
        item, seen = rows[0]["id"], []
        while not any(e.kind == 1 and e.id == item for e in seen):
            code, event = pacs.next(stream)
            if not check("the stream says that the item changed", code == "ok", code):
                break
            seen.append(Event.from_buffer_copy(event))
        code, rows, _ = pacs.list(result.revision)
        check("and the list has it as critical, with the reason", rows and rows[0]["level"] == "critical" and rows[0]["why"], rows)
        code, result = pacs.result(os.path.abspath(__file__), b"TESTAI")
        check("what is no DICOM is kept for a person, or refused", code == "ok" and result.outcome in (2, 4), (code, result.outcome))
        return item, stream


def strangers(b, pacs):
    with scene("who may not"):
        for who, what, want in (("orthanc", "a peer that is not one for orders is answered, and nothing comes of it", b"AA"),
                                ("it", "somebody who is no peer is turned down", b"AR")):
            other = Host(pacs.lib, b.path("run", "spoed.sock"), b.tokens[who])
            code, answer, _ = other.order(Order("EMBED9", "880099").hl7())
            equal(what, (code, answer.answer), ("ok", want))
            other.close()
        equal("neither made an item", b.item("EMBED9"), {})
        nobody = Host(pacs.lib, b.path("run", "spoed.sock"), "no-such-token")
        equal("a token that is none", nobody.list()[0], "denied")
        check("with a sentence", nobody.error.http_status == 401 and nobody.error.text)
        nobody.close()
        smit = Host(pacs.lib, b.path("run", "spoed.sock"), b.tokens["smit"])
        equal("a reader hands in no orders", smit.order("MSH|")[0], "denied")
        smit.close()


def claims(b, pacs, item):
    with scene("claims"):
        smit = Host(pacs.lib, b.path("run", "spoed.sock"), b.tokens["smit"])
        lezer = Host(pacs.lib, b.path("run", "spoed.sock"), b.cli("user", "add", "lezer", "--role", "reader", "--token").split()[-1])
        equal("a hook claims nothing", pacs.claim(item), "denied")
        equal("a reader does", smit.claim(item), "ok")
        equal("another is told who has it", (lezer.claim(item), lezer.error.holder), ("conflict", b"smit"))
        equal("the list names the reader", [r["reader"] for r in lezer.list()[1] if r["id"] == item], ["smit"])
        equal("it is given back", smit.claim(item, "release"), "ok")
        equal("an item that is none", smit.claim(99999999), "not found")
        smit.close(), lezer.close()


def trouble(b, pacs, item, stream):
    with scene("the brain is stopped, and killed"):
        hasty = Host(pacs.lib, b.path("run", "spoed.sock"), b.tokens["pacs"], ms=300)
        b.process.send_signal(signal.SIGSTOP)
        time.sleep(0.3)
        start = time.monotonic()
        equal("a stopped brain costs one time-out", hasty.list()[0], "uncertain")
        check("of 0.3 s", time.monotonic() - start < 2, time.monotonic() - start)
        b.process.send_signal(signal.SIGCONT)
        check("then it is there again", until(lambda: hasty.list()[0] == "ok", 5))
        hasty.close()
        while pacs.next(stream, 0)[0] == "ok":
            pass
        place = pacs.lib.spoed_stream_place(stream)
        check("the stream knows its place", place > 0, place)
        b.kill()
        equal("a killed brain ends the stream", pacs.next(stream)[0], "end")
        equal("and it stays ended", pacs.next(stream, 0)[0], "end")
        pacs.lib.spoed_unsubscribe(stream)
        equal("nobody answers", pacs.list()[0], "unreachable")
        b.start()
        code, rows, _ = pacs.list()
        equal("the same session finds the brain again, and the item", (code, [r["id"] for r in rows]), ("ok", [item]))
        code, stream = pacs.subscribe(place)
        equal("the stream goes on", code, "ok")
        smit = Host(pacs.lib, b.path("run", "spoed.sock"), b.tokens["smit"])
        equal("something happens", smit.claim(item), "ok")
        smit.close()
        kinds = []
        while not any(k in (1, 5) for k in kinds):
            code, event = pacs.next(stream)
            if not check("and is heard of", code == "ok", code):
                break
            kinds.append(event.kind)
        pacs.lib.spoed_unsubscribe(stream)


def example(b):
    with scene("the example host"):
        program, root = b.path("embed"), hospital.ROOT
        built = subprocess.run(["cc", "-std=c17", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I", os.path.join(root, "include"), "-o", program,
                                os.path.join(root, "docs", "examples", "embed.c"), "-L", hospital.BUILD, "-lspoed", "-Wl,-rpath," + hospital.BUILD],
                               capture_output=True, text=True, timeout=60)
        if not check("it builds as its first lines say", built.returncode == 0, built.stderr):
            return
        order = Order("EMBED2", "880012")
        b.put("order.hl7", order.hl7())
        base = [program, "--socket", b.path("run", "spoed.sock"), "--token", b.tokens["pacs"]]
        ran = subprocess.run(base + ["--order", b.path("order.hl7")], capture_output=True, text=True, timeout=60)
        check("it hands in an order and prints the list", ran.returncode == 0 and ran.stdout.startswith("order: AA") and "revision" in ran.stdout, ran)
        with subprocess.Popen(base + ["--seconds", "3"], stdout=subprocess.PIPE, text=True) as follower:
            time.sleep(1)
            equal("images come", b.images(order), 200)
            out = follower.communicate(timeout=30)[0]
        check("it follows", follower.returncode == 0 and "EMBED2" in out, out)
        ran = subprocess.run([program, "--socket", "/nowhere"], capture_output=True, text=True, timeout=60)
        check("without a brain it says so", ran.returncode == 1 and "unreachable" in ran.stderr, ran)


lib = load()
with Brain(speed=1, peers="  pacs: {match: {door: http, user: pacs}, roles: [orders, results]}\n") as b:
    b.tokens["pacs"] = b.cli("user", "add", "pacs", "--role", "hook", "--token").split()[-1]
    pacs = Host(lib, b.path("run", "spoed.sock"), b.tokens["pacs"])
    item, stream = hand_in(b, pacs, Order("EMBED1", "880011", "ZZBLEED^Test")) or (0, None)
    strangers(b, pacs)
    claims(b, pacs, item)
    trouble(b, pacs, item, stream)
    example(b)
    pacs.close()
done()
