#!/usr/bin/python3
"""Holds nl.json, en.json and every use of a key together: same keys, same placeholders, nothing unused,
nothing missing, both plural forms. Keys made of a value (`level_${x}`) are named by their prefix."""
import json
import pathlib
import re
import unittest

ASSETS = pathlib.Path(__file__).resolve().parents[3] / "src" / "web" / "assets"
WORDS = {name: json.loads((ASSETS / (name + ".json")).read_text()) for name in ("nl", "en")}
SOURCES = {p.name: p.read_text() for p in sorted(ASSETS.glob("*.js")) + sorted(ASSETS.glob("*.html"))}
# Keys that stand in tables as plain strings and go through t() later; each must exist as a string there.
TABLES = re.compile(r'"((?:m|a|q|g|u|key|ai|did)_[a-z_]+)"')


def uses():
    """exact keys, prefixes of made keys, counted keys"""
    exact, prefixes, counted = set(), set(), set()
    for text in SOURCES.values():
        exact |= set(re.findall(r'\bt\(\s*"([^"]+)"', text))
        exact |= set(re.findall(r'data-i18n(?:-label)?="([^"]+)"', text))
        exact |= set(TABLES.findall(text))
        exact |= {k for call in re.findall(r'\bt\([^;{]*?\?[^;{]*?\)', text) for k in re.findall(r'"([a-z_]+)"', call) if "_" in k or k in WORDS["nl"]}
        prefixes |= {p for p in re.findall(r'\b(?:t|knows)\(\s*`([a-z_]+)\$\{', text)}
        counted |= set(re.findall(r'\btn\(\s*"([^"]+)"', text))
        for verb in re.findall(r'openForm\(\s*alert,\s*"([a-z]+)"', text):
            exact.add(verb)
    return exact, prefixes, counted


class Words(unittest.TestCase):
    def test_same_keys(self):
        self.assertEqual(list(WORDS["nl"]), list(WORDS["en"]))

    def test_same_placeholders(self):
        for key, text in WORDS["nl"].items():
            with self.subTest(key=key):
                holes = lambda s: sorted(re.findall(r"\{(\w+)\}", s))
                self.assertEqual(holes(text), holes(WORDS["en"][key]))

    def test_nothing_empty(self):
        for lang, words in WORDS.items():
            for key, text in words.items():
                with self.subTest(lang=lang, key=key):
                    self.assertTrue(text.strip() == text and text)

    def test_nothing_missing(self):
        exact, prefixes, counted = uses()
        for key in sorted(exact):
            with self.subTest(key=key):
                self.assertTrue(key in WORDS["nl"], key)
        for key in sorted(counted):
            with self.subTest(counted=key):
                self.assertTrue(key + "_one" in WORDS["nl"], key)
                self.assertTrue(key + "_other" in WORDS["nl"], key)
        for prefix in sorted(prefixes):
            with self.subTest(prefix=prefix):
                self.assertTrue(any(k.startswith(prefix) for k in WORDS["nl"]), prefix)

    def test_nothing_unused(self):
        exact, prefixes, counted = uses()
        made = tuple(p for p in prefixes if p not in ("",))
        for key in WORDS["nl"]:
            with self.subTest(key=key):
                root = re.sub(r"_(one|other)$", "", key)
                self.assertTrue(key in exact or root in counted or key.startswith(made), "unused: " + key)

    def test_values_of_the_model_have_a_word(self):
        """Every state that the model can name can be read on a page."""
        header = (ASSETS.parents[1] / "model" / "model.h").read_text()

        def names(enum):
            # from "#define SPD_ENUM_X(X)" up to the next definition: ("AI_LATE", "late") and so on
            body = header.split("SPD_ENUM_%s(X)" % enum, 1)[1].split("#define", 1)[0]
            return re.findall(r'X\(\w+, "(\w+)"\)', body)
        for enum, prefix in (("AI_STATE", "ai_"), ("STATUS", "status_"), ("ALERT_STATE", "page_"), ("MODE", "mode_"),
                             ("OUTBOX_KIND", "outbox_")):
            found = names(enum)
            self.assertTrue(found, enum)
            for name in found:
                with self.subTest(enum=enum, name=name):
                    self.assertTrue(prefix + name in WORDS["nl"], prefix + name)


if __name__ == "__main__":
    unittest.main()
