#!/usr/bin/env python3
"""A RIS stand-in: an MLLP server that records what it receives and answers as told, and an MLLP client.

As a module: Ris(port=0, mode="aa") has .port, .messages (list of str), .set(mode), .down(), .up(), .stop();
send(port, text) sends one message and returns the answer. On the command line it prints "port N" and then a
JSON line for every message; a line on standard input sets the mode.

Modes: aa ae ar ca   answer so
       none          never answer            close   read, then close without an answer
       late:SECONDS  answer that much later  wrong   answer AA to another MSA-2
       previous      answer each message with the MSA-2 of the one before
       twice         answer every message two times
       garbage       answer with bytes that are no frame
       half          close after the first byte of a message
With echo=PORT every priority message is sent back as the RIS's own change (MSH-10 anew).
"""
import argparse
import json
import socket
import socketserver
import sys
import threading
import time

VT, END = b"\x0b", b"\x1c\r"


def fields(message, segment):
    """The fields of the first such segment, numbered as in the standard ([1] is field 1)."""
    for line in message.split("\r"):
        if line.startswith(segment + "|"):
            f = line.split("|")
            return [segment, "|"] + f[1:] if segment == "MSH" else f
    return []


def ack(message, code, control_id=None, text=""):
    msh = fields(message, "MSH") + [""] * 12
    stamp = time.strftime("%Y%m%d%H%M%S")
    own = f"RA{time.monotonic_ns()}"
    return (f"MSH|^~\\&|{msh[5]}|{msh[6]}|{msh[3]}|{msh[4]}|{stamp}||ACK|{own}|P|{msh[12] or '2.5'}\r"
            f"MSA|{code}|{msh[10] if control_id is None else control_id}|{text}\r")


def frame(text):
    return VT + text.encode("latin-1", "replace") + END


def read_frame(sock, rest=b""):
    """One frame's text and what came behind it; ("", b"") at the end of the connection."""
    data = rest
    while END not in data:
        piece = sock.recv(65536)
        if not piece:
            return "", b""
        data += piece
    whole, rest = data.split(END, 1)
    return whole.lstrip(VT).decode("latin-1"), rest


def send(port, text, timeout=10, host="127.0.0.1"):
    with socket.create_connection((host, port), timeout=timeout) as sock:
        sock.sendall(frame(text))
        return read_frame(sock)[0]


class Ris:
    def __init__(self, port=0, mode="aa", echo=None, say=None):
        self.mode, self.echo, self.say = mode, echo, say
        self.messages, self.connections = [], 0
        self.lock, self.live = threading.Lock(), set()
        self.port, self.server = port, None
        self.up()

    def up(self):
        owner = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                owner.serve(self.request)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address, daemon_threads = True, True

        self.server = Server(("127.0.0.1", self.port), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def down(self):
        """Stops listening and drops every connection; up() takes the same port again."""
        self.server.shutdown()
        self.server.server_close()
        with self.lock:
            for sock in self.live:
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    stop = down

    def set(self, mode):
        self.mode = mode

    def of_type(self, prefix):
        with self.lock:
            return [m for m in self.messages if (fields(m, "MSH") + [""] * 10)[9].startswith(prefix)]

    def serve(self, sock):
        with self.lock:
            self.live.add(sock)
            self.connections += 1
        previous, rest = "NONE", b""
        try:
            while True:
                if self.mode == "half":
                    sock.recv(1)
                    return
                message, rest = read_frame(sock, rest)
                if not message:
                    return
                with self.lock:
                    self.messages.append(message)
                if self.say:
                    self.say(message)
                if not self.answer(sock, message, previous):
                    return
                previous = (fields(message, "MSH") + [""] * 11)[10]
                if self.echo and message.find("ORC|XO") >= 0:
                    threading.Thread(target=self.send_back, args=(message,), daemon=True).start()
        except OSError:
            pass
        finally:
            with self.lock:
                self.live.discard(sock)
            sock.close()

    def answer(self, sock, message, previous):
        mode, _, arg = self.mode.partition(":")
        if mode == "none":
            return True
        if mode == "close":
            return False
        if mode == "late":
            time.sleep(float(arg or 1))
        if mode == "garbage":
            sock.sendall(b"no frame at all\r\n")
            return True
        wrong = {"wrong": "SOMETHING-ELSE", "previous": previous}.get(mode)
        reply = frame(ack(message, mode.upper() if mode in ("ae", "ar", "ca") else "AA", wrong))
        sock.sendall(reply * 2 if mode == "twice" else reply)
        return True

    def send_back(self, message):
        lines = message.split("\r")
        msh = lines[0].split("|")
        msh[2], msh[3], msh[4], msh[5] = msh[4], msh[5], msh[2], msh[3]
        msh[9] = f"ECHO{time.monotonic_ns()}"
        lines[0] = "|".join(msh)
        try:
            send(self.echo, "\r".join(lines))
        except OSError:
            pass


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--port", type=int, default=0)
    p.add_argument("--mode", default="aa")
    p.add_argument("--echo", type=int, help="MLLP port that priority messages are sent back to")
    p.add_argument("--send", type=int, metavar="PORT", help="send standard input as one message and print the answer")
    a = p.parse_args()
    if a.send:
        print(send(a.send, sys.stdin.read().replace("\n", "\r")).replace("\r", "\n"))
        return
    ris = Ris(a.port, a.mode, a.echo, lambda m: print(json.dumps({"message": m}), flush=True))
    print("port", ris.port, flush=True)
    for line in sys.stdin:
        ris.set(line.strip())


if __name__ == "__main__":
    main()
