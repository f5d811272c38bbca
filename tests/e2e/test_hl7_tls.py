#!/usr/bin/env python3
"""HL7 over TLS with certificates on both sides, through the whole brain: who gets in and as which peer, every kind of
certificate that is refused (reliability S3) with its line in the log, a reload with new files, the alarm before a
certificate ends, the allow-list, and sending to a RIS by mllps://. The clients are Python's ssl and node-hl7-client."""
import json
import os
import re
import shutil
import socket
import ssl
import tempfile
import threading

from brain import ICH, Brain, Order, check, done, equal, fields, free_port, read_frame, scene, skip, sr_file, until

import node
from certs import Authority
from ris import ack, frame


class Secure(Brain):
    """A listener with TLS beside the plain one, and a third that lets nobody here in."""

    def write(self):
        self.certs = tempfile.mkdtemp(prefix="spoed-certs-")
        self.ca, self.other = Authority(self.certs, "ca"), Authority(self.certs, "other")
        self.ca.sign("server", "spoed.example", "DNS:spoed.example,IP:127.0.0.1")
        self.ca.sign("client", "ris.example")
        self.ca.sign("engine", "engine.example", "DNS:ris-by-engine.example")
        self.ca.sign("nobody", "nobody.example")
        self.ca.sign("expired", "ris.example", start=-20, days=-1)
        self.ca.sign("early", "ris.example", start=2, days=20)
        self.ca.sign("revoked", "ris.example")
        self.ca.revoke("revoked")
        self.other.sign("forged", "ris.example")
        self.ca.sign("short", "spoed.example", "DNS:spoed.example,IP:127.0.0.1", days=5)
        self.ca.sign("theirs", "theirs.example", "DNS:theirs.example")
        self.tls, self.closed, self.remote = free_port(), free_port(), Remote(self.certs)
        super().write()
        files = f"certificate: {self.certs}/server.crt, key: {self.certs}/server.key, ca: {self.certs}/ca.crt"
        text = self.text("spoed.yaml")
        text = re.sub(r"(  mllp: \[.*)\]", rf"\1, {{address: 0.0.0.0, port: {self.tls}, tls: {{{files}, crl: {self.certs}/ca.crl}}}}, "
                      rf"{{port: {self.closed}, allow: [192.0.2.0/24, '2001:db8::/32']}}]", text, count=1)
        text = text.replace("{match: {door: hl7, address: 127.0.0.1},", "{match: {door: hl7, certificate: ris.example}, quirks: [bare_ack],", 1)
        text = text.replace("peers:\n", "peers:\n  engine: {match: {door: hl7, certificate: ris-by-engine.example}, roles: [orders]}\n", 1)
        text = re.sub(r"mllp://127\.0\.0\.1:\d+", f"mllps://127.0.0.1:{self.remote.port}", text)
        text = text.replace("events: [priority, report]", f"events: [priority, report], tls: {{ca: {self.certs}/ca.crt, certificate: "
                            f"{self.certs}/client.crt, key: {self.certs}/client.key, server_name: theirs.example}}", 1)
        self.put("spoed.yaml", text)

    def __exit__(self, *a):
        super().__exit__(*a)
        self.remote.stop()
        shutil.rmtree(self.certs, ignore_errors=True)

    def file(self, name):
        return os.path.join(self.certs, name)

    def context(self, who="client", ca="ca"):
        c = ssl.create_default_context(cafile=self.file(ca + ".crt"))
        if who:
            c.load_cert_chain(self.file(who + ".crt"), self.file(who + ".key"))
        return c

    def said(self, words):
        with open(self.log, errors="replace") as f:
            return words in f.read()


class Remote(threading.Thread):
    """A RIS that wants TLS and our certificate."""

    def __init__(self, certs):
        super().__init__(daemon=True)
        self.certs, self.messages, self.names, self.sock = certs, [], [], socket.create_server(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        self.context, self.over = None, False
        self.start()

    def ready(self):
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        c.load_cert_chain(f"{self.certs}/theirs.crt", f"{self.certs}/theirs.key")
        c.load_verify_locations(f"{self.certs}/ca.crt")
        c.verify_mode = ssl.CERT_REQUIRED
        self.context = c

    def run(self):
        while not self.over:
            try:
                plain, _ = self.sock.accept()
            except OSError:
                return
            try:
                self.context or self.ready()
                with self.context.wrap_socket(plain, server_side=True) as s:
                    self.names.append(dict(x[0] for x in s.getpeercert()["subject"])["commonName"])
                    rest = b""
                    while True:
                        text, rest = read_frame(s, rest)
                        if not text:
                            break
                        self.messages.append(text)
                        s.sendall(frame(ack(text, "AA")))
            except OSError:
                pass

    def stop(self):
        self.over = True
        self.sock.close()


def talk(b, context, message, name="spoed.example"):
    """MSA-1 and MSH-9, or why not."""
    try:
        with socket.create_connection(("127.0.0.1", b.tls), timeout=10) as plain, context.wrap_socket(plain, server_hostname=name) as s:
            s.sendall(frame(message))
            text = read_frame(s)[0]
            return (fields(text, "MSA")[1], fields(text, "MSH")[9]) if text else ("closed", "")
    except ssl.SSLError as e:
        return ("refused", e.reason or str(e))
    except OSError as e:
        return ("refused", type(e).__name__)


def who_gets_in(b):
    order = Order("TLS1", "ZZ0000001", name="ZZCANARY^Tls")
    equal("its certificate makes it the RIS, with the RIS's quirk", talk(b, b.context(), order.hl7()), ("AA", "ACK"))
    check("and its order is on the list", until(lambda: any((i["accession"] or {}).get("value") == "TLS1" for i in b.worklist(status="all"))))
    equal("another name in a certificate makes it another peer", talk(b, b.context("engine"), Order("TLS2", "ZZ0000002").hl7()), ("AA", "ACK^O01^ACK"))
    equal("a good certificate of nobody's is not listed", talk(b, b.context("nobody"), Order("TLS3", "ZZ0000003").hl7())[0], "AR")
    with socket.create_connection(("127.0.0.1", b.mllp), timeout=10) as s:
        s.sendall(frame(Order("TLS4", "ZZ0000004").hl7()))
        equal("who comes in plain is not the RIS", fields(read_frame(s)[0], "MSA")[1], "AR")
    path = b.file("own.hl7")
    with open(path, "w", newline="") as f:
        f.write(Order("TLS5", "ZZ0000005").hl7(control_id="TLS5"))
    if node.missing():
        return skip("node-hl7-client: " + node.missing())
    p = node.run("send.js", "node-hl7-client", b.tls, "--tls", b.certs, path)
    said = json.loads(p.stdout) if p.stdout else {"error": p.stderr[-300:]}
    equal("node-hl7-client with its certificate", fields(said.get("answer", "").replace("\n", "\r"), "MSA")[1:3] or said, ["AA", "TLS5"])


def who_does_not(b):
    old = b.context()
    old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_1
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    rows = (("no certificate", b.context(None), "peer did not return a certificate"), ("expired", b.context("expired"), "certificate has expired"),
            ("not valid yet", b.context("early"), "certificate is not yet valid"), ("of another CA", b.context("forged"), "unable to get local issuer"),
            ("revoked", b.context("revoked"), "certificate revoked"), ("TLS 1.1", old, "unsupported protocol"))
    for what, context, why in rows:
        got = {talk(b, context, Order("NEVER", "ZZ0000009").hl7())[0] for _ in range(10)}
        check(f"{what}: refused, ten times of ten", got <= {"refused", "closed"}, got)
        # one line a second at most: a further try when the second is over, until it is said
        check(f"{what}: and the log says why", until(lambda: b.said(why) or (talk(b, context, "") and False), 5, 0.3))
    got = talk(b, b.context(), Order("NEVER", "ZZ0000009").hl7(), name="ris.example")
    check("a client finds the wrong name out", got[0] == "refused" and "VERIFY" in got[1], got)
    check("nothing of them arrived", not any((i["accession"] or {}).get("value") == "NEVER" for i in b.worklist(status="all")))
    metrics = b.raw("GET", "/metrics", headers={"Authorization": "Bearer " + b.tokens["it"]})[1].decode()
    count = int(float(re.search(r"^spoed_mllp_untrusted_total (\S+)", metrics, re.M)[1]))
    check("and they are counted", count >= 60, count)


def not_on_the_list(b):
    with socket.create_connection(("127.0.0.1", b.closed), timeout=10) as s:
        try:
            s.sendall(frame(Order("NEVER", "ZZ0000009").hl7()))
            got = s.recv(100)
        except OSError:
            got = b""
    equal("an address that is not on the allow-list is not answered", got, b"")
    check("the log says so", until(lambda: b.said("not on the allow-list")))


def new_files(b):
    for kind in ("mllp-not-allowed", "mllp-untrusted"):
        check(f"alarm {kind}", until(lambda: b.said(f"kind={kind}"), 5))
    shutil.copy(b.file("short.crt"), b.file("server.crt"))
    shutil.copy(b.file("short.key"), b.file("server.key"))
    b.ca.revoke("engine")
    b.reload()
    check("a reload takes the new list: who is on it is out", until(lambda: talk(b, b.context("engine"), Order("TLS6", "ZZ0000006").hl7())[0] == "refused"
                                                                     or talk(b, b.context("engine"), Order("TLS6", "ZZ0000006").hl7())[0] == "closed", 10, 0.3))
    equal("and the others are in", talk(b, b.context(), Order("TLS7", "ZZ0000007").hl7())[0], "AA")
    with socket.create_connection(("127.0.0.1", b.tls), timeout=10) as plain, b.context().wrap_socket(plain, server_hostname="spoed.example") as s:
        ends = ssl.cert_time_to_seconds(s.getpeercert()["notAfter"])
    metrics = b.raw("GET", "/metrics", headers={"Authorization": "Bearer " + b.tokens["it"]})[1].decode()
    shown = re.search(rf'^spoed_certificate_not_after_seconds{{name="listen.mllp {b.tls}"}} (\S+)', metrics, re.M)
    check("the new certificate is the one that is shown", shown and abs(float(shown[1]) - ends) < 2, (shown and shown[1], ends))
    check("it ends in five days: an alarm", until(lambda: b.said(f"kind=certificate-ends subject=\"listen.mllp {b.tls}\""), 10))
    check("and the health page says so", until(lambda: "certificates" in b.raw("GET", "/readyz")[1].decode(), 5))
    with open(b.file("server.key"), "w") as f:
        f.write("no key\n")
    b.reload()
    check("a key that is none: the reload is refused", until(lambda: b.said("the new configuration was refused"), 5))
    equal("and the old certificate stays", talk(b, b.context(), Order("TLS8", "ZZ0000008").hl7())[0], "AA")


def outwards(b):
    order = Order("TLSOUT", "ZZ0000010", name="ZZCANARY^Out")
    equal("an order", talk(b, b.context(), order.hl7())[0], "AA")
    path = sr_file(b.path("out.dcm"), order, "ICH Triage", "2.1.0", ICH, True, 0.93)
    equal("an AI product finds a bleeding", b.store(path)[0], 0)
    check("it goes to the RIS over TLS", until(lambda: any("TLSOUT" in m for m in b.remote.messages), 15))
    equal("which knows us by our certificate", set(b.remote.names), {"ris.example"})


with Secure(speed=20) as b:
    for part in (who_gets_in, who_does_not, not_on_the_list, outwards, new_files):
        with scene(part.__name__.replace("_", " ")):
            part(b)
    with open(b.log, errors="replace") as f:
        check("no patient is in the log", "ZZCANARY" not in f.read())
done()
