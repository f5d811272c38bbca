"""A C-STORE client and a writer of small TID 1500 reports, with the standard library alone: as many objects over one
association as one likes, and the status of each, which a test that counts acknowledgements must know exactly.

    with Association(port) as a: status = a.store(uid, report(uid, order, "ICH Triage", "2.1.0", ICH, 0.94))

store() returns the status of the C-STORE-RSP and raises OSError when the association ends before it. Explicit VR little
endian only; a report is one PDV. Synthetic patients only.
"""
import datetime
import socket
import struct

SR_CLASS = "1.2.840.10008.5.1.4.1.1.88.33"
EXPLICIT = "1.2.840.10008.1.2.1"
LONG = {"SQ", "UT", "OB"}


def element(tag, vr, value):
    if vr == "SQ":
        data = b"".join(struct.pack("<HHI", 0xFFFE, 0xE000, len(i)) + i for i in value)
    else:
        data = value.encode("utf-8")
        data += (b"\0" if vr == "UI" else b" ") * (len(data) % 2)
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr.encode()
    return head + (struct.pack("<HI", 0, len(data)) if vr in LONG else struct.pack("<H", len(data))) + data


def dataset(*elements):
    """(tag, VR, value); written in the order of the tags. A sequence's value is a list of datasets."""
    return b"".join(element(*e) for e in sorted(elements, key=lambda e: e[0]))


def code(tag, value):
    return tag, "SQ", [dataset((0x00080100, "SH", value[0]), (0x00080102, "SH", value[1]), (0x00080104, "LO", value[2]))]


def node(relation, kind, name, *more):
    return dataset((0x0040A010, "CS", relation), (0x0040A040, "CS", kind), code(0x0040A043, name), *more)


def references(order, instances):
    kind = "1.2.840.10008.5.1.4.1.1.2" if order.modality == "CT" else "1.2.840.10008.5.1.4.1.1.1.1"
    return [dataset((0x00081150, "UI", kind), (0x00081155, "UI", i)) for i in instances]


def report(uid, order, model, version, finding, probability, present=True, manufacturer="ExampleVendor"):
    """The dataset of one report about order (hospital.Order): finding = (SNOMED CT code, text)."""
    finding_name, seen = ("121071", "DCM", "Finding"), order.images[:2]
    said = ("52101004", "SCT", "Present") if present else ("2667000", "SCT", "Absent")
    group = [node("HAS CONCEPT MOD", "TEXT", ("111001", "DCM", "Algorithm Name"), (0x0040A160, "UT", model)),
             node("HAS CONCEPT MOD", "TEXT", ("111003", "DCM", "Algorithm Version"), (0x0040A160, "UT", version)),
             node("CONTAINS", "CODE", finding_name, code(0x0040A168, (finding[0], "SCT", finding[1]))),
             node("CONTAINS", "CODE", finding_name, code(0x0040A168, said)),
             node("CONTAINS", "NUM", ("111012", "DCM", "Certainty of Finding"),
                  (0x0040A300, "SQ", [dataset(code(0x004008EA, ("1", "UCUM", "no units")), (0x0040A30A, "DS", str(probability)))]))]
    group += [node("CONTAINS", "IMAGE", ("121112", "DCM", "Source of Measurement"), (0x00081199, "SQ", [r]))
              for r in references(order, seen)]
    groups = node("CONTAINS", "CONTAINER", ("125007", "DCM", "Measurement Group"), (0x0040A050, "CS", "SEPARATE"),
                  (0x0040A730, "SQ", group))
    measured = node("CONTAINS", "CONTAINER", ("126010", "DCM", "Imaging Measurements"), (0x0040A050, "CS", "SEPARATE"),
                    (0x0040A730, "SQ", [groups]))
    evidence = dataset((0x0020000D, "UI", order.study), (0x00081115, "SQ", [dataset(
        (0x0020000E, "UI", order.series), (0x00081199, "SQ", references(order, seen)))]))
    now = datetime.datetime.now(datetime.timezone.utc)
    day, clock = now.strftime("%Y%m%d"), now.strftime("%H%M%S")
    return dataset(
        (0x00080005, "CS", "ISO_IR 192"), (0x00080016, "UI", SR_CLASS), (0x00080018, "UI", uid), (0x00080020, "DA", day),
        (0x00080023, "DA", day), (0x00080030, "TM", clock), (0x00080033, "TM", clock), (0x00080050, "SH", order.accession),
        (0x00080060, "CS", "SR"), (0x00080070, "LO", manufacturer), (0x00080090, "PN", ""), (0x00080201, "SH", "+0000"),
        (0x00081090, "LO", model), (0x00081111, "SQ", []), (0x00100010, "PN", order.name), (0x00100020, "LO", order.patient),
        (0x00100021, "LO", "ZH"), (0x00100030, "DA", order.birth), (0x00100040, "CS", order.sex), (0x00181020, "LO", version),
        (0x0020000D, "UI", order.study), (0x0020000E, "UI", uid + ".1"), (0x00200010, "SH", "1"), (0x00200011, "IS", "900"),
        (0x00200013, "IS", "1"), (0x0040A040, "CS", "CONTAINER"), code(0x0040A043, ("126000", "DCM", "Imaging Measurement Report")),
        (0x0040A050, "CS", "SEPARATE"), (0x0040A372, "SQ", []), (0x0040A375, "SQ", [evidence]), (0x0040A491, "CS", "COMPLETE"),
        (0x0040A493, "CS", "UNVERIFIED"),
        (0x0040A504, "SQ", [dataset((0x00080105, "CS", "DCMR"), (0x0040DB00, "CS", "1500"))]),
        (0x0040A730, "SQ", [measured]))


def _item(kind, data):
    return struct.pack(">BBH", kind, 0, len(data)) + data


class Association:
    def __init__(self, port, calling="TESTAI", called="SPOED", timeout=10):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.number = 0
        try:
            context = b"\x01\0\0\0" + _item(0x30, SR_CLASS.encode()) + _item(0x40, EXPLICIT.encode())
            user = _item(0x51, struct.pack(">I", 65536)) + _item(0x52, b"2.25.20261122")
            body = (struct.pack(">HH", 1, 0) + called.ljust(16).encode() + calling.ljust(16).encode() + bytes(32)
                    + _item(0x10, b"1.2.840.10008.3.1.1.1") + _item(0x20, context) + _item(0x50, user))
            self.sock.sendall(struct.pack(">BBI", 1, 0, len(body)) + body)
            kind, _ = self.pdu()
            if kind != 2:
                raise OSError(f"the association was refused (PDU {kind})")
        except BaseException:
            self.sock.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        try:
            if not kind:
                self.sock.sendall(struct.pack(">BBII", 5, 0, 4, 0))
                self.pdu()
        except OSError:
            pass
        finally:
            self.sock.close()

    def exactly(self, n):
        data = b""
        while len(data) < n:
            piece = self.sock.recv(n - len(data))
            if not piece:
                raise ConnectionResetError("the association ended")
            data += piece
        return data

    def pdu(self):
        kind, _, n = struct.unpack(">BBI", self.exactly(6))
        return kind, self.exactly(n)

    def store(self, uid, data):
        self.number = self.number % 65535 + 1

        def part(element_number, value):
            return struct.pack("<HHI", 0, element_number, len(value)) + value

        def text(value):
            return value.encode() + b"\0" * (len(value) % 2)
        command = (part(0x0002, text(SR_CLASS)) + part(0x0100, struct.pack("<H", 1)) + part(0x0110, struct.pack("<H", self.number))
                   + part(0x0700, struct.pack("<H", 0)) + part(0x0800, struct.pack("<H", 1)) + part(0x1000, text(uid)))
        command = part(0x0000, struct.pack("<I", len(command))) + command
        pdus = b""
        for flags, value in ((3, command), (2, data)):
            pdv = struct.pack(">IBB", len(value) + 2, 1, flags) + value
            pdus += struct.pack(">BBI", 4, 0, len(pdv)) + pdv
        self.sock.sendall(pdus)
        kind, answer = self.pdu()
        if kind != 4:
            raise ConnectionResetError(f"the association ended (PDU {kind})")
        at = 6
        while at + 8 <= len(answer):
            _, number, n = struct.unpack_from("<HHI", answer, at)
            if number == 0x0900:
                return struct.unpack_from("<H", answer, at + 8)[0]
            at += 8 + n
        raise OSError("an answer without a status")
