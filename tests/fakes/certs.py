"""A certificate authority of a test's own, by the openssl command: Authority(folder, "ca") writes ca.crt and ca.key there;
.sign(name, …) NAME.crt and NAME.key; .revoke(name) and .list() keep ca.crl. The keys live as long as the folder."""
import datetime
import os
import subprocess


def openssl(*words):
    subprocess.run(["openssl", *words], check=True, capture_output=True, timeout=60)


def _at(days):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)).strftime("%Y%m%d%H%M%SZ")


class Authority:
    def __init__(self, folder, name="ca"):
        self.folder, self.name = folder, name
        self.book = os.path.join(folder, name + ".book")
        os.makedirs(self.book)
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "300", "-subj", f"/CN={name}",
                "-keyout", self.path(name + ".key"), "-out", self.path(name + ".crt"))
        with open(os.path.join(self.book, "cnf"), "w") as f:
            f.write(f"[ca]\ndefault_ca = d\n[d]\ndatabase = {self.book}/index\nserial = {self.book}/serial\ncrlnumber = {self.book}/crl\n"
                    f"new_certs_dir = {self.book}\ndefault_md = sha256\npolicy = p\ndefault_crl_days = 30\nunique_subject = no\n"
                    "copy_extensions = copy\n[p]\ncommonName = supplied\n")
        for file, text in (("index", ""), ("serial", "1000\n"), ("crl", "1000\n")):
            with open(os.path.join(self.book, file), "w") as f:
                f.write(text)
        self.list()

    def path(self, name):
        return os.path.join(self.folder, name)

    def _ca(self, *words):
        openssl("ca", "-batch", "-config", os.path.join(self.book, "cnf"), "-cert", self.path(self.name + ".crt"),
                "-keyfile", self.path(self.name + ".key"), *words)

    def sign(self, name, subject=None, alternative=None, start=-1, days=100):
        """start and days: from now, when it begins and ends."""
        request = self.path(name + ".csr")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={subject or name}", "-keyout",
                self.path(name + ".key"), "-out", request, *(["-addext", f"subjectAltName={alternative}"] if alternative else []))
        self._ca("-in", request, "-out", self.path(name + ".crt"), "-startdate", _at(start), "-enddate", _at(days), "-notext")

    def revoke(self, name):
        self._ca("-revoke", self.path(name + ".crt"))
        self.list()

    def list(self):
        self._ca("-gencrl", "-out", self.path(self.name + ".crl"))
