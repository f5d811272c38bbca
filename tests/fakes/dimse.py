"""Any DIMSE service as a client, with the standard library alone: N-CREATE, N-SET, N-GET, N-ACTION, N-DELETE,
N-EVENT-REPORT, C-FIND, C-ECHO and raw commands, over one association with as many presentation contexts as one likes.

    with Dimse(port, [MPPS]) as a: status, data = a.n_create(MPPS, uid, dataset(...))

Datasets are bytes in explicit VR little endian (scu.dataset). A request returns (status, dataset bytes); the whole last
command set stands in a.answer (element -> bytes). OSError when the association ends first. Synthetic patients only.
"""
import struct

from scu import EXPLICIT, Association, _item, dataset, element  # noqa: F401

MPPS = "1.2.840.10008.3.1.2.3.3"
IAN = "1.2.840.10008.5.1.4.33"
MWL = "1.2.840.10008.5.1.4.31"
VERIFICATION = "1.2.840.10008.1.1"
UPS_PUSH, UPS_WATCH, UPS_PULL, UPS_EVENT, UPS_QUERY = (f"1.2.840.10008.5.1.4.34.6.{n}" for n in range(1, 6))
N_EVENT_REPORT, N_GET, N_SET, N_ACTION, N_CREATE, N_DELETE = 0x0100, 0x0110, 0x0120, 0x0130, 0x0140, 0x0150


def part(number, value):
    return struct.pack("<HHI", 0, number, len(value)) + value


def us(number, value):
    return part(number, struct.pack("<H", value))


def uid(number, value):
    data = value.encode()
    return part(number, data + b"\0" * (len(data) % 2))


def command_set(*parts):
    body = b"".join(parts)
    return part(0x0000, struct.pack("<I", len(body))) + body


class Dimse(Association):
    def __init__(self, port, classes, calling="TESTSCU", called="SPOED", timeout=20, sock=None):
        import socket
        self.sock = sock or socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.number, self.answer = 0, {}
        self.contexts = {c: 2 * i + 1 for i, c in enumerate(classes)}
        try:
            items = b"".join(_item(0x20, struct.pack("B", n) + b"\0\0\0" + _item(0x30, c.encode()) + _item(0x40, EXPLICIT.encode()))
                             for c, n in self.contexts.items())
            user = _item(0x51, struct.pack(">I", 65536)) + _item(0x52, b"2.25.20261122")
            body = (struct.pack(">HH", 1, 0) + called.ljust(16).encode() + calling.ljust(16).encode() + bytes(32)
                    + _item(0x10, b"1.2.840.10008.3.1.1.1") + items + _item(0x50, user))
            self.sock.sendall(struct.pack(">BBI", 1, 0, len(body)) + body)
            kind, accepted = self.pdu()
            if kind != 2:
                raise OSError(f"the association was refused (PDU {kind})")
            self.accepted = self._accepted(accepted)
        except BaseException:
            self.sock.close()
            raise

    def _accepted(self, body):
        """The classes whose contexts were accepted."""
        at, names, got = 68, {n: c for c, n in self.contexts.items()}, set()
        while at + 4 <= len(body):
            kind, _, n = struct.unpack_from(">BBH", body, at)
            if kind == 0x21 and body[at + 6] == 0:
                got.add(names[body[at + 4]])
            at += 4 + n
        return got

    def send(self, context, command, data=b""):
        pdus = b""
        for flags, value in ((3, command), (2, data)):
            if value:
                for at in range(0, len(value), 32000):
                    piece = value[at:at + 32000]
                    last = at + 32000 >= len(value)
                    pdv = struct.pack(">IBB", len(piece) + 2, context, flags if last else flags & 1) + piece
                    pdus += struct.pack(">BBI", 4, 0, len(pdv)) + pdv
        self.sock.sendall(pdus)

    def message(self, command):
        """The next command set (or data set): its bytes."""
        data, last = b"", False
        while not last:
            kind, body = self.pdu()
            if kind != 4:
                raise ConnectionResetError(f"the association ended (PDU {kind})")
            at = 0
            while at < len(body):
                n, _, flags = struct.unpack_from(">IBB", body, at)
                if bool(flags & 1) != command:
                    raise OSError("a data set where a command must be, or the other way round")
                data, last = data + body[at + 6:at + 4 + n], bool(flags & 2)
                at += 4 + n
        return data

    def response(self):
        raw, at, self.answer = self.message(True), 0, {}
        while at + 8 <= len(raw):
            _, number, n = struct.unpack_from("<HHI", raw, at)
            self.answer[number] = raw[at + 8:at + 8 + n]
            at += 8 + n
        status = struct.unpack("<H", self.answer[0x0900])[0]
        data = self.message(False) if self.answer[0x0800] != b"\x01\x01" else b""
        return status, data

    def comment(self):
        return self.answer.get(0x0902, b"").decode().strip()

    def request(self, field, abstract, sop_uid="", data=b"", type_id=None, tags=(), sop_class=None):
        self.number = self.number % 65535 + 1
        affected = field in (N_CREATE, N_EVENT_REPORT)
        parts = [uid(0x0002 if affected else 0x0003, sop_class or abstract), us(0x0100, field), us(0x0110, self.number),
                 us(0x0800, 1 if data else 0x0101)]
        if sop_uid:
            parts.append(uid(0x1000 if affected else 0x1001, sop_uid))
        if field == N_EVENT_REPORT:
            parts.append(us(0x1002, type_id))
        if tags:
            parts.append(part(0x1005, b"".join(struct.pack("<HH", t >> 16, t & 0xFFFF) for t in tags)))
        if field == N_ACTION:
            parts.append(us(0x1008, type_id))
        self.send(self.contexts[abstract], command_set(*parts), data)
        return self.response()

    def n_create(self, abstract, sop_uid, data, **more):
        return self.request(N_CREATE, abstract, sop_uid, data, **more)

    def n_set(self, abstract, sop_uid, data, **more):
        return self.request(N_SET, abstract, sop_uid, data, **more)

    def n_get(self, abstract, sop_uid, tags=(), **more):
        return self.request(N_GET, abstract, sop_uid, tags=tags, **more)

    def n_action(self, abstract, sop_uid, type_id, data=b"", **more):
        return self.request(N_ACTION, abstract, sop_uid, data, type_id=type_id, **more)

    def echo(self):
        self.number = self.number % 65535 + 1
        self.send(self.contexts[VERIFICATION], command_set(uid(2, VERIFICATION), us(0x0100, 0x0030), us(0x0110, self.number), us(0x0800, 0x0101)))
        return self.response()[0]

    def find(self, abstract, keys):
        """(final status, answers)"""
        self.number = self.number % 65535 + 1
        self.send(self.contexts[abstract], command_set(uid(2, abstract), us(0x0100, 0x0020), us(0x0110, self.number), us(0x0700, 0),
                                                       us(0x0800, 1)), keys)
        answers = []
        while True:
            status, data = self.response()
            if status not in (0xFF00, 0xFF01):
                return status, answers
            answers.append(data)
