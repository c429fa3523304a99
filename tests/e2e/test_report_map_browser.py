"""The map in a real browser: what a pointer, a finger and a keyboard find."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chromium import NEEDS_BROWSER, opened
from report_material import evaluation

from eyebright.report.content import EmbeddingMap
from eyebright.report.page import write_report

pytestmark = NEEDS_BROWSER


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 images in a grid of points, 9 of them named wrong."""
    folder = tmp_path_factory.mktemp("map")
    content = evaluation(folder, ("cat", "dog", "a < b"), 120, 9)
    rows = content.evaluated
    points = np.array([divmod(i, 12) for i in range(120)], np.float32) / 12
    found = EmbeddingMap(rows=rows, points=points, method="t-SNE", count=120)
    write_report(folder / "report.html", replace(content, embedding_map=found))
    return folder / "report.html"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    yield from opened(tmp_path_factory.mktemp("profile"))


@pytest.fixture(params=[390, 1280])
def shown(browser: Any, page: Path, request: pytest.FixtureRequest) -> Any:
    wide = request.param
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": wide, "height": 844, "deviceScaleFactor": 1, "mobile": wide < 500},
    )
    browser.get(page.as_uri())
    browser.execute_script("document.documentElement.style.scrollBehavior = 'auto'")
    yield browser
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []


def choose(browser: Any, element: str, shown: str) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import Select

    Select(browser.find_element(By.ID, element)).select_by_visible_text(shown)


def classes(browser: Any) -> list[str]:
    found: list[str] = browser.execute_script(
        "return [...document.querySelectorAll('#map-figure circle')].map(c => c.getAttribute('class'))"
    )
    return found


def test_a_pointer_finds_the_image_with_its_picture(shown: Any) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.by import By

    circle = shown.execute_script(
        "const c = document.querySelector('#map-figure circle.wrong');"
        "c.scrollIntoView({block: 'center'}); return c"
    )
    card = shown.find_element(By.ID, "map-card")
    assert not card.is_displayed()
    ActionChains(shown).move_to_element(circle).perform()
    assert card.is_displayed()
    assert "true class" in card.text
    assert ".png" in card.text
    inside = shown.execute_script(
        "const [a, b] = [arguments[0], document.getElementById('map-figure')]"
        ".map(e => e.getBoundingClientRect());"
        "return a.left >= b.left - 1 && a.right <= b.right + 1 "
        "&& a.top >= b.top - 1 && a.bottom <= b.bottom + 1",
        card,
    )
    assert inside
    seen = shown.execute_script(
        "const t = document.querySelector('#map-card .tile'), r = t.getBoundingClientRect();"
        "const i = t.querySelector('img').getBoundingClientRect();"
        "return i.left <= r.left + 1 && i.right >= r.right - 1 "
        "&& i.top <= r.top + 1 && i.bottom >= r.bottom - 1"
    )
    assert seen


def test_colours_follow_the_choice_and_one_class_can_be_seen_alone(shown: Any) -> None:
    assert sum("wrong" in kind for kind in classes(shown)) == 9
    choose(shown, "map-by", "Correct or wrong")
    assert sum(kind.startswith("said") for kind in classes(shown)) == 9
    assert sum(kind.startswith("right") for kind in classes(shown)) == 111
    choose(shown, "map-class", "cat")
    near = [kind for kind in classes(shown) if "away" not in kind]
    assert len(near) == 40 + 3  # all cats, and what was taken for one
    choose(shown, "map-by", "Predicted")
    assert sum(kind.startswith("c0") for kind in classes(shown)) == 40


def test_the_keyboard_reaches_every_mistake(shown: Any) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    shown.find_element(By.CSS_SELECTOR, "#map details summary").send_keys(Keys.ENTER)
    buttons = shown.find_elements(By.CSS_SELECTOR, "#map-list button")
    assert len(buttons) == 9
    card = shown.find_element(By.ID, "map-card")
    buttons[0].send_keys(Keys.TAB)
    assert card.is_displayed()
    assert shown.switch_to.active_element == buttons[1]
    assert len([kind for kind in classes(shown) if "marked" in kind]) == 1
    buttons[1].send_keys(Keys.ESCAPE)
    assert not card.is_displayed()


def test_the_map_is_not_wider_than_the_page(shown: Any) -> None:
    wide = shown.execute_script("return [innerWidth, document.documentElement.scrollWidth]")
    assert wide[1] <= wide[0]
