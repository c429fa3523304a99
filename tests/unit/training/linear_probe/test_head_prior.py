"""A head that is drawn to another one: with few images it is at least as good as either end."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from eyebright.training.linear_probe.head import fit_head
from eyebright.training.linear_probe.linear import LinearHead
from eyebright.types import FloatArray, IntArray

CLASSES, TEST = 10, 800
SEEDS = 3


@pytest.fixture(scope="module")
def digits() -> tuple[FloatArray, IntArray]:
    pixels, truth = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(truth))
    return pixels[order].astype(np.float32), truth[order].astype(np.int64)


@pytest.fixture(scope="module")
def rough(digits: tuple[FloatArray, IntArray]) -> LinearHead:
    """A head that is right on about three digits of four, as the names of classes may be."""
    pixels, truth = digits[0][-200:], digits[1][-200:].copy()
    random = np.random.default_rng(1)
    flipped = random.random(len(truth)) < 0.4
    truth[flipped] = random.integers(0, CLASSES, int(flipped.sum()))
    return fit_head(pixels, truth, CLASSES).head


def accuracy(head: LinearHead, digits: tuple[FloatArray, IntArray]) -> float:
    return float((head.logits(digits[0][:TEST]).argmax(axis=1) == digits[1][:TEST]).mean())


def shots(truth: IntArray, count: int, seed: int) -> IntArray:
    """Return the places of ``count`` rows a class, none of them tested or learnt from by the prior."""
    random = np.random.default_rng(seed)
    free = np.arange(TEST, len(truth) - 200)
    return np.concatenate([random.permutation(free[truth[free] == k])[:count] for k in range(CLASSES)])


@pytest.mark.parametrize("count", [1, 4, 16])
def test_it_is_as_good_as_either_end(
    digits: tuple[FloatArray, IntArray], rough: LinearHead, count: int
) -> None:
    alone, drawn = [], []
    for seed in range(SEEDS):
        places = shots(digits[1], count, seed)
        rows, truth = digits[0][places], digits[1][places]
        alone.append(accuracy(fit_head(rows, truth, CLASSES).head, digits))
        drawn.append(accuracy(fit_head(rows, truth, CLASSES, prior=rough).head, digits))
    assert np.mean(drawn) >= max(np.mean(alone), accuracy(rough, digits)) - 0.01


def test_a_prior_of_nonsense_is_left_out(digits: tuple[FloatArray, IntArray]) -> None:
    random = np.random.default_rng(2)
    nonsense = LinearHead(
        random.standard_normal((64, CLASSES)).astype(np.float32), np.zeros(CLASSES, np.float32)
    )
    places = shots(digits[1], 8, 0)
    fit = fit_head(digits[0][places], digits[1][places], CLASSES, prior=nonsense)
    alone = fit_head(digits[0][places], digits[1][places], CLASSES)
    assert fit.prior_scale == 0
    assert accuracy(fit.head, digits) == pytest.approx(accuracy(alone.head, digits), abs=0.01)


def test_held_out_logits_hold_the_prior(digits: tuple[FloatArray, IntArray], rough: LinearHead) -> None:
    places = shots(digits[1], 1, 0)
    fit = fit_head(digits[0][places], digits[1][places], CLASSES, prior=rough)
    np.testing.assert_allclose(fit.held_out, rough.logits(digits[0][places]))
