"""The studio in a real browser, on a phone and on a screen: labelled by keys, killed, and nothing is lost."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import NEEDS_BROWSER, opened
from command_line import command, environment

pytestmark = NEEDS_BROWSER
_FEW = 20


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    yield from opened(tmp_path_factory.mktemp("profile"))


class RunningStudio:
    """`eyebright studio` as a user starts it."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.process = subprocess.Popen(
            command("studio", folder, "--port", "0"),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment(EYEBRIGHT_CACHE=cache),
            text=True,
        )
        assert self.process.stdout is not None
        lines = iter(self.process.stdout.readline, "")
        self.url = next(found.group() for line in lines if (found := re.search(r"http://\S+", line)))
        self.base = self.url.partition("/?")[0]

    def kill(self) -> None:
        """End it at once, as a power cut does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()


def wide(browser: Any, width: int) -> None:
    size = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def until(browser: Any, script: str) -> Any:
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(browser, 120).until(lambda _: browser.execute_script(script))


def test_labels_given_by_keys_survive_a_kill(
    browser: Any, textile: Path, feature_cache: Path, tmp_path: Path
):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    folder = tmp_path / "photos"
    folder.mkdir()
    for number, file in enumerate(sorted(textile.glob("train/*/*.jpg"))[:_FEW]):
        shutil.copyfile(file, folder / f"{number}.jpg")
    studio = RunningStudio(folder, feature_cache)
    try:
        wide(browser, 1280)
        browser.get(studio.url)
        assert "token" not in browser.current_url
        for page in ("/", "/audit", "/train", "/models", "/try", "/review", "/label"):
            for width in (390, 1280):
                wide(browser, width)
                browser.get(studio.base + page)
                assert browser.execute_script("return document.documentElement.scrollWidth") <= width, page
        until(browser, "return document.querySelectorAll('.tile-button').length === 8")
        field = browser.find_element(By.ID, "new-name")
        first = browser.find_element(By.CSS_SELECTOR, ".tile-button")
        first.send_keys("a")  # left out
        assert first.get_attribute("aria-pressed") == "false"
        field.send_keys("woven", Keys.ENTER)
        until(browser, "return document.querySelector('.counted b').textContent === '7'")
        browser.switch_to.active_element.send_keys(Keys.BACKSPACE)
        until(browser, "return document.querySelector('.counted b').textContent === '0'")
        browser.find_element(By.ID, "new-name").send_keys("woven", Keys.ENTER)
        until(browser, "return document.querySelector('.counted b').textContent === '8'")
        browser.switch_to.active_element.send_keys("1")
        until(browser, "return document.querySelector('.counted b').textContent === '16'")
        assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
        sent = [e["message"] for e in browser.get_log("performance") if "requestWillBeSent" in e["message"]]
        assert {found for message in sent for found in re.findall(r'"url":"(http://[^/"]+)', message)} == {
            studio.base
        }
    finally:
        studio.kill()
    again = RunningStudio(folder, feature_cache)
    try:
        browser.get(again.url)
        assert "16" in browser.find_element(By.CSS_SELECTOR, ".lead").text
        again.process.terminate()
        assert again.process.wait(30) == 0
    finally:
        again.kill()
