"""Paired tests against SciPy and published figures, and against truth on resampled predictions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest, ttest_rel

from eyebright.evaluation.paired import differences, holm, mcnemar


def answers(both: int, first: int, second: int, neither: int) -> np.ndarray:
    """(2, N) which of two models is right."""
    rows = [(True, True)] * both + [(True, False)] * first + [(False, True)] * second
    return np.array(rows + [(False, False)] * neither).T


def losses(right: np.ndarray) -> np.ndarray:
    return np.where(right, 0.1, 2.0)


def test_mcnemar_is_the_exact_binomial_test() -> None:
    for first, second in ((1, 9), (9, 1), (4, 4), (0, 0), (0, 6), (25, 40)):
        right = answers(10, first, second, 3)
        expected = binomtest(first, first + second).pvalue if first + second else 1.0
        assert mcnemar(right[1], right[0]) == pytest.approx(min(1, expected))


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.7]) == [0.7]
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_the_counts_and_the_sign_are_right() -> None:
    right = answers(50, 2, 18, 30)
    (d,) = differences(right, losses(right), resamples=500)
    assert (d.both, d.only_first, d.only_second, d.neither) == (50, 2, 18, 30)
    assert d.accuracy.value == pytest.approx(0.16)
    assert 0 < d.accuracy.low < 0.16 < d.accuracy.high
    assert d.log_loss.value == pytest.approx(-0.16 * 1.9)
    assert d.log_loss_p == pytest.approx(ttest_rel(*losses(right)).pvalue)
    assert d.better == d.better_loss == 1


def test_few_images_show_nothing() -> None:
    right = answers(5, 0, 3, 1)
    (d,) = differences(right, losses(right), resamples=200)
    assert d.better is None
    assert d.accuracy.low < 0 < d.accuracy.high


def test_equal_answers_and_one_image_are_no_points() -> None:
    for right in (answers(20, 0, 0, 5), answers(0, 0, 1, 0)):
        (d,) = differences(right, losses(right), resamples=100)
        assert d.accuracy_p == d.log_loss_p == 1
        assert d.accuracy.low < 0 < d.accuracy.high
        assert d.better is d.better_loss is None


def test_of_models_that_are_equally_good_hardly_any_is_called_better() -> None:
    random = np.random.default_rng(0)
    called = 0
    for _ in range(200):
        right = random.random((4, 120)) < 0.8
        called += any(d.better is not None for d in differences(right, losses(right), resamples=2))
    assert called / 200 < 0.08


def test_intervals_hold_the_true_difference() -> None:
    random = np.random.default_rng(1)
    held = 0
    for _ in range(300):
        shared = random.random(150)
        right = np.stack([shared < 0.7, np.where(random.random(150) < 0.5, shared, random.random(150)) < 0.8])
        (d,) = differences(right, losses(right), resamples=200)
        held += d.accuracy.low <= 0.1 <= d.accuracy.high
    assert held / 300 > 0.92
