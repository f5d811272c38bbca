#!/usr/bin/env python3
"""Checks every #include against the rooms of CMakeLists.txt, and greps for banned functions.

The table of rooms (spd_room lines) is read from CMakeLists.txt: a file may include headers of its own room and of
the rooms below it, directly or through one of them. What the build cannot say stands in the tables here: which
folders see DCMTK or the Orthanc header, which functions are banned and where. Prints file:line: text; exit 1.
"""
import re
import sys
from pathlib import Path

root = Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()

# Rooms outside the table: folder -> rooms they may stand on.
EXTRA = {
    "src/dicom": ["base", "model", "result"],
    "plugin/orthanc": ["client", "base"],
    "plugin/embed": ["client", "base"],
}
# Headers of others that only some folders may see.
ONLY = [
    (re.compile(r"^dcmtk/"), ["src/dicom"]),
    (re.compile(r"^orthanc/|^OrthancC"), ["plugin/orthanc"]),
    (re.compile(r"^sqlite3\.h$"), ["src/store"]),
    (re.compile(r"^microhttpd\.h$"), ["src/web"]),
    (re.compile(r"^curl/"), ["src/channel", "src/cli"]),
    (re.compile(r"^openssl/"), ["src/base", "src/channel", "src/net", "src/dicom"]),
    (re.compile(r"^yaml\.h$"), ["src/base"]),
]
# core sees no socket.
NEVER = [(re.compile(r"^sys/socket\.h$|^netinet/|^arpa/|^netdb\.h$"),
          ["src/core", "src/model", "src/rules", "src/result", "src/report", "src/store", "src/queue", "src/list",
           "hl7/v2", "hl7/map"])]
# Known exceptions, each with its reason; to be few.
EXCEPT = {
    ("src/result/frame.c", "sys/socket.h"): "frames between the brain and its DICOM processes, linked by both sides",
    ("src/cli/cmd_db.c", "sqlite3.h"): "db status and backup look at the file beneath the store",
}
BANNED = ["strcpy", "strcat", "sprintf", "vsprintf", "strtok", "strtok_r", "atoi", "atol", "atof", "strtol", "strtoul",
          "strtoll", "strtod", "sscanf", "gets", "localtime", "gmtime", "system", "popen", "alloca"]
MEMORY = ["malloc", "calloc", "realloc", "free", "strdup"]
# strdup and free pairs with libraries that hand out malloc'd memory are looked at by hand there.
MEMORY_OK = ["src/base", "src/dicom", "plugin", "tests", "hl7/v2", "src/client"]
WORD = re.compile(r"(?<![\w.>])(" + "|".join(BANNED) + r")\s*\(")
MEMORY_WORD = re.compile(r"(?<![\w.>])(" + "|".join(m for m in MEMORY if m != "strdup") + r")\s*\(")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')

problems = []


def say(path, line, text):
    problems.append(f"{path.relative_to(root)}:{line}: {text}")


def rooms():
    table = {}
    for m in re.finditer(r"^spd_room\((\w+)\s+(\S+)\s*([^)]*)\)", (root / "CMakeLists.txt").read_text(), re.M):
        below = [w for w in m.group(3).split() if re.fullmatch(r"[a-z][a-z_0-9]*", w)]
        table[m.group(1)] = (m.group(2), below)
    return table


def reach(table, name, seen=None):
    seen = set() if seen is None else seen
    if name in seen or name not in table:
        return seen
    seen.add(name)
    for b in table[name][1]:
        reach(table, b, seen)
    return seen


def order_is_downward(table):
    """A room may stand only on rooms that come before it."""
    names = list(table)
    for i, n in enumerate(names):
        for b in table[n][1]:
            if b in table and names.index(b) >= i:
                problems.append(f"CMakeLists.txt: room {n} stands on {b}, which is not below it")


def blank(text):
    """The code without comments and strings, lines kept."""
    def keep_lines(m):
        return re.sub(r"[^\n]", " ", m.group(0))
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', keep_lines, text, flags=re.S)


def room_of(folders, rel):
    """The room whose folder is the longest prefix of the path."""
    best = None
    for folder, name in folders.items():
        if rel == folder or rel.startswith(folder + "/"):
            if best is None or len(folder) > len(best[0]):
                best = (folder, name)
    return best


def check_file(path, folders, allowed):
    rel = str(path.relative_to(root))
    own = room_of(folders, str(path.parent.relative_to(root)))
    if own is None:
        return
    folder, name = own
    text = path.read_text(encoding="utf-8", errors="replace")
    for number, line in enumerate(text.split("\n"), 1):
        m = INCLUDE.match(line)
        if not m:
            continue
        what = m.group(2)
        if (rel, what) in EXCEPT:
            continue
        for pattern, where in ONLY:
            if pattern.search(what) and not any(rel.startswith(w + "/") for w in where):
                say(path, number, f"{what} may be seen by {', '.join(where)} only")
        for pattern, where in NEVER:
            if pattern.search(what) and any(rel.startswith(w + "/") for w in where):
                say(path, number, f"{what}: this room sees no socket")
        if m.group(1) != '"':
            continue
        target = next((p for p in (path.parent / what, root / "src" / what, root / what, root / "include" / what)
                       if p.exists()), None)
        if target is None:
            continue  # made at build time
        other = room_of(folders, str(target.resolve().parent.relative_to(root)))
        if other is None or other[1] == name or other[1] in allowed[name]:
            continue
        say(path, number, f"room {name} ({folder}) may not include {what} of room {other[1]}")
    code = blank(text)
    for number, line in enumerate(code.split("\n"), 1):
        for m in WORD.finditer(line):
            say(path, number, f"{m.group(1)}() is banned")
        if not any(rel.startswith(w + "/") for w in MEMORY_OK):
            for m in MEMORY_WORD.finditer(line):
                say(path, number, f"{m.group(1)}() outside src/base: use an arena, spd_must_malloc, spd_free")


def main():
    table = rooms()
    order_is_downward(table)
    folders = {folder: name for name, (folder, _) in table.items()}
    allowed = {name: reach(table, name) for name in table}
    for folder, below in EXTRA.items():
        folders[folder] = folder
        allowed[folder] = set().union(*(reach(table, b) for b in below))
    n = 0
    for top in ("src", "hl7", "plugin"):
        for path in sorted((root / top).rglob("*")):
            if path.suffix in (".c", ".h", ".cc", ".cpp", ".hpp"):
                n += 1
                check_file(path, folders, allowed)
    print("\n".join(problems) if problems else f"includes: {n} files, {len(table)} rooms, all downward; no banned function")
    return 1 if problems else 0


sys.exit(main())
