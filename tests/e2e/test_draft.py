#!/usr/bin/env python3
"""A normal chest film: its draft is offered, accepted by a reporter and sent once; nobody else can accept it, nor
unread, nor after something changed; a RIS that does not take the report gives the item back; and what is not certainly
normal gets no draft and says why."""
import time

from brain import PTX, Brain, Order, check, done, equal, fields, scene, send, stamp, until

MODELS = """
models:
  - id: chest-a
    match: {manufacturer: ExampleVendor, name: Chest Film, versions: ["5.2"]}
    mode: live
    required: true
    expected_within: 5m
    for: {modality: [CR, DX], body_part: CHEST, age: ">= 18y"}
    findings: {pneumothorax: {threshold: 0.7}}
  - id: chest-normal-a
    match: {manufacturer: ExampleVendor, name: Chest Normal, versions: ["1.0"]}
    mode: live
    required: true
    expected_within: 5m
    for: {modality: [CR, DX], body_part: CHEST, age: ">= 18y"}
  - id: chest-b # not required; what it finds counts all the same
    match: {manufacturer: ExampleVendor, name: Second Reader, versions: ["2.0"]}
    mode: live
    for: {modality: [CR, DX], body_part: CHEST}
"""


def brain(ris_mode="aa", send=", total_timeout: 1s", **site):
    return Brain(speed=1, models=MODELS, ris_mode=ris_mode, send=send, users={},
                 site={"min_dwell": "500ms", "undo": "300ms", "complete_after": "60s", **site})


def film(b, accession, patient, found=False, normal=True, birth="19700101"):
    o = Order(accession, patient, "ZZNORMAL^Test", "XTHORAX", "X-thorax", "DX", "POLI", birth=birth)
    ok = b.order(o) == "AA" and b.images(o) == 200
    ok &= b.result(o, "Chest Film", "5.2", PTX, present=found, probability=0.93 if found else 0.02)
    if normal:
        ok &= b.result(o, "Chest Normal", "1.0")
    check(f"order, images and results of {accession} are in", ok)
    return o


def draft(b, accession):
    """(item id, draft, its ETag) once it is offered."""
    if not check(f"a draft is offered for {accession}", until(lambda: b.item(accession).get("draft"), 5), b.item(accession).get("no_draft")):
        return b.item(accession).get("id"), {}, None
    item = b.item(accession)["id"]
    status, body, headers = b.call("GET", f"/api/v1/items/{item}/draft", who="smit")
    return item, body if status == 200 else {}, headers.get("ETag")


def read(b, item):
    equal("its images were opened", b.act(f"items/{item}/opened"), 200)
    time.sleep(0.6)


def accept(b, item, tag, who="smit", body=None):
    return b.act(f"items/{item}/draft/accept", body, who, {"If-Match": tag} if tag else None)


def none_offered(b, accession, words, why):
    reason = until(lambda: b.item(accession).get("no_draft") if not b.item(accession).get("draft") else None, 5) or ""
    check(f"no draft {why}", reason, b.item(accession).get("draft"))
    check("and it says so", any(w in reason for w in words), reason)
    item = b.item(accession)["id"]
    status, problem, _ = b.call("GET", f"/api/v1/items/{item}/draft", who="smit")
    equal("GET draft is 404 with that reason", (status, (problem or {}).get("detail")), (404, reason))
    check("nor can one be accepted", accept(b, item, '"1"') in (404, 412))


def accepted_and_sent_once():
    with brain() as b:
        b.cli("user", "add", "lezer", "--role", "reader", text="password-of-lezer\n")
        film(b, "FILM1", "860001")
        item, text, tag = draft(b, "FILM1")
        check("the draft is a Dutch text with its models", text.get("language") == "nl" and len(text.get("models", [])) == 2 and text.get("text"), text)
        equal("its ETag is its version", tag, f'"{text.get("version")}"')
        equal("refused to a clinician", accept(b, item, tag, "visser"), 403)
        equal("refused to a manager", accept(b, item, tag, "boss"), 403)
        equal("refused to a hook", accept(b, item, tag, "orthanc"), 403)
        equal("refused without a login", b.call("POST", f"/api/v1/items/{item}/draft/accept", {}, None, {"If-Match": tag})[0], 401)
        equal("refused without If-Match", accept(b, item, None), 428)
        equal("refused with If-Match: *", accept(b, item, "*"), 428)
        equal("refused with another version", accept(b, item, '"1"'), 412)
        check("refused when the images were not opened", accept(b, item, tag) in (409, 422))
        b.act(f"items/{item}/opened")
        check("refused at once after opening", accept(b, item, tag) in (409, 422))
        time.sleep(0.6)
        equal("accepted by a reporter", accept(b, item, tag), 200)
        equal("the item is preliminary", until(lambda: b.item("FILM1")["status"] == "preliminary" and b.item("FILM1")["status"]), "preliminary")
        check("and off the reading list", "FILM1" not in [i["accession"]["value"] for i in b.worklist()])
        got = until(lambda: b.ris.of_type("ORU"), 5)
        time.sleep(2)
        equal("one ORU^R01 was received", [fields(m, "MSH")[9].split("^")[:2] for m in b.ris.of_type("ORU")], [["ORU", "R01"]])
        obx = [s.split("|") for s in got[0].split("\r") if s.startswith("OBX")]
        said = " ".join(f[5] for f in obx).encode("latin-1", "replace").decode("utf-8", "replace")
        equal("of the order it belongs to", [fields(got[0], "OBR")[n].split("^")[0] for n in (2, 3)], ["PFILM1", "FFILM1"])
        check("its OBX is the draft's text", obx and all(line.strip() in said.replace("\\.br\\", "\n") for line in text["text"].split("\n")[:1]), said)
        equal("a second acceptance", accept(b, item, tag), 412)
        equal("the order's patient is the report's", fields(got[0], "PID")[3], "860001^^^ZH^PI")
        oru = "\r".join([f"MSH|^~\\&|RIS|ZH|SPOED|ZH|{stamp()}||ORU^R01^ORU_R01|RISFINAL1|P|2.5|||||||UNICODE UTF-8", "PID|1||860001^^^ZH^PI",
                         f"OBR|1|PFILM1|FFILM1|XTHORAX^X-thorax^L||||||||||||||FILM1||||{stamp()}|||F", "OBX|1|TX|||Geen afwijkingen.||||||F", ""])
        equal("the RIS's own final is taken", fields(send(b.mllp, oru), "MSA")[1], "AA")
        equal("and makes it final", until(lambda: b.item("FILM1")["status"] == "final" and "final"), "final")


def edited_and_undone():
    with brain(undo="2s") as b:
        film(b, "FILM2", "860002")
        item, text, tag = draft(b, "FILM2")
        read(b, item)
        equal("accepted", accept(b, item, tag), 200)
        equal("and undone in time", b.act(f"items/{item}/draft/undo"), 200)
        item, text, tag2 = draft(b, "FILM2")
        check("offered again under another version", tag2 and tag2 != tag, (tag, tag2))
        time.sleep(2.5)
        equal("nothing was sent", len(b.ris.of_type("ORU")), 0)
        equal("the old version is refused", accept(b, item, tag), 412)
        equal("accepted with a text of one's own", accept(b, item, tag2, body={"text": "Geen afwijkingen; eigen woorden."}), 200)
        got = until(lambda: b.ris.of_type("ORU"), 6)
        check("which is what the RIS gets", got and "eigen woorden" in got[0], got)


def something_changed():
    with brain() as b:
        o = film(b, "FILM3", "860003")
        item, _, tag = draft(b, "FILM3")
        read(b, item)
        equal("an image that no model saw comes late", b.images(o, 2, 1), 200)
        equal("the version that was read is refused", accept(b, item, tag), 412)
        none_offered(b, "FILM3", ("image",), "with an image that no model saw")
        o = film(b, "FILM4", "860004")
        item, _, tag = draft(b, "FILM4")
        read(b, item)
        check("a positive result comes late", b.result(o, "Second Reader", "2.0", PTX, probability=0.9))
        equal("the version that was read is refused", accept(b, item, tag), 412)
        none_offered(b, "FILM4", ("finding",), "with a positive of a model that is not required")
        o = film(b, "FILM5", "860005")
        item, _, tag = draft(b, "FILM5")
        read(b, item)
        equal("the order changes", b.order(o, "XO", priority="A"), "AA")
        equal("the version that was read is refused", accept(b, item, tag), 412)
        equal("no report was sent of any", len(b.ris.of_type("ORU")), 0)


def nothing_changed():
    with brain(complete_after="4s") as b:
        film(b, "FILM11", "860011")
        item, _, tag = draft(b, "FILM11")
        read(b, item)
        equal("the study counts as complete", until(lambda: b.item("FILM11").get("images") == "complete" and "complete", 10), "complete")
        equal("which takes no draft away from its reader", accept(b, item, tag), 200)


def no_draft():
    with brain() as b:
        film(b, "FILM6", "860006", found=True)
        none_offered(b, "FILM6", ("finding",), "with a positive result")
        film(b, "FILM7", "860007", normal=False)
        none_offered(b, "FILM7", ("missing",), "with a required result missing")
        film(b, "FILM8", "860008", birth=time.strftime("%Y") + "0101")
        none_offered(b, "FILM8", ("required", "intended"), "for a child: outside the intended use")
        o = film(b, "FILM9", "860009")
        draft(b, "FILM9")
        equal("the order is cancelled", b.order(o, "CA"), "AA")
        none_offered(b, "FILM9", ("cancelled",), "for a cancelled order")


def not_taken(mode, what):
    with brain(ris_mode=mode, report_timeout="4s") as b:
        film(b, "FILM10", "860010")
        item, _, tag = draft(b, "FILM10")
        read(b, item)
        equal("accepted", accept(b, item, tag), 200)
        check(f"{what}: back with the reason report-not-delivered", until(lambda: "report-not-delivered" in b.rules_of("FILM10"), 20), b.item("FILM10"))
        check("on the reading list", "FILM10" in [(i["accession"] or {}).get("value") for i in b.worklist()])
        check("a person is alarmed", "report-not-delivered" in b.alarms(), b.alarms())
        said = [r["text"] for r in b.item("FILM10", "nl")["reasons"] if r["rule"] == "report-not-delivered"]
        check("in Dutch too", said and said[0], said)


for scene_of in (accepted_and_sent_once, edited_and_undone, something_changed, nothing_changed, no_draft):
    with scene(scene_of.__name__.replace("_", " ")):
        scene_of()
for mode, what in (("ar", "a RIS that answers AR"), ("none", "a RIS that does not answer"), ("close", "a RIS that hangs up")):
    with scene(what):
        not_taken(mode, what)
done()
