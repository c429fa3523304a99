"""The drawings say what the figures say."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from eyebright.evaluation.multiclass.results import ReliabilityBin
from eyebright.report.charts.confusion import confused_pairs, confusion_table, heat_grid
from eyebright.report.charts.interval import interval_bar, interval_dot, plain_bar
from eyebright.report.charts.reliability import reliability_diagram
from eyebright.types import Interval


def test_confused_pairs_come_most_frequent_first_and_leave_out_the_diagonal_and_zeros() -> None:
    confusion = np.array([[90, 2, 0], [5, 80, 0], [0, 1, 70]])
    assert confused_pairs(confusion, 20) == [(1, 0, 5), (0, 1, 2), (2, 1, 1)]
    assert confused_pairs(confusion, 1) == [(1, 0, 5)]
    assert confusion[0, 0] == 90


def test_the_table_holds_every_count_and_marks_right_and_wrong() -> None:
    html = confusion_table(np.array([[7, 3], [0, 5]]), ("a", "b"), "caption", "corner")
    cells = re.findall(r'<td class="(hit|miss|none)"[^>]*>(?:<a [^>]*>)?(\d+)<', html)
    assert cells == [("hit", "7"), ("miss", "3"), ("none", "0"), ("hit", "5")]


def test_the_heat_grid_draws_one_square_for_each_count_that_is_not_zero() -> None:
    confusion = np.array([[9, 1, 0], [0, 0, 4], [0, 0, 6]])
    squares = re.findall(r"M(\d+) (\d+)h1", heat_grid(confusion, "shades"))
    assert {(int(x), int(y)) for x, y in squares} == {(0, 0), (1, 0), (2, 1), (2, 2)}
    assert len(squares) == 4


def test_a_class_without_images_costs_no_warning_and_no_square() -> None:
    with np.errstate(all="raise"):
        assert "M1 1" not in heat_grid(np.array([[3, 0], [0, 0]]), "shades")


def test_a_bar_is_as_long_as_its_value_and_its_whisker_spans_the_interval() -> None:
    html = interval_bar(Interval(0.8, 0.75, 0.9))
    assert 'width="80.0%"' in html
    assert 'x1="75.0%" x2="90.0%"' in html


@pytest.mark.parametrize("value", [math.nan, math.inf, -0.5, 1.5])
def test_figures_out_of_range_are_drawn_inside_the_frame(value: float) -> None:
    html = interval_bar(Interval(value, value, value)) + plain_bar(value)
    assert all(0 <= float(share) <= 100 for share in re.findall(r'"([-\w.]+)%"', html))


def test_equal_choices_do_not_divide_by_zero() -> None:
    assert "<circle" in interval_dot(Interval(0.9, 0.9, 0.9), 0.9, 0.9, True)


def test_the_reliability_diagram_has_a_bar_a_dot_and_a_count_for_each_bin() -> None:
    bins = [ReliabilityBin(0.5, 0.6, 4, 0.55, 0.25), ReliabilityBin(0.9, 1.0, 40, 0.97, 0.95)]
    html = reliability_diagram(bins)
    assert html.count('class="fill"') == html.count("<circle") == html.count('class="count"') == 2
    # Four images are too few for a firm mark.
    assert html.count('class="dot few"') == 1
