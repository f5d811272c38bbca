#!/usr/bin/env python3
"""A pager stand-in: an HTTP sink for pages that checks the signature of every body.

As a module: Pager(port=0, secret="...") has .port, .url, .pages (list of dicts as received, with "signed":
bool and "to"), .status (what to answer next), .delay, .headers (extra ones), .stop(). On the command line it
prints "port N" and a JSON line for every request; a line on standard input sets the status ("503", "hang",
"302", "big", "half").
"""
import argparse
import hashlib
import hmac
import json
import socketserver
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Pager:
    def __init__(self, port=0, secret="", say=None):
        self.secret, self.say = secret.encode(), say
        self.status, self.delay, self.headers, self.pages = "200", 0, {}, []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                owner.take(self)

            def log_message(self, *args):
                pass

        class Server(ThreadingHTTPServer):
            allow_reuse_address, daemon_threads = True, True

            def server_bind(self):  # HTTPServer's own asks the resolver for a name, which may take long
                socketserver.TCPServer.server_bind(self)
                self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

            def handle_error(self, request, address):
                pass  # a client that goes away is part of the tests

        self.server = Server(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/page"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def take(self, request):
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        want = "sha256=" + hmac.new(self.secret, body, hashlib.sha256).hexdigest()
        got = request.headers.get("X-Spoed-Signature", "")
        try:
            page = json.loads(body)
        except ValueError:
            page = {"body": body.decode("latin-1")}
        page["signed"] = hmac.compare_digest(want, got)
        page["to"] = request.headers.get("X-Spoed-To", "")
        page["at"] = time.time()
        self.pages.append(page)
        if self.say:
            self.say(page)
        if self.delay:
            time.sleep(self.delay)
        self.answer(request)

    def answer(self, request):
        status = self.status
        if status == "hang":
            time.sleep(30)
            return
        if status == "half":
            request.wfile.write(b"HTTP/1.1 200 O")
            request.close_connection = True
            return
        text = b"x" * 300000 if status == "big" else b'{"ok": true}'
        request.send_response(200 if status == "big" else int(status))
        if status == "302":
            request.send_header("Location", self.url + "/elsewhere")
        for name, value in self.headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(text)))
        request.end_headers()
        try:
            request.wfile.write(text)
        except OSError:
            pass


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--port", type=int, default=0)
    p.add_argument("--secret", default="")
    p.add_argument("--status", default="200")
    p.add_argument("--retry-after")
    a = p.parse_args()
    pager = Pager(a.port, a.secret, lambda page: print(json.dumps(page), flush=True))
    pager.status = a.status
    if a.retry_after:
        pager.headers["Retry-After"] = a.retry_after
    print("port", pager.port, flush=True)
    for line in sys.stdin:
        pager.status = line.strip()


if __name__ == "__main__":
    main()
