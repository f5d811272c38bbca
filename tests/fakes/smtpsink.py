#!/usr/bin/env python3
"""A mail server stand-in that keeps every mail.

As a module: SmtpSink(port=0) has .port, .mails (list of {"from", "to", "headers", "body"}), .mode, .stop().
On the command line it prints "port N" and a JSON line per mail; a line on standard input sets the mode.
Modes: ok; rcpt550, rcpt450, data550, data451 (refuse at that point); hang (no answer to the mail's end);
drop (close instead of answering the mail's end).
"""
import argparse
import json
import socketserver
import sys
import threading
import time


class SmtpSink:
    def __init__(self, port=0, mode="ok", say=None):
        self.mode, self.say, self.mails = mode, say, []
        owner = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                try:
                    owner.serve(self)
                except OSError:
                    pass

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address, daemon_threads = True, True

        self.server = Server(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def serve(self, link):
        def reply(text):
            link.wfile.write(text.encode() + b"\r\n")

        sender, to = "", []
        reply("220 sink ready")
        while True:
            line = link.rfile.readline().decode("latin-1").rstrip("\r\n")
            verb = line[:4].upper()
            if not line or verb == "QUIT":
                return
            if verb in ("EHLO", "HELO"):
                reply("250-sink\r\n250 8BITMIME")
            elif verb == "MAIL":
                sender = line.split(":", 1)[1].split()[0].strip("<>")
                reply("250 ok")
            elif verb == "RCPT":
                to.append(line.split(":", 1)[1].strip().strip("<>"))
                reply({"rcpt550": "550 no such user", "rcpt450": "450 later"}.get(self.mode, "250 ok"))
            elif verb == "DATA":
                reply("354 go on")
                if not self.take(link, sender, to, reply):
                    return
                to = []
            else:
                reply("250 ok")

    def take(self, link, sender, to, reply):
        lines = []
        while (line := link.rfile.readline().decode("utf-8", "replace").rstrip("\r\n")) != ".":
            lines.append(line[1:] if line.startswith("..") else line)
        if self.mode == "hang":
            time.sleep(30)
        if self.mode in ("drop", "hang"):
            return False
        if self.mode in ("data550", "data451"):
            reply({"data550": "550 refused", "data451": "451 later"}[self.mode])
            return True
        cut = lines.index("") if "" in lines else len(lines)
        mail = {"from": sender, "to": to[0] if to else "", "body": "\n".join(lines[cut + 1:]),
                "headers": {k: v for k, _, v in (h.partition(": ") for h in lines[:cut])}, "at": time.time()}
        self.mails.append(mail)
        if self.say:
            self.say(mail)
        reply("250 kept")
        return True


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--port", type=int, default=0)
    p.add_argument("--mode", default="ok")
    a = p.parse_args()
    sink = SmtpSink(a.port, a.mode, lambda mail: print(json.dumps(mail), flush=True))
    print("port", sink.port, flush=True)
    for line in sys.stdin:
        sink.mode = line.strip()


if __name__ == "__main__":
    main()
