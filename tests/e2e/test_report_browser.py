"""The page in a real browser: no error, no sideways scroll on a phone, a filter that filters."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import NEEDS_BROWSER, opened, show
from report_material import training

from eyebright.report.page import write_report
from eyebright.text.language import speaking

pytestmark = NEEDS_BROWSER


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    yield from opened(tmp_path_factory.mktemp("profile"))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    write_report(folder / "report.html", training(folder, ("cat", "dog", "a < b"), 30, 9))
    return folder / "report.html"


@pytest.mark.parametrize("classes", [2, 12, 30, 60])
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_phone_never_scrolls_sideways(browser: Any, tmp_path: Path, classes: int, lang: Any) -> None:
    labels = (*(f"a rather long class name {i}" for i in range(classes - 1)), "x" * 90)
    page = tmp_path / "report.html"
    with speaking(lang):
        write_report(page, training(tmp_path, labels, 4 * classes, classes))
    show(browser, page, width=390)
    assert browser.execute_script("return document.documentElement.scrollWidth") == 390


def test_the_page_loads_without_an_error_and_without_a_request(browser: Any, small: Path) -> None:
    show(browser, small)
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
    sent = [e["message"] for e in browser.get_log("performance") if "requestWillBeSent" in e["message"]]
    assert [message for message in sent if '"url":"http' in message] == []
    broken = "return [...document.images].filter(i => !i.complete || !i.naturalWidth).length"
    assert browser.execute_script(broken) == 0


def test_the_filter_shows_what_was_chosen(browser: Any, small: Path) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import Select

    show(browser, small)
    shown = browser.find_element(By.ID, "shown")
    assert shown.text == "9 of 9 shown"
    truth = Select(browser.find_element(By.ID, "filter-true"))
    assert [option.text for option in truth.options] == ["all", "a < b", "cat", "dog"]
    truth.select_by_value("a < b")
    assert shown.text == "3 of 9 shown"
    cards = browser.find_elements(By.CSS_SELECTOR, "#gallery > li")
    assert {card.get_attribute("data-true") for card in cards if card.is_displayed()} == {"a < b"}
    Select(browser.find_element(By.ID, "filter-named")).select_by_value("dog")
    assert shown.text == "0 of 9 shown"
    truth.select_by_index(0)
    assert shown.text == "3 of 9 shown"


def test_a_count_of_the_confusion_matrix_shows_its_mistakes(browser: Any, small: Path) -> None:
    from selenium.webdriver.common.by import By

    show(browser, small)
    link = browser.find_element(By.CSS_SELECTOR, '.confusion a[data-true="cat"]')
    browser.execute_script("arguments[0].click()", link)
    cards = [c for c in browser.find_elements(By.CSS_SELECTOR, "#gallery > li") if c.is_displayed()]
    assert len(cards) == int(link.get_attribute("textContent"))
    named = link.get_attribute("data-named")
    assert {(c.get_attribute("data-true"), c.get_attribute("data-named")) for c in cards} == {("cat", named)}


def test_mistakes_are_walked_through_with_the_keyboard(browser: Any, small: Path) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.wait import WebDriverWait

    show(browser, small, width=390)
    buttons = browser.find_elements(By.CSS_SELECTOR, "#gallery button")
    buttons[0].send_keys(Keys.ENTER)
    viewer = browser.find_element(By.ID, "viewer")
    paths = [e.text for e in browser.find_elements(By.CSS_SELECTOR, "#gallery .path")]
    seen = []
    for key in (Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_LEFT, Keys.ARROW_LEFT, Keys.ARROW_LEFT):
        seen.append(viewer.find_element(By.CLASS_NAME, "path").text)
        browser.switch_to.active_element.send_keys(key)
    seen.append(viewer.find_element(By.CLASS_NAME, "path").text)
    assert seen == [paths[i] for i in (0, 1, 2, 1, 0, -1)]
    browser.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert not viewer.is_displayed()
    # The page hears of a dialog's end a moment after it is gone.
    WebDriverWait(browser, 10).until(lambda _: browser.switch_to.active_element == buttons[-1])


def test_every_sentence_of_the_verdict_leads_to_its_figures(browser: Any, small: Path) -> None:
    show(browser, small)
    missing = (
        "return [...document.querySelectorAll('.judgement a')]"
        ".filter(a => !document.querySelector(a.getAttribute('href'))).length"
    )
    assert browser.execute_script(missing) == 0
    assert browser.execute_script("return document.querySelectorAll('.judgement li').length") > 4


def test_without_script_all_mistakes_are_in_sight_and_the_filter_is_not(browser: Any, small: Path) -> None:
    from selenium.webdriver.common.by import By

    show(browser, small, script=False)
    assert not browser.find_element(By.ID, "filter").is_displayed()
    assert len([c for c in browser.find_elements(By.CSS_SELECTOR, "#gallery > li") if c.is_displayed()]) == 9


def test_a_script_that_got_into_the_page_would_not_run(browser: Any, small: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    intruder = "<script>document.title = 'taken'</script>"
    page.write_text(
        small.read_text(encoding="utf-8").replace("</main>", f"{intruder}</main>"), encoding="utf-8"
    )
    show(browser, page)
    assert browser.title == "small set"


CONTRAST = """
const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
const rgba = (c) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = c; canvas.fillRect(0, 0, 1, 1);
  const d = canvas.getImageData(0, 0, 1, 1).data; return [d[0], d[1], d[2], d[3] / 255]; };
const light = (c) => c.slice(0, 3).map(v => v / 255)
  .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const ground = (e) => { const layers = [];
  for (let n = e; n; n = n.parentElement) layers.unshift(rgba(getComputedStyle(n).backgroundColor));
  return layers.reduce((b, l) => b.map((v, i) => v * (1 - l[3]) + l[i] * l[3]), [255, 255, 255]); };
const poor = [];
for (const e of document.querySelectorAll("body *")) {
  if (!e.offsetParent || e.closest("svg")) continue;
  if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())) continue;
  const [a, b] = [light(rgba(getComputedStyle(e).color)), light(ground(e))].sort((x, y) => y - x);
  const text = e.textContent.slice(0, 30);
  if ((a + 0.05) / (b + 0.05) < 4.5) poor.push(`${e.tagName}.${e.className} ${text}`);
}
return poor;
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_its_ground(browser: Any, small: Path, scheme: str) -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    show(browser, small)
    dark = browser.execute_script("return matchMedia('(prefers-color-scheme: dark)').matches")
    assert dark == (scheme == "dark")
    assert browser.execute_script(CONTRAST) == []
