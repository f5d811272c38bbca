"""What the acceptance tests beside this file share: hospital.py's running brain, with rules and settings of the
test's own, raw HTTP, logins, one MLLP connection that stays open, and the counting of what was seen.

It is no test. A test says check("what must hold", condition) and ends with done(): one line per case, then
"N passed, N failed, N skipped"; exit 0, 1, or 77 when there was nothing to test.
"""
import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import traceback
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fakes"))
sys.dont_write_bytecode = True
os.environ["TCP_NODELAY"] = "1"  # DCMTK waits for small packets otherwise, 40 ms each
import hospital  # noqa: E402
from ris import read_frame  # noqa: E402
from hospital import BUILD, ROOT, Order, Ris, fields, free_port, send, sr_file, stamp, until  # noqa: E402,F401

DATA = os.path.join(os.path.dirname(ROOT), "shared", "data")
ICH, PTX = ("1386000", "Intracranial hemorrhage"), ("36118008", "Pneumothorax")
_count = {"passed": 0, "failed": 0, "skipped": 0}


def check(what, condition, detail=""):
    """One case; detail is shown when it fails."""
    _count["passed" if condition else "failed"] += 1
    print(("ok      " if condition else "FAILED  ") + what + (f": {detail}" if detail != "" and not condition else ""), flush=True)
    return bool(condition)


def equal(what, got, want):
    return check(what, got == want, f"got {got!r}, want {want!r}")


def skip(what):
    _count["skipped"] += 1
    print("left out  " + what, flush=True)


def failures():
    return _count["failed"]


@contextlib.contextmanager
def scene(name):
    """A part of a test: what is thrown in it fails it, and the next part is tried all the same."""
    print(f"-- {name}", flush=True)
    try:
        yield
    except Exception:
        check(name, False, traceback.format_exc())


def done():
    if not _count["passed"] and not _count["failed"]:
        print("skipped: nothing to test here")
    print(", ".join(f"{n} {word}" for word, n in _count.items()), flush=True)
    sys.exit(1 if _count["failed"] else 0 if _count["passed"] else 77)


def table(path):
    """The rows of a .tsv of the suites, without comments."""
    with open(os.path.join(ROOT, "tests", "suites", path), encoding="utf-8") as f:
        return [line.rstrip("\n").split("\t") for line in f if line.strip() and not line.startswith("#")]


class Line:
    """One MLLP connection that stays open."""

    def __init__(self, port):
        self.sock, self.rest = socket.create_connection(("127.0.0.1", port), timeout=20), b""
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def post(self, message):
        """For what is not answered."""
        self.sock.sendall(b"\x0b" + (message.encode() if isinstance(message, str) else message) + b"\x1c\r")

    def send(self, message):
        self.post(message)
        return self.read()

    def read(self):
        text, self.rest = read_frame(self.sock, self.rest)
        return text

    def close(self):
        self.sock.close()


class Brain(hospital.Brain):
    """site: settings that replace hospital.py's, peers: further ones, policy/models/people: file texts in place of
    the samples. With speed=1 nothing is scaled."""

    def __init__(self, site=None, peers="", policy=None, models=None, people=None, users=None, **more):
        super().__init__(**more)
        self.site, self.more_peers, self.users = site or {}, peers, users or {}
        self.rules = {"policy.d": policy, "models.d": models, "people.yaml": people}
        self.failed_before = failures()

    def __enter__(self):
        super().__enter__()
        for name, roles in self.users.items():
            self.cli("user", "add", name, "--role", roles, text=f"password-of-{name}\n")
        return self

    def __exit__(self, kind, value, trace):
        if not kind and failures() > self.failed_before and os.path.exists(self.log):
            with open(self.log, errors="replace") as f:
                print("".join("    log: " + line for line in f.readlines()[-25:]), flush=True)
        super().__exit__(kind, value, trace)

    def stop(self, sig=signal.SIGTERM):
        """A brain that had ended by itself, or does not end as told (a sanitizer's complaint, say), fails the test."""
        if not self.process:
            return
        ended = self.process.poll()
        super().stop(sig)
        code, self.process = self.process.returncode, None
        if ended is not None or code != (0 if sig == signal.SIGTERM else -sig):
            with open(self.log, errors="replace") as f:
                check("the brain ends when told to, and only then", False, f"exit code {code}\n" + f.read()[-4000:])

    def write(self):
        super().write()
        for sub in ("policy.d", "models.d"):
            if self.rules[sub] is not None:
                for name in os.listdir(self.path(sub)):
                    os.unlink(self.path(sub, name))
                self.put(f"{sub}/test.yaml", self.rules[sub])
        if self.rules["people.yaml"] is not None:
            self.put("people.yaml", self.rules["people.yaml"])
        text = self.text("spoed.yaml")
        for key, value in self.site.items():
            text, n = re.subn(rf"\b{key}: [^,}}]*", f"{key}: {value}", text, count=1)
            if not n:
                text = text.replace("site: {", f"site: {{{key}: {value}, ", 1)
        self.put("spoed.yaml", text.replace("peers:\n", "peers:\n" + self.more_peers, 1))

    def text(self, name):
        with open(self.path(name), encoding="utf-8") as f:
            return f.read()

    def put(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        self.stop(signal.SIGKILL)

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def raw(self, method, path, body=None, headers=None):
        """(status, bytes, headers), nothing added and no redirect followed."""
        link = http.client.HTTPConnection("127.0.0.1", self.http, timeout=30)
        try:
            try:
                link.request(method, path, body=body, headers=headers or {})
            except BrokenPipeError:
                pass  # refused before all of it was sent: the answer is there to be read
            answer = link.getresponse()
            return answer.status, answer.read(), answer.headers
        finally:
            link.close()

    def login(self, name):
        """Headers of a browser in which this user has logged in."""
        status, body, headers = self.raw("POST", "/api/v1/session", json.dumps({"user": name, "password": f"password-of-{name}"}),
                                         {"Content-Type": "application/json"})
        if status not in (200, 201):
            raise RuntimeError(f"login of {name}: {status}")
        return {"Cookie": headers["Set-Cookie"].split(";")[0], "X-CSRF-Token": json.loads(body)["csrf"]}

    def link_path(self, page):
        return urllib.parse.urlparse(page["link"]).path

    def store(self, path, ae="TESTAI", called="SPOED"):
        """storescu's exit code and what it said."""
        done = subprocess.run(["storescu", "-v", "-R", "-aet", ae, "-aec", called, "127.0.0.1", str(self.dicom), path],
                              capture_output=True, text=True, errors="replace", timeout=60)
        return done.returncode, done.stdout + done.stderr

    def instance(self, path, ae="TESTAI", who="orthanc"):
        with open(path, "rb") as f:
            status, body, _ = self.raw("POST", f"/api/v1/instances?ae_title={ae}", f.read(),
                                       {"Content-Type": "application/dicom", "Authorization": "Bearer " + self.tokens[who], "Accept-Language": "en"})
        return status, json.loads(body) if body else {}

    def act(self, path, body=None, who="smit", headers=None):
        return self.call("POST", "/api/v1/" + path, body or {}, who, headers)[0]

    def rules_of(self, accession, language="en"):
        return [r["rule"] for r in self.item(accession, language).get("reasons", [])]

    def item(self, accession, language="en"):
        """The open item of that accession, else a closed one."""
        found = [i for i in self.worklist(language, "all") if (i.get("accession") or {}).get("value") == accession]
        found.sort(key=lambda i: i["status"] in ("cancelled", "final"))
        return found[0] if found else {}

    def alarms(self):
        return [a["kind"] for a in self.get("/api/v1/alarms", "boss").get("alarms", [])]

    def newest_message(self, **query):
        found = self.get("/api/v1/messages?limit=1&" + urllib.parse.urlencode(query), "boss").get("messages", [])
        return found[0] if found else {}
