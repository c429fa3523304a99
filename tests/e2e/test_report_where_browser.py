"""Slices, worse images, the data-size curve and confused pairs on a phone and a wide screen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chromium import NEEDS_BROWSER, opened
from report_material import training

from eyebright.data.corruptions import STRENGTHS
from eyebright.evaluation.forecast import grown
from eyebright.evaluation.robustness import RobustnessResult, robustness, shortcut
from eyebright.evaluation.slices import Column, slices
from eyebright.report.page import write_report
from eyebright.text.language import speaking
from eyebright.training.linear_probe.learning_curve import CurvePoint

pytestmark = NEEDS_BROWSER
N = 200


def first(count: int) -> np.ndarray:
    return np.arange(N) < count


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    yield from opened(tmp_path_factory.mktemp("profile"))


@pytest.fixture(scope="module", params=["en", "zh"])
def page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    truth = np.arange(N) % 3
    columns = [
        Column("brightness", np.arange(N, dtype=np.float64) / N),
        Column("a rather long name of a column", ["x" * 60] * 100 + ["y" * 60] * 100),
    ]
    levels = {kind: [first(180 - 30 * i) for i in range(5)] for kind in STRENGTHS}
    points = [CurvePoint(n / 160, n, first(round(170 - 600 / n))) for n in (16, 32, 80, 160)]
    content = replace(
        training(folder, ("cat", "dog", "z" * 40), 60, 12),
        slices=slices(columns, first(150), truth),
        robustness=RobustnessResult(
            robustness(first(190), levels, STRENGTHS), shortcut(first(190), first(180), first(190), truth)
        ),
        learning_curve=grown(points, 0),
    )
    with speaking(request.param):
        write_report(folder / "report.html", content)
    return folder / "report.html"


@pytest.mark.parametrize("width", [390, 1280])
def test_every_section_fits_and_draws(browser: Any, page: Path, width: int) -> None:
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 500},
    )
    browser.get(page.as_uri())
    browser.execute_script("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    wide = "const page = document.documentElement; return page.scrollWidth - page.clientWidth"
    assert browser.execute_script(wide) == 0
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
    drawn = "return document.querySelectorAll(arguments[0]).length"
    assert browser.execute_script(drawn, "#robustness .curve .band") == len(STRENGTHS)
    assert browser.execute_script(drawn, "#curve .curve .band") == 1
    assert browser.execute_script(drawn, "#slices .note") == 2
    assert browser.execute_script(drawn, "#pairs .strip img") > 0
    # No figure of an axis is cut off by the drawing's edge.
    cut_off = """
        return [...document.querySelectorAll('#robustness .curve text, #curve .curve text')].filter(t => {
          const [a, b] = [t.getBoundingClientRect(), t.closest('svg').getBoundingClientRect()];
          return a.right > b.right + 1 || a.left < b.left - 1;
        }).map(t => t.textContent)
    """
    assert browser.execute_script(cut_off) == []
