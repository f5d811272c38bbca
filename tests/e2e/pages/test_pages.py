#!/usr/bin/python3
"""The pages in a real browser, against the stand-in of the API: order and content, hostile text, keyboard,
details, drafts, live updates, freezing, alerts on a phone, login, reflow. Every test also fails on a
policy violation or an error in the page's console. `SPOED_PICTURES=1` renews docs/pictures/."""
import os
import time
import unittest

from browser import Browser
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from standin import BASE, ROOT, Problem, Standin, night

HOSTILE = ['<img src=x onerror="window.owned=1">', '"><script>window.owned=1</script>', "javascript:window.owned=1",
           "{{constructor.constructor('window.owned=1')()}}", "<svg/onload=window.owned=1>", "\u202eevil", "A" * 400]


def setUpModule():
    global browser, d
    browser = Browser()
    d = browser.driver


def tearDownModule():
    browser.quit()


class Page(unittest.TestCase):
    path, size, allowed = "/worklist", (1280, 900), ()

    def setUp(self):
        self.s = Standin()
        night(self.s)
        self.prepare()
        browser.size(*self.size)
        d.get(self.s.url + "/assets/nl.json")
        d.execute_script("localStorage.setItem('spoed.lang', 'nl')")
        self.s.calls.clear()
        d.get_log("browser")
        if self.path:
            self.load()

    def prepare(self):
        pass

    def load(self, path=None):
        d.get(self.s.url + (path or self.path))
        self.until(lambda: d.execute_script("return document.readyState === 'complete' && document.title !== ''"))
        if (path or self.path).startswith("/worklist"):
            self.until(lambda: self.rows() or self.all("#after .empty strong"), "no list")

    def tearDown(self):
        d.get("about:blank")
        self.s.stop()
        self.assertEqual([m for m in browser.bad_lines(*self.allowed)], [])

    # ---- helpers -------------------------------------------------------------------------------
    def until(self, what, why="", seconds=6):
        end = time.monotonic() + seconds
        while True:
            try:
                value = what()
            except Exception as e:          # the page is being redrawn: look again
                value, why = None, why or repr(e)
            if value:
                return value
            if time.monotonic() > end:
                self.fail("waited %ss: %s" % (seconds, why or what))
            time.sleep(0.05)

    def all(self, css):
        return d.find_elements(By.CSS_SELECTOR, css)

    def one(self, css):
        return self.until(lambda: self.all(css), css)[0]

    def text(self, css):
        return d.execute_script("const n = document.querySelector(arguments[0]); return n ? n.textContent : ''", css)

    def rows(self):
        return d.execute_script("return [...document.querySelectorAll('#rows tr.item')].map((r) => Number(r.dataset.id))")

    def focused(self):
        return d.execute_script("return Number(document.activeElement.dataset.id) || document.activeElement.id || document.activeElement.tagName")

    def key(self, *keys):
        for k in keys:
            d.switch_to.active_element.send_keys(k)

    def click(self, css):
        def once():
            node = self.all(css)[0]
            if not node.is_enabled():
                return False
            d.execute_script("arguments[0].scrollIntoView({block: 'center'})", node)
            node.click()
            return True
        self.until(once, "click " + css)

    def press(self, text, root="body"):
        def once():
            found = [b for b in self.all(root + " button") if b.text.strip().startswith(text) and b.is_displayed()]
            d.execute_script("arguments[0].scrollIntoView({block: 'center'})", found[0])
            found[0].click()
            return True
        self.until(once, "press " + text)

    def open_row(self, ident):
        d.execute_script("document.querySelector(`tr[data-id='${arguments[0]}']`).focus()", ident)
        self.key(Keys.ENTER)
        self.until(lambda: self.all("#more-%s" % ident))

    def picture(self, name):
        if os.environ.get("SPOED_PICTURES"):
            folder = ROOT / "docs" / "pictures"
            folder.mkdir(parents=True, exist_ok=True)
            d.save_screenshot(str(folder / name))


class Order(Page):
    def test_rows_in_the_order_of_the_server(self):
        self.assertEqual(self.rows(), [i["id"] for i in self.s.items])

    def test_content_of_the_first_row(self):
        cells = [c.text for c in self.all("tr[data-id='1'] td")]
        want = ["▲▲\n1 Kritiek", "AI ziet een mogelijke intracraniële bloeding bij een SEH-patiënt +1", "Testpatiënt, Anna\nV 71", "CT hersenen blanco"]
        self.assertEqual([" ".join(c.split()) for c in cells[:4]], [" ".join(c.split()) for c in want])
        self.assertIn("● intracraniële bloeding: verdacht", " ".join(cells[4].split()))
        self.assertRegex(cells[4], r"AI bezig, nog 3:\d\d")
        self.assertEqual(cells[5].split(), ["SEH", "routine"])
        self.assertEqual((cells[6], cells[7]), ("17 min", "12 min"))
        self.assertIn("melding: geëscaleerd", " ".join(cells[8].split()))
        self.assertNotIn("0,94", " ".join(cells), "a score is for the details")

    def test_states_in_words(self):
        words = {3: ("○", "geen bevinding (pneumothorax)"), 5: ("◷", "AI te laat"), 6: ("✕", "AI-fout"), 8: ("∅", "n.v.t."), 9: ("?", "niet door AI beoordeeld")}
        for ident, (glyph, text) in words.items():
            with self.subTest(row=ident):
                self.assertEqual(" ".join(self.one("tr[data-id='%d'] td.c-ai .ai" % ident).text.split()), glyph + " " + text)

    def test_levels_are_word_shape_and_number(self):
        for ident, text in ((1, "▲▲ 1 Kritiek"), (3, "▲ 2 Spoed"), (2, "◆ 3 Voorrang"), (8, "– 4 Routine")):
            with self.subTest(row=ident):
                self.assertEqual(" ".join(self.one("tr[data-id='%d'] .level" % ident).text.split()), text)

    def test_what_is_absent_is_not_suspected(self):
        absent = {"concept": "pneumothorax", "text": "Pneumothorax", "probability": 0.1, "site": "", "present": "absent"}
        self.s.item(1)["ai"][0]["findings"].append(absent)
        self.s.touch()
        self.open_row(1)
        self.until(lambda: "pneumothorax · niet gevonden" in self.text("#more-1"))
        self.assertNotIn("pneumothorax", self.text("tr[data-id='1'] td.c-ai"))

    def test_overdue_and_unmatched_and_held(self):
        self.assertEqual(" ".join(self.one("tr[data-id='3'] td.c-left").text.split()), "−4 min te laat")
        self.assertEqual(self.one("tr[data-id='90'] td.c-status").text.replace("\n", " "), "Geen aanvraag gevonden")
        self.assertIn("bakker", self.one("tr[data-id='4'] td.c-status").text)
        self.assertIn("concept klaar", self.one("tr[data-id='7'] td.c-status").text)

    def test_clock_runs_on_the_server_time(self):
        first = self.text("tr[data-id='1'] .ai-pending")
        self.until(lambda: self.text("tr[data-id='1'] .ai-pending") != first, "the countdown stands still")
        self.assertTrue(self.text("#live-clock").startswith("14:32"))

    def test_pictures(self):
        browser.size(1280, 980)
        self.until(lambda: self.text("#live-word") == "Live")
        self.picture("worklist.png")
        self.open_row(1)
        self.until(lambda: "Geëscaleerd naar de achterwacht" in self.text("#more-1"))
        time.sleep(0.2)
        self.picture("worklist-details.png")


class Hostile(Page):
    def prepare(self):
        for i, item in enumerate(self.s.items):
            bad = HOSTILE[i % len(HOSTILE)]
            item["patient"] = {"ids": [{"value": bad, "authority": bad}], "name": bad, "birth_date": bad, "sex": bad}
            item["reasons"] = [{"rule": bad, "text": bad}]
            item["procedures"] = [{"code": bad, "text": bad}]
            item["location"] = item["modality"] = item["order_priority"] = item["no_draft"] = bad
            item["ai"] = [{"model": bad, "version": bad, "mode": "live", "state": "positive", "expected_at": bad,
                           "link": "javascript:window.owned=1", "findings": [{"concept": bad, "text": bad, "probability": 0.5, "site": bad}]}]
            self.s.more[item["id"]] = {"clinical_info": bad, "requester": bad, "callback": bad, "viewer": "javascript:window.owned=1"}
            self.s.timeline[item["id"]] = [{"at": bad, "text": bad, "by": bad}]
        for p in self.s.parked:
            p.update(why=HOSTILE[0], why_text=HOSTILE[1], model=HOSTILE[4])
        for a in self.s.alerts:
            a.update(concept=HOSTILE[0], accession=HOSTILE[1], level=HOSTILE[4])
        for rows in (self.s.messages, self.s.queue, self.s.alarms, self.s.models, self.s.users):
            for row in rows:
                for k, v in row.items():
                    if isinstance(v, str):
                        row[k] = HOSTILE[len(k) % len(HOSTILE)]

    def test_payloads_are_text(self):
        self.s.user["roles"] = ["reader", "reporter", "clinician", "manager", "admin"]
        for path in ("/worklist", "/alerts?tab=all", "/models", "/admin"):
            with self.subTest(path=path):
                self.load(path)
                time.sleep(0.8)
                if path == "/worklist":
                    for ident in self.rows()[:4]:
                        self.open_row(ident)
                        time.sleep(0.15)
                        self.assertFalse(self.all("#more-%s a[href^='javascript']" % ident))
                        self.key(Keys.ESCAPE)
                    self.assertIn(HOSTILE[0], self.text("#rows"))
                self.assertFalse(d.execute_script("return Boolean(window.owned)"))
                self.assertEqual(self.all("main img, main script, main svg, main iframe"), [])
                self.assertEqual(self.all("a[href^='javascript']"), [])


class Keyboard(Page):
    def test_move_open_close(self):
        self.key("j")
        self.assertEqual(self.focused(), 1)
        self.key("j", "j")
        self.assertEqual(self.focused(), 3)
        self.key("k")
        self.assertEqual(self.focused(), 90)
        self.key(Keys.ARROW_UP)
        self.assertEqual(self.focused(), 1)
        self.key(Keys.ENTER)
        self.one("#more-1")
        self.assertEqual(self.one("tr[data-id='1'] .toggle").get_attribute("aria-expanded"), "true")
        self.key(Keys.ESCAPE)
        self.until(lambda: not self.all("#more-1"))
        self.assertEqual(self.focused(), 1)

    def test_next_free_skips_what_is_held(self):
        self.key("j", "j", "j")          # third row; the fourth is with bakker
        self.key("n")
        self.assertEqual(self.focused(), 5)

    def test_search_filter_help(self):
        self.key("j", "/")
        self.assertEqual(self.focused(), "search")
        self.key("j")
        self.assertEqual(d.switch_to.active_element.get_attribute("value"), "j", "letters in a field are letters")
        self.key(Keys.BACKSPACE)
        d.execute_script("document.activeElement.blur()")
        self.key("j", "f")
        self.assertEqual(self.focused(), "f-finding")
        d.execute_script("document.activeElement.blur()")
        self.key("?")
        self.assertTrue(self.one("#help").is_displayed())
        self.click("#keys-on")           # the off switch
        self.press("Sluiten", "#help")
        d.execute_script("document.activeElement.blur()")
        self.key("j")
        self.assertEqual(self.focused(), "BODY")

    def test_open_lock_by_key(self):
        self.key("j", "o")
        self.until(lambda: self.s.called("opened"))
        d.execute_script("document.querySelector(\"tr[data-id='1']\").focus()")
        self.key("l")
        self.until(lambda: self.s.called("claim"))
        self.until(lambda: "Bij mij" in self.text("tr[data-id='1'] td.c-status"))
        self.key("a")
        call = self.until(lambda: self.s.called("verdict"))[0]
        self.assertEqual(call[3], {"verdict": "agree"})


class Details(Page):
    allowed = ("409", "422")

    def test_everything_known(self):
        self.open_row(1)
        for text in ("regel ich-critical", "score 0,94", "Val van trap, sufheid. Bloeding?", "SEH-arts D. Demo", "5151", "14-03-1955", "ich-a 2.1.0",
                     "Geëscaleerd naar de achterwacht", "ZZ260002", "sluit niets uit"):
            self.until(lambda: text in self.text("#more-1"), text)
        self.assertEqual(self.one("#more-1 a[target=_blank]").get_attribute("rel"), "noopener noreferrer")

    def test_verdict_waits_for_the_images(self):
        self.open_row(1)
        self.assertFalse(self.one("#act-agree").is_enabled())
        self.assertIn("nadat de beelden zijn geopend", self.text("#more-1 .why"))
        self.click("#act-opened")
        self.until(lambda: self.one("#act-agree").is_enabled())
        self.click("#act-disagree")
        self.one("#more-1 form input[name=note]").send_keys("Kalk, geen bloed")
        self.press("Oneens met AI", "#more-1 form")
        self.assertEqual(self.until(lambda: self.s.called("verdict"))[0][3], {"verdict": "disagree", "note": "Kalk, geen bloed"})

    def test_priority_needs_a_reason(self):
        self.open_row(8)
        self.click("#act-priority")
        d.execute_script("document.querySelector('#more-8 select[name=level]').value = 'urgent'")
        self.press("Prioriteit wijzigen", "#more-8 form")
        self.assertEqual(self.s.called("priority"), [], "the browser holds an empty reason back")
        self.one("#more-8 form input[name=reason]").send_keys("Overleg met orthopeed")
        self.press("Prioriteit wijzigen", "#more-8 form")
        call = self.until(lambda: self.s.called("priority"))[0]
        self.assertEqual(call[3], {"level": "urgent", "reason": "Overleg met orthopeed"})
        self.assertEqual(call[2]["X-CSRF-Token"], "csrf-synthetisch")
        self.until(lambda: "2 Spoed" in self.text("tr[data-id='8'] .level"))

    def test_held_by_somebody_else(self):
        self.open_row(4)
        self.assertFalse(self.one("#act-lock").is_enabled())
        self.assertIn("In verslag bij bakker", self.text("#more-4 .why"))
        self.key(Keys.ESCAPE)
        self.s.item(8)["reader"] = "jansen"      # taken meanwhile; the page does not know yet
        self.s.item(8)["status"] = "arrived"
        self.s.fail["GET /api/v1/worklist"] = Problem(503, "even niet")
        self.open_row(8)
        d.execute_script("document.querySelector('#act-lock').click()")
        self.until(lambda: "In verslag bij jansen" in self.text("#toasts"))
        self.s.fail.clear()
        self.allowed = ("409", "503")

    def test_cancelled_with_images(self):
        self.open_row(9)
        self.click("#act-confirm_cancel")
        self.until(lambda: self.s.called("confirm_cancel"))
        self.click("#act-reopen")
        self.one("#more-9 form input[name=reason]").send_keys("Toch nodig")
        self.press("Heropenen", "#more-9 form")
        self.assertEqual(self.until(lambda: self.s.called("reopen"))[0][3], {"reason": "Toch nodig"})


class Draft(Page):
    allowed = ("412", "403")

    def open_draft(self):
        self.open_row(7)
        self.click("#act-draft")
        self.one("#draft-text")

    def wait_allowed(self):
        self.click("#act-opened")
        self.until(lambda: "Accepteren kan over" in self.text("#draft-why"), "dwell")
        self.assertFalse(self.one("#draft-accept").is_enabled())
        self.until(lambda: self.one("#draft-accept").is_enabled(), "dwell over")

    def test_accept_then_undo(self):
        self.open_draft()
        self.assertFalse(self.one("#draft-accept").is_enabled())
        self.assertEqual(self.text("#draft-why"), "Open eerst de beelden.")
        self.assertIn("cxr-normal 2.1.0, ptx-c 2.1.0", self.text("#draft-from"))
        self.assertIn("ribfracturen", self.text(".draft"))
        self.wait_allowed()
        self.click("#draft-accept")
        call = self.until(lambda: self.s.called("accept"))[0]
        self.assertEqual((call[2]["If-Match"], call[3]), ('"v1"', {}))
        self.until(lambda: "gaat over" in self.text("#toasts"))
        d.execute_script("document.activeElement.blur()")
        self.key("z")
        self.until(lambda: self.s.called("undo"))
        self.until(lambda: "ongedaan gemaakt" in self.text("#toasts"))

    def test_edited_text_is_sent_and_survives_live_changes(self):
        self.open_draft()
        self.one("#draft-text").send_keys(" Aangepast.")
        self.s.item(7)["reasons"][0]["text"] = "Andere reden"
        self.s.touch()
        self.until(lambda: "Andere reden" in self.text("#more-7"))
        self.wait_allowed()
        self.click("#draft-accept")
        text = self.until(lambda: self.s.called("accept"))[0][3]["text"]
        self.assertTrue(text.endswith("eerder onderzoek. Aangepast."))

    def test_412_is_shown(self):
        self.open_draft()
        self.wait_allowed()
        self.s.drafts[7]["version"] = "v2"       # a late image came in; the page has not heard
        self.click("#draft-accept")
        self.until(lambda: "Er kwam een beeld bij dat de AI niet zag" in self.text("#draft-why"))
        self.assertFalse(self.one("#draft-accept").is_enabled())
        self.click("#draft-reload")
        self.until(lambda: not self.text("#draft-why"))

    def test_no_draft_says_why(self):
        self.open_row(5)
        self.assertFalse(self.one("#act-draft").is_enabled())
        self.assertIn("Een verplicht model heeft nog niets gestuurd.", self.text("#more-5 .why"))

    def test_without_the_role(self):
        self.s.user["roles"] = ["reader"]
        self.load()
        self.open_draft()
        self.click("#act-opened")
        self.until(lambda: "rol verslaglegger" in self.text("#draft-why"))
        self.assertFalse(self.one("#draft-accept").is_enabled())


class Live(Page):
    allowed = ("503", "Failed to fetch", "ERR_", "Failed to load")

    def new_item(self, level="critical"):
        item = dict(self.s.items[7], id=77, level=level, patient={"ids": [], "name": "Nieuw, Nora", "birth_date": "1990", "sex": "F"})
        self.s.items.insert(0, item)
        self.s.touch()

    def test_new_row_comes_by_itself(self):
        self.until(lambda: self.text("#live-word") == "Live")
        start = time.monotonic()
        self.new_item()
        self.until(lambda: self.rows()[0] == 77)
        print("new row seen after %.2f s" % (time.monotonic() - start))

    def test_a_change_before_the_stream_is_not_missed(self):
        self.s.fail["/api/v1/stream"] = Problem(503, "nog niet")
        self.load()
        self.s.item(8)["level"] = "urgent"       # between the list and the stream
        with self.s.lock:
            self.s.revision += 1
        self.s.fail.clear()
        self.until(lambda: "2 Spoed" in self.text("tr[data-id='8'] .level"), seconds=4)

    def test_nothing_moves_under_the_focus(self):
        self.until(lambda: self.text("#live-word") == "Live")
        before = self.rows()
        self.key("j", "j")
        top = d.execute_script("return document.activeElement.getBoundingClientRect().top")
        self.s.items.append(self.s.items.pop(2))
        self.new_item()
        self.until(lambda: "1 nieuwe" in self.text("#fresh"))
        self.assertIn("1 kritiek", self.text("#fresh"))
        self.assertIn("volgorde gewijzigd", self.text("#fresh"))
        self.assertEqual(self.rows(), before)
        # The banner itself must not push the list either.
        self.assertAlmostEqual(d.execute_script("return document.activeElement.getBoundingClientRect().top"), top, delta=1)
        self.click("#show")
        self.until(lambda: self.rows() == [i["id"] for i in self.s.items])
        self.assertEqual(self.focused(), 90)

    def test_content_changes_in_place(self):
        self.key("j")
        self.s.item(1)["ai"][1]["state"] = "negative"
        self.s.item(1)["reasons"][0]["text"] = "Nieuwe zin"
        self.s.touch()
        self.until(lambda: "Nieuwe zin" in self.text("tr[data-id='1'] td.c-reason"))
        self.assertEqual(self.focused(), 1)

    def test_a_row_that_left_is_marked(self):
        self.key("j")
        self.s.items.pop(1)
        self.s.touch()
        self.until(lambda: "niet meer op de lijst" in self.text("tr[data-id='90']"))
        self.assertIn("1 verdwenen", self.text("#fresh"))

    def test_freeze(self):
        self.until(lambda: self.text("#live-word") == "Live")
        self.click("#freeze")
        before = self.rows()
        d.execute_script("document.activeElement.blur()")
        self.new_item("routine")
        self.until(lambda: "1 nieuwe" in self.text("#fresh"))
        self.assertEqual(self.rows(), before)
        self.assertIn("bevroren", self.text("#banners"))
        self.click("#freeze")
        self.until(lambda: self.rows()[0] == 77)

    def test_stream_resumes_where_it_was(self):
        self.until(lambda: self.text("#live-word") == "Live")
        rev = self.s.touch()
        time.sleep(0.5)
        with self.s.lock:
            self.s.streams_off = True
            self.s.changed.notify_all()
        time.sleep(0.3)
        self.s.streams_off = False
        self.until(lambda: self.s.stream_heads[-1] == str(rev), "Last-Event-ID", 8)

    def test_polling_when_the_stream_is_down(self):
        self.s.fail["/api/v1/stream"] = Problem(503, "geen stroom")
        self.s.streams_off = True
        self.load()
        self.until(lambda: self.text("#live-word") == "Vertraagd")
        self.new_item()
        self.until(lambda: self.rows()[0] == 77, "polled", 8)

    def test_broken_says_so_and_stops_the_clock(self):
        self.until(lambda: self.text("#live-word") == "Live")
        self.s.streams_off = True
        self.s.fail["/api/"] = "drop"
        with self.s.lock:
            self.s.changed.notify_all()
        self.until(lambda: self.text("#live-word") == "Verbroken", "broken", 40)
        self.assertIn("Verbinding verbroken sinds 14:3", self.text("#banners"))
        still = self.text("tr[data-id='1'] .ai-pending")
        time.sleep(2.2)
        self.assertEqual(self.text("tr[data-id='1'] .ai-pending"), still)
        self.s.streams_off = False
        self.s.fail.clear()
        self.until(lambda: self.text("#live-word") == "Live", "back", 15)


class Notes(Page):
    allowed = ("500", "503")

    def test_filters_live_in_the_address(self):
        self.click("#f-finding")
        self.until(lambda: self.rows() == [1, 90, 4])
        self.assertTrue(d.current_url.endswith("/worklist?show=finding"))
        self.assertIn("7 verborgen door filters", self.text("#after"))
        self.load("/worklist?modality=DX&q=voorbeeld")
        self.assertEqual(self.rows(), [3, 7])
        self.click("#clear")
        self.until(lambda: len(self.rows()) == 10)
        self.assertTrue(d.current_url.endswith("/worklist"))

    def test_search_ignores_accents(self):
        self.one("#search").send_keys("testpatient")
        self.until(lambda: self.rows() == [1, 2])

    def test_empty(self):
        self.s.items.clear()
        self.s.touch()
        self.until(lambda: "Niets te verslaan." in self.text("#after"))
        self.assertRegex(self.text("#after"), r"Laatste update 14:3\d:\d\d")

    def test_error(self):
        self.s.fail["GET /api/v1/worklist"] = Problem(500, "De opslag antwoordt niet.")
        self.load()
        self.assertIn("De lijst kon niet worden geladen", self.text("#after"))
        self.assertIn("De opslag antwoordt niet.", self.text("main"))

    def test_banners(self):
        self.s.complete, self.s.observe = False, ["ris"]
        self.s.health = [{"name": "RIS", "ok": False, "text": "RIS zwijgt sinds 14:02", "todo": "bel de beheerder van het RIS"}]
        self.load()
        self.until(lambda: "mogelijk onvolledig" in self.text("#banners"))
        self.assertIn("naar ris wordt niets verstuurd", self.text("#banners"))
        self.until(lambda: "RIS zwijgt sinds 14:02" in self.text("#banners"))

    def test_english_and_back(self):
        self.click("#lang")
        self.until(lambda: self.text("h1") == "Reporting worklist")
        self.until(lambda: "1 Critical" in self.text("tr[data-id='1']"))
        self.assertEqual(d.execute_script("return document.documentElement.lang"), "en")
        self.click("#lang")
        self.until(lambda: self.text("h1") == "Werklijst verslagen")

    def test_theme(self):
        ground = lambda: d.execute_script("return getComputedStyle(document.body).backgroundColor")
        self.assertEqual(ground(), "rgb(18, 22, 27)")
        self.click("#theme")
        self.assertEqual(ground(), "rgb(244, 245, 246)")
        self.load()
        self.assertEqual(ground(), "rgb(244, 245, 246)")

    def test_shadow_is_not_for_readers(self):
        self.s.item(8)["ai"] = [dict(self.s.item(1)["ai"][0], mode="shadow")]
        self.s.touch()
        self.until(lambda: "geen AI verwacht" in self.text("tr[data-id='8'] td.c-ai"))
        self.open_row(8)
        self.assertNotIn("bloeding", self.text("#more-8"))

    def test_parked(self):
        self.assertIn("Geen aanvraag met dit nummer", self.one("#parked .card").text)
        self.press("Toewijzen", "#parked")
        d.execute_script("document.querySelector('#parked select').value = '6'")
        self.one("#parked input[name=reason]").send_keys("Zelfde patiënt, nummer vertypt")
        self.press("Toewijzen…", "#parked form")
        self.assertEqual(self.until(lambda: self.s.called("assign"))[0][3], {"item": 6, "reason": "Zelfde patiënt, nummer vertypt"})
        self.until(lambda: not self.all("#parked .card"))

    def test_two_hundred_rows(self):
        base = self.s.items[8]
        self.s.items = [dict(base, id=1000 + i) for i in range(201)]
        start = time.monotonic()
        self.load()
        self.until(lambda: len(self.rows()) == 200)
        print("200 rows drawn after %.2f s" % (time.monotonic() - start))
        took = d.execute_async_script("const done = arguments[0], t0 = performance.now();"
                                      "for (const tr of document.querySelectorAll('#rows tr')) tr.getBoundingClientRect();"
                                      "requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - t0)))")
        self.assertLess(took, 500)
        self.click("#more")
        self.until(lambda: len(self.rows()) == 201)


class Alerts(Page):
    path, size, allowed = "/alerts", (390, 880), ("ERR_", "Failed to load")

    def prepare(self):
        self.s.user.update(user="jansen", roles=["clinician"])

    def card(self, ident):
        return self.text("[data-alert='%s']" % ident)

    def test_cards(self):
        self.until(lambda: "T.A. V *1955" in self.card(31))
        for text in ("1 Kritiek", "intracraniële bloeding", "AI-vermoeden, niet beoordeeld", "2 × opgeroepen, laatst jansen om 14:26", "SEH"):
            self.assertIn(text, self.card(31))
        self.assertRegex(self.card(31), r"Escalatie over [34]:\d\d")
        self.assertNotIn("Testpatiënt", self.card(31), "the full name only after a tap")
        self.press("Toon volledige naam", "[data-alert='31']")
        self.until(lambda: "Testpatiënt, Anna · V 71" in self.card(31))
        self.press("Verberg naam", "[data-alert='31']")
        self.until(lambda: self.text("#live-word") == "Live")
        d.execute_script("scrollTo(0, 0); document.activeElement.blur()")
        self.picture("alerts-phone.png")

    def test_critical_takes_two_steps(self):
        self.click("[data-alert='31'] [data-act=seen]")
        self.one("[data-alert='31'] [data-act=confirm]")
        self.assertEqual(self.s.called("acknowledge"), [])
        self.assertNotEqual(d.execute_script("return document.activeElement.dataset.act"), "confirm", "no default focus")
        self.click("[data-alert='31'] [data-act=confirm]")
        self.assertEqual(self.until(lambda: self.s.called("acknowledge"))[0][3], {"how": "web"})
        self.until(lambda: not self.all("[data-alert='31']"))
        self.click("#tab-acknowledged")
        self.until(lambda: "Gezien door jansen, 14:3" in self.card(31))
        self.assertIn("op deze pagina", self.card(31))
        self.assertIn("Gezien door visser", self.card(30))
        self.assertIn("via de link in de oproep", self.card(30))

    def test_urgent_takes_one(self):
        self.click("[data-alert='32'] [data-act=seen]")
        self.until(lambda: self.s.called("acknowledge"))

    def test_handover_and_decline(self):
        self.click("[data-alert='32'] [data-act=handover]")
        self.one("[data-alert='32'] input").send_keys("visser")
        self.press("Overdragen", "[data-alert='32'] form")
        self.assertEqual(self.until(lambda: self.s.called("handover"))[0][3], {"to": "visser"})
        self.until(lambda: "overgedragen" in self.card(32) or self.all("[data-alert='32'] [data-act=decline]"))
        self.click("[data-alert='31'] [data-act=decline]")
        self.one("[data-alert='31'] input").send_keys("Niet mijn patiënt")
        self.press("Afwijzen", "[data-alert='31'] form")
        self.assertEqual(self.until(lambda: self.s.called("decline"))[0][3], {"reason": "Niet mijn patiënt"})

    def test_offline_is_never_shown_as_done(self):
        self.s.fail["POST /api/v1/alerts"] = "drop"
        self.click("[data-alert='32'] [data-act=seen]")
        self.until(lambda: "Nog niet verzonden." in self.card(32))
        self.load()                               # a reload does not lose it
        self.until(lambda: "Nog niet verzonden." in self.card(32))
        self.assertNotIn("Gezien door", self.card(32))
        self.s.fail.clear()
        self.until(lambda: self.s.called("acknowledge"), "sent when the line is back", 9)
        self.until(lambda: not self.all("[data-alert='32']"))
        self.assertEqual(len(self.s.called("acknowledge")), 1)

    def test_withdrawn_and_empty(self):
        self.until(lambda: "Ingetrokken: intracraniële bloeding" in self.card(29))
        self.assertIn("niet eens met de AI", self.card(29))
        self.assertIn("(2)", self.text("#tab-open"), "withdrawn does not count as open")
        self.click("[data-alert='29'] [data-act=ok]")
        self.until(lambda: not self.all("[data-alert='29']"))
        self.assertEqual(self.s.calls, [], "taking note is no acknowledgement")
        self.click("#tab-all")
        self.until(lambda: "Ingetrokken: intracraniële bloeding" in self.card(29))
        self.s.alerts.clear()
        self.s.touch("alert")
        self.click("#tab-open")
        self.until(lambda: "Geen open meldingen." in self.text("#cards"))

    def test_live(self):
        self.until(lambda: self.text("#live-word") == "Live")
        self.s.alerts[0]["state"] = "acknowledged"
        self.s.alerts[0]["acknowledged"] = {"by": "visser", "at": BASE.isoformat(), "how": "link"}
        self.s.touch("alert")
        self.until(lambda: not self.all("[data-alert='31']"))

    def test_role(self):
        self.s.user["roles"] = ["manager"]
        self.load()
        self.until(lambda: "vraagt de rol arts" in self.card(31))
        self.assertEqual(self.all("[data-act=seen]"), [])


    def test_tabs_by_keyboard_keep_the_focus(self):
        self.click("#tab-open")
        self.key(Keys.ARROW_RIGHT)
        self.until(lambda: self.one("#tab-acknowledged").get_attribute("aria-selected") == "true")
        time.sleep(0.4)
        self.assertEqual(self.focused(), "tab-acknowledged")


class Login(Page):
    path, allowed = None, ("401",)

    def prepare(self):
        self.s.logged_in = False

    def log_in(self, password):
        self.one("#user").send_keys("smit")
        self.one("#password").send_keys(password)
        self.click("#login button[type=submit]")

    def test_back_to_where_it_came_from(self):
        self.load("/models")
        self.until(lambda: "/login?next=%2Fmodels" in d.current_url)
        self.picture_login()
        self.log_in("verkeerd")
        self.until(lambda: "klopt niet" in self.text("#error"))
        self.one("#password").send_keys("synthetisch")
        self.click("#login button[type=submit]")
        self.until(lambda: d.current_url == self.s.url + "/models")

    def picture_login(self):
        self.until(lambda: self.text("h1") == "Aanmelden")
        self.picture("login.png")

    def test_never_to_another_site(self):
        for bad in ("https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)"):
            with self.subTest(next=bad):
                self.s.logged_in = False
                d.get(self.s.url + "/login?next=" + bad.replace("\\", "%5C").replace("/", "%2F"))
                self.one("#user")
                self.until(lambda: self.text("h1") == "Aanmelden")
                self.log_in("synthetisch")
                self.until(lambda: d.current_url == self.s.url + "/worklist", d.current_url)


class Small(Page):
    path, allowed = None, ()

    def test_nobody_loses_their_place(self):
        """What is drawn again every few seconds keeps the focus and the text of whoever works in it."""
        self.load("/admin")
        button = self.until(lambda: self.all("#queue button"))[0]
        d.execute_script("arguments[0].focus(); drawn = arguments[0]", button)
        time.sleep(16)
        self.assertTrue(d.execute_script("return document.activeElement === drawn"))

    def prepare(self):
        self.s.user["roles"] = ["reader", "reporter", "clinician", "manager", "admin"]

    def test_models_and_admin_say_what_is_missing(self):
        self.load("/models")
        self.until(lambda: len(self.all("#models tbody tr")) == 4)
        self.assertIn("De volledige vorm volgt", self.text("main"))
        self.assertIn("schaduw", self.text("#models"))
        self.assertIn("proef", self.text("tr[data-model='cxr-normal']"), "an unset mode is the model's own")
        self.load("/admin")
        self.until(lambda: "De volledige vorm volgt" in self.text("main"))
        self.until(lambda: "Longembolie stuurde" in self.text("#alarms"))
        self.press("Opnieuw", "#queue")
        self.until(lambda: self.s.called("retry"))
        self.press("Opnieuw versturen", "#messages")
        self.assertEqual(self.until(lambda: self.s.called("resend"))[0][1], "/api/v1/messages/10/resend")
        self.one("#message-search").send_keys("ZZ0002")
        self.until(lambda: len(self.all("#messages tbody tr")) == 1)
        self.assertIn("verslaglegger", self.text("#users"))

    def test_reflow_at_320(self):
        for scheme in ("dark", "light"):
            browser.size(320, 640, scheme)
            for path in ("/worklist", "/alerts?tab=all", "/models", "/admin", "/login", "/ack-sample"):
                with self.subTest(path=path, scheme=scheme):
                    d.get(self.s.url + path)
                    time.sleep(0.7)
                    if path == "/worklist":
                        self.until(lambda: self.rows())
                        self.open_row(7)
                        self.click("#act-draft")
                        self.one("#draft-text")
                    wide = d.execute_script("return [document.scrollingElement.scrollWidth, innerWidth]")
                    self.assertLessEqual(wide[0], wide[1])

    def test_targets_and_names(self):
        """Every control is at least 24 px each way and has a name (WCAG 2.5.8, 4.1.2)."""
        script = """return [...document.querySelectorAll('a, button, input, select, textarea, summary')].filter((n) => n.offsetParent && !n.closest('.sr, .skip'))
            .map((n) => { const r = n.getBoundingClientRect(); const label = n.labels && n.labels.length;
                return [n.outerHTML.slice(0, 90), r.width, r.height, Boolean(n.textContent.trim() || n.getAttribute('aria-label') || label)]; })
            .filter(([h, w, y, name]) => !name || ((w < 24 || y < 24) && !h.startsWith('<a') && !h.includes('checkbox')))"""
        for size, path in (((1280, 900), "/worklist"), ((390, 844), "/alerts"), ((1280, 900), "/admin"), ((390, 844), "/worklist")):
            with self.subTest(path=path, size=size):
                browser.size(*size)
                self.load(path)
                time.sleep(0.7)
                self.assertEqual(d.execute_script(script), [])


if __name__ == "__main__":
    unittest.main()
