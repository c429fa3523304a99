"""Intervals against published numbers and brute force."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.stats import binomtest, ttest_1samp

from eyebright.evaluation.intervals import (
    bootstrap_sums,
    hull,
    mover,
    percentiles,
    student,
    wilson,
    wilson_f1,
)
from eyebright.types import Interval


@pytest.mark.parametrize(("successes", "trials"), [(0, 1), (1, 1), (3, 10), (10, 10), (0, 500), (461, 500)])
def test_wilson_is_that_of_scipy(successes: int, trials: int) -> None:
    expected = binomtest(successes, trials).proportion_ci(method="wilson")
    low, high = wilson(successes, trials)
    assert float(low) == pytest.approx(expected.low, abs=1e-12)
    assert float(high) == pytest.approx(expected.high, abs=1e-12)


def test_wilson_takes_arrays_and_knows_nothing_without_trials() -> None:
    low, high = wilson(np.array([0, 5, 0]), np.array([0, 5, 5]))
    assert (low[0], high[0]) == (0, 1)
    assert high[1] == 1
    assert low[2] == 0


def test_f1_limits_hold_the_score_and_stay_apart_at_the_ends() -> None:
    low, high = wilson_f1(np.array([0, 5, 3]), np.array([2, 5, 4]), np.array([5, 5, 5]))
    scores = np.array([0, 1, 2 * 3 / 9])
    assert (low <= scores).all()
    assert (scores <= high).all()
    assert (low < high).all()
    assert high[0] < 1
    assert low[1] > 0


def test_mover_of_one_proportion_is_its_own_interval() -> None:
    low, high = wilson(7, 10)
    pair = mover(np.array([0.7]), (np.array([low]), np.array([high])), np.ones(1))
    assert pair == pytest.approx((float(low), float(high)))


def test_mover_of_a_mean_is_narrower_than_its_parts() -> None:
    low, high = wilson(np.full(4, 7), 10)
    pair = mover(np.full(4, 0.7), (low, high), np.full(4, 0.25))
    assert pair[1] - pair[0] == pytest.approx((high[0] - low[0]) / 2)


def test_student_is_that_of_scipy() -> None:
    values = np.array([0.1, 0.4, 2.0, 0.05])
    expected = ttest_1samp(values, 0).confidence_interval(0.95)
    assert student(values) == pytest.approx((expected.low, expected.high))


def test_bootstrap_sums_are_those_of_drawn_rows() -> None:
    table = np.array([[1.0, 0, 0.5], [0, 2, 0], [0, 0, 3]])
    sums = bootstrap_sums([csr_array(table)], 0, 4000)
    assert sums.shape == (4000, 3)
    drawn = sums @ np.linalg.inv(table)  # how often each row was drawn
    np.testing.assert_allclose(drawn, np.rint(drawn), atol=1e-9)
    np.testing.assert_allclose(drawn.sum(axis=1), 3)
    np.testing.assert_allclose(drawn.mean(axis=0), 1, atol=0.06)
    np.testing.assert_allclose(drawn.var(axis=0), 2 / 3, atol=0.06)  # multinomial


def test_bootstrap_in_pieces_has_as_many_resamples() -> None:
    table = csr_array(np.ones((900_000, 1)))
    np.testing.assert_array_equal(bootstrap_sums([table], 0, 5), np.full((5, 1), 900_000))


def test_percentiles_leave_out_absent_classes() -> None:
    draws = np.concatenate([np.linspace(0, 1, 1001), [np.nan] * 50])
    low, high = percentiles(draws)
    assert (low, high) == pytest.approx((0.025, 0.975))


def test_hull_holds_the_value_and_keeps_the_range() -> None:
    assert hull(0.5, (0.6, 0.7), (-0.1, 0.2)) == Interval(0.5, 0.0, 0.7)
    assert hull(0.9, (0.8, 1.3)) == Interval(0.9, 0.8, 1.0)
    assert hull(0.9, (0.8, 1.3), top=16).high == 1.3
