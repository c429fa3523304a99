"""The page of several labels an image in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import NEEDS_BROWSER, opened, show
from report_material import several

from eyebright.report.page import write_report

pytestmark = NEEDS_BROWSER


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    yield from opened(tmp_path_factory.mktemp("profile"))


@pytest.mark.parametrize("count", [2, 12, 40])
def test_a_phone_never_scrolls_sideways(browser: Any, tmp_path: Path, count: int) -> None:
    labels = (*(f"a rather long label {i:02}" for i in range(count - 1)), "x" * 90)
    write_report(tmp_path / "report.html", several(tmp_path, labels))
    show(browser, tmp_path / "report.html", width=390)
    assert browser.execute_script("return document.documentElement.scrollWidth") == 390


def test_the_page_has_no_error_and_its_filter_filters(browser: Any, tmp_path: Path) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import Select

    write_report(tmp_path / "report.html", several(tmp_path))
    show(browser, tmp_path / "report.html")
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
    missed = Select(browser.find_element(By.ID, "filter-true"))
    assert "no labels" in [option.text for option in missed.options]
    missed.select_by_value("no labels")
    cards = [c for c in browser.find_elements(By.CSS_SELECTOR, "#gallery > li") if c.is_displayed()]
    assert 0 < len(cards) < 6
    assert {card.get_attribute("data-true") for card in cards} == {"no labels"}
    # By the keyboard: the page scrolls smoothly, and a click would fall where the button was.
    cards[0].find_element(By.TAG_NAME, "button").send_keys(Keys.ENTER)
    viewer = browser.find_element(By.ID, "viewer")
    assert viewer.is_displayed()
    assert "false positives" in viewer.text
