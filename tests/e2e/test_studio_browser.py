"""The studio in a real browser, on a phone and on a screen: labelled by keys, killed, and nothing is lost."""

from __future__ import annotations

import base64
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from chromium import NEEDS_BROWSER, opened
from command_line import command, environment

from eyebright.runs.run import Run

pytestmark = NEEDS_BROWSER
_FEW = 20
_CAMERA = "use-fake-device-for-media-stream use-fake-ui-for-media-stream"
# Carries axe-core, of which nothing is shipped with Eyebright.
_AXE = find_spec("axe_playwright_python")
_FIND = """
const done = arguments[arguments.length - 1];
axe.run(document, {resultTypes: ["violations"]}).then((found) => done(
  found.violations.map((one) => [one.id, ...one.nodes.map((node) => node.html.slice(0, 160))].join(" | "))));
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    yield from opened(tmp_path_factory.mktemp("profile"), _CAMERA)


class RunningStudio:
    """`eyebright studio` as a user starts it."""

    def __init__(self, folder: Path, cache: Path, *options: str) -> None:
        self.process = subprocess.Popen(
            command("studio", folder, "--port", "0", *options),
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


def drop(browser: Any, *paths: Path) -> None:
    """Drop files and folders on the page, as the system does."""
    x, y = browser.execute_script(
        "const at = document.querySelector('.drop').getBoundingClientRect(); return [at.x + 40, at.y + 20]"
    )
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        browser.execute_cdp_cmd("Input.dispatchDragEvent", {"type": kind, "x": x, "y": y, "data": data})


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


def test_photographs_are_dropped_pasted_and_taken_and_each_arrives_once(
    browser: Any, textile: Path, feature_cache: Path, tmp_path: Path
):
    from selenium.webdriver.common.by import By

    (tmp_path / "photos").mkdir()
    some = tmp_path / "some"
    files = sorted(textile.glob("train/*/*.jpg"))[: _FEW + 1]
    for number, file in enumerate(files[:-1]):
        (some / f"{number % 2}").mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, some / f"{number % 2}" / f"{number}.jpg")
    (some / "0" / "cut.jpg").write_bytes(files[0].read_bytes()[:300])
    studio = RunningStudio(tmp_path / "photos", feature_cache)
    try:
        wide(browser, 1280)
        browser.get(studio.url)
        said = "document.querySelector('#sending').textContent"
        drop(browser, some)
        until(browser, f"return {said}.startsWith('{_FEW} new, 0 already there, 1 refused')")
        assert "cut.jpg" in browser.find_element(By.ID, "refused").text
        drop(browser, some / "0" / "0.jpg")
        until(browser, f"return {said}.startsWith('0 new, 1 already there')")
        pasted = base64.b64encode(files[-1].read_bytes()).decode()
        browser.execute_script(
            """const data = new DataTransfer();
            const bytes = Uint8Array.from(atob(arguments[0]), (letter) => letter.charCodeAt(0));
            data.items.add(new File([bytes], "pasted.jpg", { type: "image/jpeg" }));
            document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data }));""",
            pasted,
        )
        until(browser, f"return document.querySelector('.lead')?.textContent.startsWith('{_FEW + 1} ')")
        browser.execute_script("document.querySelector('input[capture]').click()")
        until(browser, "return document.querySelector('#camera video').videoWidth > 0")
        browser.find_element(By.ID, "shoot").click()
        until(browser, "return document.querySelector('#shot').textContent === '1'")
        browser.find_element(By.ID, "camera-off").click()
        until(browser, f"return document.querySelector('.lead')?.textContent.startsWith('{_FEW + 2} ')")
    finally:
        studio.kill()


@pytest.mark.slow
def test_texts_are_dropped_with_their_images_and_several_labels_are_given_by_keys(
    browser: Any, textile: Path, feature_cache: Path, tmp_path: Path
):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    (tmp_path / "photos").mkdir()
    (tmp_path / "some").mkdir()
    for number, file in enumerate(sorted(textile.glob("train/*/*.jpg"))[:_FEW]):
        shutil.copyfile(file, tmp_path / "some" / f"{number}.jpg")
        (tmp_path / "some" / f"{number}.txt").write_text(f"bolt {number}", encoding="utf-8")
    (tmp_path / "some" / "other.txt").write_text("of no image", encoding="utf-8")
    studio = RunningStudio(tmp_path / "photos", feature_cache, "--multilabel")
    try:
        wide(browser, 1280)
        browser.get(studio.url)
        said = "document.querySelector('#sending').textContent"
        drop(browser, tmp_path / "some")
        until(browser, f"return {said} === '{_FEW} new, 0 already there, 1 refused, {_FEW} with a text'")
        drop(browser, tmp_path / "some")  # what is there is not sent again
        until(browser, f"return {said} === '0 new, {_FEW} already there, 1 refused'")
        browser.get(studio.base + "/label")
        until(browser, "return document.querySelectorAll('.tile-text').length === 8")
        for name in ("woven", "dark"):
            browser.find_element(By.ID, "new-name").send_keys(name, Keys.ENTER)
        browser.switch_to.active_element.send_keys("a", "1", Keys.ENTER)  # without the first, and not woven
        until(browser, "return document.querySelector('.counted b').textContent === '7'")
        browser.switch_to.active_element.send_keys(Keys.ENTER)  # none of them is an answer, too
        until(browser, "return document.querySelector('.counted b').textContent === '15'")
        until(browser, "return document.querySelector('.group').dataset.suggested === '1'")
        badge = "return document.querySelector('.tile-button bdi').textContent"
        before = browser.execute_script(badge)
        browser.switch_to.active_element.send_keys("a", "1")
        assert browser.execute_script(badge) != before
        browser.switch_to.active_element.send_keys("1")
        assert browser.execute_script(badge) == before
        browser.switch_to.active_element.send_keys(Keys.BACKSPACE)
        until(browser, "return document.querySelector('.counted b').textContent === '7'")
        assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
    finally:
        studio.kill()


@pytest.mark.skipif(_AXE is None, reason="needs the package axe-playwright-python")
def test_no_page_is_hard_to_use_with_a_screen_reader_or_without_colours(
    browser: Any, textile: Path, textile_run: Run, feature_cache: Path, tmp_path: Path
):
    assert _AXE is not None
    assert _AXE.submodule_search_locations is not None
    script = Path(_AXE.submodule_search_locations[0], "axe.min.js").read_text(encoding="utf-8")
    folder = tmp_path / "photos"
    for file in sorted(textile.glob("train/*/*.jpg"))[::5]:
        (folder / file.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, folder / file.parent.name / file.name)
    for file in sorted(textile.glob("val/*/*.jpg"))[:_FEW]:
        shutil.copyfile(file, folder / file.name)
    shutil.copytree(textile_run.directory, folder / "studio" / "runs" / "first")
    (folder / "studio" / "in-use.json").write_text('{"run": "first"}', encoding="utf-8")
    studio = RunningStudio(folder, feature_cache)
    try:
        browser.get(studio.url)
        browser.get(f"{studio.base}/label")
        until(browser, "return document.querySelectorAll('.tile-button').length > 0")
        found = []
        for width, scheme in ((390, "dark"), (390, "light"), (1280, "light"), (1280, "dark")):
            wide(browser, width)
            feature = {"name": "prefers-color-scheme", "value": scheme}
            browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
            for page in ("/", "/audit", "/label", "/train", "/models", "/models/first", "/try", "/review"):
                browser.get(studio.base + page)
                browser.execute_script(script)
                found += [(page, width, scheme, one) for one in browser.execute_async_script(_FIND)]
        assert found == []
    finally:
        studio.kill()
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
