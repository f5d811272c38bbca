"""Starts one headless Chromium for the tests of the pages: own profile, no network of its own, clock in
Europe/Amsterdam. The page's console and every policy violation is collected, so that a test can
say that there were none."""
import os
import shutil
import tempfile

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service


class Browser:
    def __init__(self, width=1280, height=900, phone=False):
        self.profile = tempfile.mkdtemp(prefix="spoed-pages-")
        options = Options()
        options.binary_location = "/usr/bin/chromium"
        for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
                     "--disable-component-update", "--disable-sync", "--no-first-run", "--disable-dev-shm-usage",
                     "--force-device-scale-factor=1", "--hide-scrollbars", "--lang=nl",
                     "--user-data-dir=" + self.profile):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        env = dict(os.environ, TZ="Europe/Amsterdam")
        self.driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver", env=env), options=options)
        self.size(width, height)

    def size(self, width, height, scheme="dark"):
        """The size of the page itself, phones included: a window cannot be made that small."""
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                    {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia",
                                    {"features": [{"name": "prefers-color-scheme", "value": scheme}]})

    def bad_lines(self, *allowed):
        lines = [e["message"] for e in self.driver.get_log("browser") if e["level"] in ("SEVERE", "WARNING")]
        return [m for m in lines if not any(a in m for a in allowed)]

    def quit(self):
        self.driver.quit()
        shutil.rmtree(self.profile, ignore_errors=True)
