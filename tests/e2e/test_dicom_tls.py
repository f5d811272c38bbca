#!/usr/bin/env python3
"""The DICOM port with TLS: who gets in, and who does not. Certificates are made here with openssl; the clients are
DCMTK's. AE titles are bound to certificates by peers.match."""
import os
import shutil
import subprocess

from brain import PTX, Brain, Order, check, done, equal, free_port, scene, skip, until
from hospital import sr_file


def openssl(*words):
    subprocess.run(["openssl", *words], check=True, capture_output=True, timeout=60)


def authority(folder, name):
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", f"/CN={name}", "-keyout", f"{folder}/{name}.key",
            "-out", f"{folder}/{name}.pem")


def certificate(folder, name, ca, days=30, alternative=None):
    """name.key and name.pem, signed by ca; days < 0: it has ended."""
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.csr")
    more = ["-days", str(days)]
    if days < 0:
        with open(f"{folder}/ca.cnf", "w") as f:
            f.write(f"[ca]\ndefault_ca = d\n[d]\ndatabase = {folder}/index\nserial = {folder}/serial\nnew_certs_dir = {folder}\n"
                    f"default_md = sha256\npolicy = p\n[p]\ncommonName = supplied\n")
        open(f"{folder}/index", "w").close()
        with open(f"{folder}/serial", "w") as f:
            f.write("1000\n")
        openssl("ca", "-batch", "-config", f"{folder}/ca.cnf", "-in", f"{folder}/{name}.csr", "-out", f"{folder}/{name}.pem", "-cert",
                f"{folder}/{ca}.pem", "-keyfile", f"{folder}/{ca}.key", "-startdate", "20240101000000Z", "-enddate", "20240201000000Z", "-notext")
        return
    if alternative:
        with open(f"{folder}/{name}.ext", "w") as f:
            f.write(f"subjectAltName={alternative}\n")
        more += ["-extfile", f"{folder}/{name}.ext"]
    openssl("x509", "-req", "-in", f"{folder}/{name}.csr", "-CA", f"{folder}/{ca}.pem", "-CAkey", f"{folder}/{ca}.key", "-CAcreateserial",
            "-out", f"{folder}/{name}.pem", *more)


def tool(name, port, ae, *words):
    return subprocess.run([name, *words, "-aet", ae, "-aec", "SPOED", "127.0.0.1", str(port)], capture_output=True, timeout=60).returncode


class Secure(Brain):
    def write(self):
        self.tls = free_port()
        for ca in ("hospital", "stranger"):
            authority(self.dir, ca)
        certificate(self.dir, "spoed", "hospital")
        certificate(self.dir, "vendor1", "hospital")
        certificate(self.dir, "vendor2", "hospital", alternative="DNS:vendor2.example")
        certificate(self.dir, "nobody", "hospital")
        certificate(self.dir, "forged", "stranger")
        certificate(self.dir, "ended", "hospital", days=-1)
        super().write()
        listen = f"tls: {{port: {self.tls}, certificate: {self.dir}/spoed.pem, key: {self.dir}/spoed.key, ca: {self.dir}/hospital.pem}}"
        text = self.text("spoed.yaml").replace(f"port: {self.dicom}}}", f"port: {self.dicom}, {listen}}}")
        self.put("spoed.yaml", text)

    def with_tls(self, who):
        """Words that make DCMTK's tools show the certificate of who."""
        return ["+tls", self.path(f"{who}.key"), self.path(f"{who}.pem"), "+cf", self.path("hospital.pem")]


PEERS = """  vendor1: {match: {door: dicom, ae_title: [VENDOR1], certificate: vendor1}, roles: [results]}
  vendor2: {match: {door: dicom, ae_title: [VENDOR2], certificate: vendor2.example}, roles: [results]}
"""


def who_gets_in(b):
    rows = [("its own certificate", "VENDOR1", b.tls, b.with_tls("vendor1"), True),
            ("a name among the alternatives", "VENDOR2", b.tls, b.with_tls("vendor2"), True),
            ("a certificate that no peer names, another AE title", "SCANNER", b.tls, b.with_tls("nobody"), True),
            ("no TLS on the plain port, another AE title", "SCANNER", b.dicom, [], True),
            ("the right certificate with another's AE title", "VENDOR2", b.tls, b.with_tls("vendor1"), False),
            ("the right certificate with an AE title of nobody", "SCANNER", b.tls, b.with_tls("vendor1"), False),
            ("a certificate that no peer names, another's AE title", "VENDOR1", b.tls, b.with_tls("nobody"), False),
            ("another CA", "VENDOR1", b.tls, b.with_tls("forged"), False),
            ("an ended certificate", "VENDOR1", b.tls, b.with_tls("ended"), False),
            ("no certificate", "VENDOR1", b.tls, ["+tla", "+cf", b.path("hospital.pem")], False),
            ("no TLS on the TLS port", "VENDOR1", b.tls, [], False),
            ("no TLS at all with a bound AE title", "VENDOR1", b.dicom, [], False),
            ("TLS on the plain port", "VENDOR1", b.dicom, b.with_tls("vendor1"), False)]
    for name, ae, port, words, wanted in rows:
        equal(name, tool("echoscu", port, ae, *words) == 0, wanted)


def old_versions(b):
    for version in ("-tls1", "-tls1_1"):
        got = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{b.tls}", version, "-cipher", "ALL:@SECLEVEL=0", "-cert", b.path("vendor1.pem"),
                              "-key", b.path("vendor1.key")], input=b"", capture_output=True, timeout=30)
        check(f"no {version[1:]}", got.returncode != 0 or b"Cipher is (NONE)" in got.stdout)


def a_result(b):
    o = Order("TLS1", "550001", modality="CR", code="THORAX", text="X-thorax")
    b.order(o)
    path = sr_file(b.path("sr.dcm"), o, "CXR-Triage", "2.1.0", PTX, probability=0.9)
    equal("a result comes by TLS", subprocess.run(["storescu", "-R", *b.with_tls("vendor1"), "-aet", "VENDOR1", "-aec", "SPOED", "127.0.0.1", str(b.tls),
                                                   path], capture_output=True, timeout=60).returncode, 0)

    def taken():
        return [m for m in b.get("/api/v1/messages?direction=in&limit=5", "boss")["messages"] if m["peer"] == "vendor1"]
    check("and is that peer's", until(taken))


def main():
    if not shutil.which("openssl"):
        skip("openssl is not installed")
        done()
    with Secure(speed=1, peers=PEERS) as b:
        for part in (who_gets_in, old_versions, a_result):
            with scene(part.__name__):
                part(b)
        with scene("silence"):
            import socket
            held = [socket.create_connection(("127.0.0.1", b.tls)) for _ in range(20)]
            import time
            start = time.monotonic()
            equal("an honest echo beside 20 silent connections", tool("echoscu", b.tls, "VENDOR1", *b.with_tls("vendor1")), 0)
            check("takes less than 0.5 s", time.monotonic() - start < 0.5, time.monotonic() - start)
            for s in held:
                s.close()
    with scene("a wrong file"):
        with Secure(speed=1, peers=PEERS) as b:
            os.replace(b.path("vendor1.key"), b.path("spoed.key"))
            b.stop()
            b.start()

            def alarmed():
                return [m for m in b.get("/api/v1/alarms", "it").get("alarms", []) if m["kind"] == "dicom-front"] or \
                    b"cannot be opened" in open(b.log, "rb").read()
            check("a key of another certificate: an alarm, and no port", until(alarmed))
            equal("nobody gets in", tool("echoscu", b.tls, "VENDOR1", *b.with_tls("nobody")) == 0, False)
    done()


main()
