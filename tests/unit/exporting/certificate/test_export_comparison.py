"""The comparison's figures, on answers that can be counted by hand and on published intervals."""

from __future__ import annotations

import numpy as np
import pytest

from eyebright.evaluation.paired import accuracy_difference
from eyebright.evaluation.rules.decisions import Decisions
from eyebright.exporting.certificate.comparison import (
    ExportComparison,
    ExportedPredictions,
    ReferencePredictions,
)


def originals(probabilities: np.ndarray, truth: list[int]) -> ReferencePredictions:
    decisions = Decisions(np.full(probabilities.shape[1], np.nan))
    rows = probabilities.astype(np.float32)
    return ReferencePredictions(rows, np.array(truth), lambda: iter(()), "val", decisions)


def test_figures_counted_by_hand():
    before = np.array([[0.9, 0.1], [0.8, 0.2], [0.4, 0.6], [0.3, 0.7]])
    after = np.array([[0.9, 0.1], [0.4, 0.6], [0.4, 0.6], [0.7, 0.3]], np.float32)
    found = ExportComparison.of(ExportedPredictions(after), originals(before, [0, 0, 1, 0]))
    assert (found.images, found.agreement) == (4, 0.5)
    assert (found.accuracy_original, found.accuracy) == (0.75, 0.75)
    assert found.accuracy_difference.value == 0
    assert found.accuracy_difference.low < 0 < found.accuracy_difference.high
    assert found.max_difference == pytest.approx(0.4)
    assert found.mean_difference == pytest.approx((0.4 * 4) / 8)


def test_the_same_answers_are_no_difference_but_no_point_either():
    right = np.ones(500, bool)
    found = accuracy_difference(right, right)
    assert found.value == 0
    assert found.low == pytest.approx(-found.high)
    assert 0.003 < found.high < 0.01


def test_the_interval_of_a_published_example():
    """Bonett and Price (2012): of 50 pairs, 14 gained and 4 lost; adjusted Wald, 95 %."""
    right = np.array([True] * 14 + [False] * 4 + [True] * 32)
    before = np.array([False] * 14 + [True] * 4 + [True] * 32)
    found = accuracy_difference(right, before)
    assert found.value == pytest.approx(0.2)
    more, less = 15 / 52, 5 / 52
    half = 1.959964 * np.sqrt((more + less - (more - less) ** 2) / 52)
    assert found.low == pytest.approx(more - less - half, abs=1e-6)
    assert found.high == pytest.approx(more - less + half, abs=1e-6)


@pytest.mark.parametrize("p", [0.02, 0.2])
def test_the_interval_covers_the_truth(p: float):
    """Two equally good models: over many draws about 95 % of the intervals hold zero."""
    generator = np.random.default_rng(0)
    held = 0
    for _ in range(400):
        base, noise = generator.random(300), generator.random((2, 300))
        first, second = (np.where(noise[i] < p, base < 0.5, True) for i in (0, 1))
        found = accuracy_difference(first, second)
        held += found.low <= 0 <= found.high
    assert held >= 370
