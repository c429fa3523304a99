"""What is decided from probabilities, at thresholds and limits too, and where classes are equal."""

from __future__ import annotations

import numpy as np
import pytest

from eyebright.evaluation.rules.decisions import Decisions

NONE = np.nan


def rows(*values: list[float]) -> np.ndarray:
    return np.array(values, np.float32)


def test_the_likeliest_class_is_predicted_and_of_equal_ones_the_first() -> None:
    decisions = Decisions(np.full(3, np.nan))
    assert decisions.predict(rows([0.2, 0.5, 0.3], [0.4, 0.4, 0.2])).tolist() == [1, 0]
    assert not decisions.changed


def test_a_class_is_predicted_from_its_threshold_on() -> None:
    decisions = Decisions(np.array([NONE, 0.1, NONE]))
    at = np.float32(0.1)
    below, near = np.nextafter(at, np.float32(0)), np.nextafter(at, np.float32(1))
    found = decisions.predict(np.array([[0.8, p, 0.1] for p in (below, at, near)], np.float32))
    # 0.1 in float32 is a little above the 0.1 that is the threshold, what lies before it is below.
    assert found.tolist() == [0, 1, 1]


def test_several_thresholds_among_three_classes() -> None:
    probabilities = rows([0.2, 0.7, 0.1], [0.05, 0.6, 0.35], [0.5, 0.3, 0.2])
    for thresholds, expected in (
        ([0.15, NONE, NONE], [0, 1, 0]),
        ([0.9, NONE, NONE], [1, 1, 1]),
        ([0.1, NONE, 0.3], [0, 2, 0]),
        ([0.9, 0.9, 0.9], [1, 1, 0]),
    ):
        assert Decisions(np.array(thresholds)).predict(probabilities).tolist() == expected


def test_a_threshold_of_nothing_is_reached_by_nothing() -> None:
    assert Decisions(np.array([NONE, 0.0])).predict(rows([1, 0])).tolist() == [1]


def test_of_several_that_are_reached_the_one_that_exceeds_its_own_the_most_times_over() -> None:
    decisions = Decisions(np.array([0.4, 0.1, NONE]))
    assert decisions.predict(rows([0.6, 0.3, 0.1], [0.6, 0.12, 0.28], [0.5, 0.125, 0.375])).tolist() == [
        1,
        0,
        0,
    ]


def test_where_none_is_reached_the_likeliest_without_a_threshold() -> None:
    assert Decisions(np.array([0.9, NONE, NONE])).predict(rows([0.8, 0.05, 0.15], [1e-9, 0, 0])).tolist() == [
        2,
        1,
    ]
    assert Decisions(np.array([0.9, 0.3])).predict(rows([0.75, 0.25], [0.7, 0.2])).tolist() == [0, 0]


def test_costs_choose_the_least_expected_and_of_equal_ones_the_likeliest() -> None:
    costs = np.array([[0, 1, 1], [10, 0, 1], [1, 1, 0]], float)
    assert Decisions(np.full(3, NONE), costs).predict(rows([0.6, 0.3, 0.1], [0.9, 0.01, 0.09])).tolist() == [
        1,
        0,
    ]
    equal = Decisions(np.full(3, NONE), np.ones((3, 3)) - np.eye(3))
    thirds = rows([0.3, 0.3, 0.4], [0.1, 0.45, 0.45], [1 / 3, 1 / 3, 1 / 3])
    assert equal.predict(thirds).tolist() == [2, 1, 0]


def test_each_of_several_labels_is_decided_by_itself() -> None:
    decisions = Decisions(np.array([0.5, 0.25]), multilabel=True, unknown_above=1.0)
    given = rows([0.5, 0.25], [0.49, 0.9], [0.9, 0.9])
    assert decisions.predict(given).tolist() == [[1, 1], [0, 1], [1, 1]]
    assert decisions.answer(given, np.float32([0, 1, 1.1])).tolist() == [[1, 1], [0, 1], [-1, -1]]


@pytest.mark.parametrize("limit", [1.0, 0.1, 0.7])
def test_an_image_is_unknown_above_the_limit_and_not_at_it(limit: float) -> None:
    decisions = Decisions(np.full(2, NONE), unknown_above=limit)
    near = np.float32(limit)
    scores = np.array(
        [np.nextafter(near, np.float32(0)), near, np.nextafter(near, np.float32(2))], np.float32
    )
    found = decisions.answer(rows(*[[0.9, 0.1]] * 3), scores)
    assert found.tolist() == [-1 if float(score) > limit else 0 for score in scores]
    assert decisions.answer(rows([0.9, 0.1]), None).tolist() == [0]
