#!/usr/bin/env python3
"""MPPS and Instance Availability Notification against a running brain: a step takes the order off the modality
worklist, its end brings it to the reporting list, a notice completes the study; status codes; another patient's step
changes nothing. By a client of our own, and by python3-odil where it is installed."""
from brain import Brain, Order, check, done, equal, scene, skip, until
from dimse import IAN, MPPS, N_DELETE, Dimse, dataset, struct  # noqa: F401
from hospital import uid

ONLINE, NEARLINE, UNAVAILABLE = "ONLINE", "NEARLINE", "UNAVAILABLE"


def begin(order, patient=None, status="IN PROGRESS", study=None):
    step = dataset((0x0020000D, "UI", order.study if study is None else study), (0x00080050, "SH", order.accession))
    return dataset((0x00080005, "CS", "ISO_IR 100"), (0x00100010, "PN", order.name), (0x00100020, "LO", patient or order.patient),
                   (0x00100021, "LO", "ZH"), (0x00400241, "AE", "CT1"), (0x00400244, "DA", "20260101"), (0x00400245, "TM", "080000"),
                   (0x00400252, "CS", status), (0x00400253, "SH", "PPS1"), (0x00400270, "SQ", [step]))


def end(order, status="COMPLETED", images=2, reason=None):
    refs = [dataset((0x00081150, "UI", "1.2.840.10008.5.1.4.1.1.2"), (0x00081155, "UI", i)) for i in order.images[:images]]
    parts = [(0x00400250, "DA", "20260101"), (0x00400251, "TM", "081000"), (0x00400252, "CS", status),
             (0x00400340, "SQ", [dataset((0x0020000E, "UI", order.series), (0x00081140, "SQ", refs))])]
    if reason:
        parts.append((0x00400281, "SQ", [dataset((0x00080100, "SH", reason[0]), (0x00080102, "SH", "DCM"), (0x00080104, "LO", reason[1]))]))
    return dataset(*parts)


def notice(order, availability, images=3):
    refs = [dataset((0x00080054, "AE", "PACS"), (0x00080056, "CS", a), (0x00081150, "UI", "1.2.840.10008.5.1.4.1.1.2"),
                    (0x00081155, "UI", i)) for i, a in zip(order.images[:images], availability)]
    return dataset((0x0020000D, "UI", order.study), (0x00081111, "SQ", []),
                   (0x00081115, "SQ", [dataset((0x0020000E, "UI", order.series), (0x00081199, "SQ", refs))]))


def ordered(b, number, **more):
    o = Order(f"MPPS{number}", f"77{number:04}", **more)
    equal(f"order {number} is taken", b.order(o), "AA")
    return o


def on_modality(b, o):
    return o.accession in b.find("SPOED")


def an_acquisition(b, a):
    o, step = ordered(b, 1), uid()
    check("it is offered to the scanners", until(lambda: on_modality(b, o)))
    equal("N-CREATE is taken", a.n_create(MPPS, step, begin(o)), (0, b""))
    check("a begun step is offered to nobody else", until(lambda: not on_modality(b, o)))
    equal("it is not to be read yet", b.item(o.accession)["status"], "ordered")
    equal("the same step again is a duplicate", a.n_create(MPPS, step, begin(o))[0], 0x0111)
    equal("N-SET is taken", a.n_set(MPPS, step, end(o))[0], 0)
    check("it is to be read", until(lambda: b.item(o.accession)["status"] == "arrived"))
    equal("its images are partly there", b.item(o.accession)["images"], "partial")
    equal("the same N-SET again is taken", a.n_set(MPPS, step, end(o))[0], 0)
    equal("another one is refused: it has ended", a.n_set(MPPS, step, end(o, "DISCONTINUED"))[0], 0x0110)
    check("with a comment", "no longer" in a.comment(), a.comment())
    check("it stays off the modality worklist", not on_modality(b, o))
    equal("a notice that one image cannot be had", a.n_create(IAN, uid(), notice(o, [ONLINE, NEARLINE, UNAVAILABLE]))[0], 0)
    equal("is no complete study", b.item(o.accession)["images"], "partial")
    equal("a notice that all can be had", a.n_create(IAN, uid(), notice(o, [ONLINE, NEARLINE, ONLINE]))[0], 0)
    check("makes the study complete", until(lambda: b.item(o.accession)["images"] == "complete"))


def a_notice_before_the_end(b, a):
    o, step = ordered(b, 2), uid()
    a.n_create(MPPS, step, begin(o))
    equal("a notice while the scanner is at it", a.n_create(IAN, uid(), notice(o, [ONLINE] * 3))[0], 0)
    check("brings images", until(lambda: b.item(o.accession)["images"] == "partial"))
    a.n_set(MPPS, step, end(o))
    check("the step's end completes the study", until(lambda: b.item(o.accession)["images"] == "complete"))


def discontinued(b, a):
    for number, (code, images, wanted, offered) in enumerate([
            (("110501", "Equipment failure"), 0, "none", True), (("110513", "Discontinued for unspecified reason"), 1, "partial", False),
            (("110514", "Incorrect worklist entry selected"), 2, "none", True)], 3):
        o, step = ordered(b, number), uid()
        a.n_create(MPPS, step, begin(o))
        check(f"{code[1]}: begun", until(lambda: not on_modality(b, o)))
        equal(f"{code[1]}: N-SET is taken", a.n_set(MPPS, step, end(o, "DISCONTINUED", images, code))[0], 0)
        check(f"{code[1]}: images {wanted}", until(lambda: b.item(o.accession)["images"] == wanted), b.item(o.accession).get("images"))
        check(f"{code[1]}: {'offered again' if offered else 'offered no more'}", until(lambda: on_modality(b, o) == offered))


def what_is_refused(b, a):
    o = ordered(b, 6)
    rows = [("a step that nobody began", lambda: a.n_set(MPPS, uid(), end(o)), 0x0112),
            ("a step that begins completed", lambda: a.n_create(MPPS, uid(), begin(o, status="COMPLETED")), 0x0106),
            ("a word that is no status", lambda: a.n_create(MPPS, uid(), begin(o, status="BUSY")), 0x0106),
            ("no status", lambda: a.n_create(MPPS, uid(), begin(o, status="")), 0x0120),
            ("no scheduled step", lambda: a.n_create(MPPS, uid(), dataset((0x00400252, "CS", "IN PROGRESS"))), 0x0120),
            ("a scheduled step without a study", lambda: a.n_create(MPPS, uid(), begin(o, study="")), 0x0121),
            ("no data set", lambda: a.n_create(MPPS, uid(), b""), 0x0120),
            ("N-GET of a step", lambda: a.n_get(MPPS, uid()), 0x0211),
            ("N-DELETE of a step", lambda: a.request(N_DELETE, MPPS, uid()), 0x0211),
            ("a class that is not the context's", lambda: a.n_create(MPPS, uid(), begin(o), sop_class=IAN), 0x0119),
            ("a data set that is none", lambda: a.n_create(MPPS, uid(), b"\x10\x00\x10\x00PN\xff\xffX"), 0x0110),
            ("a notice without a study", lambda: a.n_create(IAN, uid(), dataset((0x00081115, "SQ", []))), 0x0120),
            ("a notice without series", lambda: a.n_create(IAN, uid(), dataset((0x0020000D, "UI", o.study))), 0x0120)]
    for name, send, wanted in rows:
        equal(name, f"{send()[0]:04x}", f"{wanted:04x}")
    check("none of it moved the order", on_modality(b, o))
    status, _ = a.n_create(MPPS, "", begin(o))
    equal("a step without a UID gets one", status, 0)
    check("which is a UID", a.answer[0x1000].startswith(b"2.25."), a.answer)


def another_patient(b, a):
    o = ordered(b, 7)
    parked = len(b.get("/api/v1/parked?limit=1000")["parked"])
    equal("a step of another patient under this study is taken", a.n_create(MPPS, uid(), begin(o, patient="999999"))[0], 0)
    check("but parked", until(lambda: len(b.get("/api/v1/parked?limit=1000")["parked"]) == parked + 1))
    check("and changes nothing", on_modality(b, o))


def before_the_order(b, a):
    o, step = Order("MPPS8", "770008"), uid()
    equal("a step without an order is kept", a.n_create(MPPS, step, begin(o))[0], 0)
    b.order(o)
    check("the order that comes is being acquired", until(lambda: b.item(o.accession)) and not on_modality(b, o))
    a.n_set(MPPS, step, end(o))
    check("and is to be read when it ends", until(lambda: b.item(o.accession)["status"] == "arrived"))


def a_stranger(b, a):
    o, step = ordered(b, 10), uid()
    with Dimse(b.dicom, [MPPS, IAN], calling="NOBODY") as x:
        equal("a notice of an unlisted sender is refused", x.n_create(IAN, uid(), notice(o, [ONLINE] * 3))[0], 0x0124)
        check("and brings no images", on_modality(b, o))
        a.n_create(MPPS, step, begin(o))
        equal("nor may it end another's step", x.n_set(MPPS, step, end(o))[0], 0x0124)
    equal("which goes on", a.n_set(MPPS, step, end(o))[0], 0)


def by_odil(b):
    try:
        import odil
    except ImportError:
        return skip("python3-odil is not installed")
    o, step = ordered(b, 9), uid()
    a = odil.Association()
    a.set_peer_host("127.0.0.1")
    a.set_peer_port(b.dicom)
    context = odil.AssociationParameters.PresentationContext
    a.update_parameters().set_calling_ae_title("ODIL").set_called_ae_title("SPOED").set_presentation_contexts(
        [context(1, MPPS, ["1.2.840.10008.1.2"], context.Role.SCU)])
    a.associate()

    def tag(group, element):
        return odil.Tag(group, element)
    data = odil.DataSet()
    sps = odil.DataSet()
    sps.add(tag(0x0020, 0x000D), [o.study], odil.VR.UI)
    sps.add(tag(0x0008, 0x0050), [o.accession], odil.VR.SH)
    data.add(tag(0x0010, 0x0010), [o.name], odil.VR.PN)
    data.add(tag(0x0010, 0x0020), [o.patient], odil.VR.LO)
    data.add(tag(0x0010, 0x0021), ["ZH"], odil.VR.LO)
    data.add(tag(0x0040, 0x0252), ["IN PROGRESS"], odil.VR.CS)
    data.add(tag(0x0040, 0x0270), [sps], odil.VR.SQ)
    request = odil.messages.NCreateRequest(a.next_message_id(), MPPS, data)
    if hasattr(request, "set_affected_sop_instance_uid"):
        request.set_affected_sop_instance_uid(step)
    a.send_message(request, MPPS)
    said = a.receive_message().get_command_set()
    step = bytes(said.as_string("AffectedSOPInstanceUID")[0]).decode().rstrip("\0")
    check("odil: a begun step leaves the worklist", until(lambda: not on_modality(b, o)))
    change = odil.DataSet()
    change.add(tag(0x0040, 0x0252), ["COMPLETED"], odil.VR.CS)
    a.send_message(odil.messages.NSetRequest(a.next_message_id(), MPPS, step, change), MPPS)
    equal("odil: N-SET is taken", a.receive_message().get_command_set().as_int("Status")[0], 0)
    check("odil: and is to be read when it ends", until(lambda: b.item(o.accession)["status"] == "arrived"))
    a.release()


def main():
    peers = "  scanner: {match: {door: dicom, ae_title: [CT1]}, roles: []}\n"
    with Brain(peers=peers, speed=1, site={"complete_after": "10m"}) as b:
        with Dimse(b.dicom, [MPPS, IAN], calling="CT1") as a:
            for part in (an_acquisition, a_notice_before_the_end, discontinued, what_is_refused, another_patient, before_the_order,
                         a_stranger):
                with scene(part.__name__):
                    part(b, a)
        with scene("odil"):
            by_odil(b)
    done()


main()
