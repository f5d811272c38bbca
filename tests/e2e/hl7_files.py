"""The HL7 files of the shared collection, for the tests beside this file: a file's message, and how its sender wants to be
answered. It is no test."""
import os
import re

from brain import DATA

HL7 = os.path.join(DATA, "hl7v2")
# Never answered in their turn.
ANSWERS = re.compile(rb"(ACK|MCF)\b")


def message_of(path):
    """The message in a file, without MLLP frame where it has one."""
    with open(os.path.join(HL7, path), "rb") as f:
        data = f.read()
    return data[1:].rstrip(b"\r").removesuffix(b"\x1c") if data.startswith(b"\x0b") else data


def answered_as(message, verdict):
    """The code that this sender gets for AA or AR (standard mode, or what MSH-15 and MSH-16 ask for); "" none."""
    head = message.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n").replace(b"\n", b"\r").split(b"\r")[0]
    f = [b"MSH", head[3:4]] + head.split(head[3:4] or b"|")[1:] + [b""] * 20
    if not message.strip() or ANSWERS.match(f[9]):
        return ""
    if head[3:4] in f[2] or len(set(f[2])) < len(f[2]):
        return verdict  # its delimiters cannot be told apart: nor can what it asks for
    asked = [x.strip().upper() for x in f[15:17]]
    if asked == [b"", b""]:
        return verdict
    wanted = [b"AL", b"SU" if verdict == "AA" else b"ER"]
    return verdict.replace("A", "C", 1) if asked[0] in wanted else verdict if asked[1] in wanted else ""
