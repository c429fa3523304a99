"""What the page says of fine-tuning: curves, the search of the rate, the comparison, and the loud warning."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
from report_material import fine_tuning, learned, training

from eyebright.report.charts.axis import linear_axis, rate_axis
from eyebright.report.charts.curve import Line, curve_chart
from eyebright.report.content import RateSearch, TrainingCurves
from eyebright.report.page import render
from eyebright.text.language import speaking
from eyebright.training.finetune.history import EpochRow
from eyebright.types import Lang


def sections(text: str) -> set[str]:
    return set(re.findall(r'<section id="(\w+)"', text))


def plain(value: float) -> str:
    return f"{value:g}"


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_fine_tuning_adds_its_sections_and_a_frozen_training_has_none(tmp_path: Path, lang: Lang) -> None:
    with speaking(lang):
        with_it, without = (sections(render(made(tmp_path))) for made in (fine_tuning, training))
    assert with_it - without == {"tuning", "learning"}


def test_random_weights_are_told_before_anything_else(tmp_path: Path) -> None:
    content = fine_tuning(tmp_path)
    text = render(content)
    assert text.index('class="alarm"') < text.index("</header>")
    assert "Random weights" in text
    assert 'class="alarm"' not in render(replace(content, random_weights=False))


def test_the_page_says_what_was_kept_and_how_long_the_device_waited(tmp_path: Path) -> None:
    text = render(fine_tuning(tmp_path)).replace("\N{NO-BREAK SPACE}", " ")
    assert "Nothing was gained for 5 epochs. The weights of epoch 6 were kept." in text
    assert "The device waited for images 3.1 % of the time." in text
    assert "10 min are not enough for one epoch." in text
    assert "Last 2 of 7 units" in text


def test_every_measure_has_its_chart_and_its_numbers(tmp_path: Path) -> None:
    text = render(fine_tuning(tmp_path))
    assert text.count('class="curve"') == 6  # five of the history, one of the finder
    rows = re.search(r"Metrics by epoch</caption>.*?<tbody>(.*?)</tbody>", text, re.S)
    assert rows is not None
    assert rows[1].count("<tr>") == 9
    assert "1.91 GB" in rows[1]


def test_what_was_not_measured_has_no_chart(tmp_path: Path) -> None:
    history = [replace(row, memory_mb=math.nan, val_accuracy=math.nan) for row in learned().history]
    text = render(replace(training(tmp_path), training_curves=TrainingCurves(history=history)))
    assert text.count('class="curve"') == 3
    assert "<h3>Memory</h3>" not in text


def test_nothing_to_draw_is_no_error(tmp_path: Path) -> None:
    nothing = EpochRow(1, 1, *([math.nan] * 8))
    for history in ((), (nothing,)):
        text = render(replace(training(tmp_path), training_curves=TrainingCurves(history=history)))
        assert "learning" in sections(text)
        assert 'class="curve"' not in text


def test_one_epoch_is_a_dot_inside_the_frame() -> None:
    x, y = linear_axis([1], plain, whole=True), linear_axis([0.5], plain)
    html = curve_chart([Line("", [(1, 0.5)])], x, y, "one")
    (dot,) = re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', html)
    assert 52 < float(dot[0]) < 308
    assert 22 < float(dot[1]) < 158


def test_a_missing_point_breaks_the_line() -> None:
    points = [(1, 1.0), (2, 2.0), (3, math.nan), (4, 1.0), (5, math.nan), (6, 2.0)]
    axis = linear_axis([1, 6], plain)
    (path,) = re.findall(r' d="([^"]+)"', curve_chart([Line("", points)], axis, axis, "gaps"))
    assert re.sub(r"[\d. ]", "", path) == "MLMM"


def test_higher_is_drawn_higher() -> None:
    axis = linear_axis([0, 10], plain)
    html = curve_chart([Line("", [(0, 1.0), (10, 9.0)])], axis, axis, "up")
    (first, second) = re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', html)
    assert float(second[0]) > float(first[0])
    assert float(second[1]) < float(first[1])


@pytest.mark.parametrize(
    "values", [[0.0, 1.0], [31.2, 33.9], [1e-6, 3e-4], [-2.0, 5000.0], [7.0, 7.0], [0.0]]
)
def test_round_figures_stand_on_an_axis_that_holds_all(values: list[float]) -> None:
    axis = linear_axis(values, plain)
    assert axis.low <= min(values)
    assert axis.high >= max(values)
    assert 2 <= len(axis.ticks) <= 7
    assert all(axis.low - 1e-9 <= tick <= axis.high + 1e-9 for tick in axis.ticks)
    assert all(len(plain(tick)) <= 7 for tick in axis.ticks)


def test_epochs_are_whole_numbers() -> None:
    assert list(linear_axis([1, 2], plain, whole=True).ticks) == [1, 2]
    assert all(tick == int(tick) for tick in linear_axis([0, 47], plain, whole=True).ticks)


def test_rates_are_as_far_apart_as_their_powers() -> None:
    axis = rate_axis([1e-6, 1e-2], plain)
    assert axis.share(1e-4) == pytest.approx(0.5)
    assert len(axis.ticks) == 5


def test_an_explosion_does_not_flatten_the_finders_dip(tmp_path: Path) -> None:
    search = RateSearch([1e-5, 1e-4, 1e-3, 1e-2], [1.0, 0.8, 0.6, 1e9], 1e-4)
    told = replace(learned(), history=(), search=search)
    text = render(replace(training(tmp_path), training_curves=told))
    heights = [float(y) for y in re.findall(r'class="dot" cx="[\d.]+" cy="([\d.]+)"', text)]
    assert heights[2] - heights[0] > 40
