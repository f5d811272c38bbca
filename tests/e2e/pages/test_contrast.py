#!/usr/bin/python3
"""Computes the contrast of every text colour on every ground it stands on, from the variables in app.css
and in both palettes (WCAG 2.2: text 4.5:1, edges of controls and focus 3:1). Also that the two places
that hold the dark palette say the same, and that no rule brings a colour of its own."""
import pathlib
import re
import unittest

CSS = (pathlib.Path(__file__).resolve().parents[3] / "src" / "web" / "assets" / "app.css").read_text()
TEXTS = ("text", "muted", "link", "critical", "urgent", "expedited", "routine", "good")
GROUNDS = ("bg", "panel", "raised")
TINTS = {"critical-bg": ("text", "critical", "muted"), "urgent-bg": ("text", "muted"), "info-bg": ("text", "muted", "link", "critical", "urgent", "expedited")}


def palettes():
    blocks = re.findall(r"(:root[^{]*)\{([^}]*--bg:[^}]*)\}", CSS)
    return [(head.strip(), dict(re.findall(r"--([\w-]+):\s*(#[0-9a-fA-F]{6})", body))) for head, body in blocks]


def luminance(colour):
    parts = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
    lin = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * lin[0] + 0.7152 * lin[1] + 0.0722 * lin[2]


def contrast(a, b):
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


class Contrast(unittest.TestCase):
    def test_formula_against_known_values(self):
        self.assertAlmostEqual(contrast("#000000", "#ffffff"), 21.0, places=2)
        self.assertAlmostEqual(contrast("#777777", "#ffffff"), 4.48, places=2)

    def test_palettes(self):
        found = palettes()
        self.assertEqual(len(found), 3)
        self.assertEqual(found[1][1], found[2][1], "the two dark palettes differ")
        lowest = 99.0
        for head, p in found:
            pairs = [(t, g) for t in TEXTS for g in GROUNDS] + [(t, g) for g, ts in TINTS.items() for t in ts] + [("button-text", "button"), ("button-text", "muted")]
            for text, ground in pairs:
                with self.subTest(palette=head, text=text, ground=ground):
                    value = contrast(p[text], p[ground])
                    lowest = min(lowest, value)
                    self.assertGreaterEqual(value, 4.5)
            for edge in ("edge", "focus"):
                for ground in ("bg", "panel"):
                    with self.subTest(palette=head, edge=edge, ground=ground):
                        self.assertGreaterEqual(contrast(p[edge], p[ground]), 3.0)
            self.assertNotIn("#ffffff", {v.lower() for v in p.values()}, "no pure white in a dark room")
        print("lowest text contrast: %.2f" % lowest)

    def test_no_colour_outside_the_palettes(self):
        rest = re.sub(r"(:root[^{]*)\{[^}]*--bg:[^}]*\}", "", CSS)
        rest = re.sub(r"@media print\s*\{.*?\n\}", "", rest, flags=re.S)
        self.assertEqual([c for c in re.findall(r"#[0-9a-fA-F]{3,8}\b", rest) if c != "#0009"], [])


if __name__ == "__main__":
    unittest.main()
