"""Sizes and layers are chosen on part of the training images, step by step, and a step must earn its cost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyebright.training.linear_probe.head import HeadFit
from eyebright.training.linear_probe.linear import LinearHead
from eyebright.training.linear_probe.selection import (
    SIZE_LADDER,
    better,
    candidates,
    climb,
    ladder,
    losses,
    subset,
)
from eyebright.types import FloatArray, IntArray


def fit_with(held_out: FloatArray) -> HeadFit:
    """A fit of which only the held-out logits count."""
    empty = np.zeros((1, held_out.shape[1]), np.float32)
    return HeadFit(LinearHead(empty, empty[0]), 1.0, (), held_out, 0.0)


def logits_of_loss(loss: float, truth: IntArray, spread: float = 0.0) -> FloatArray:
    """Two-class logits whose mean log loss is about ``loss``, each image's own by ``spread``."""
    own = loss * np.exp(spread * np.sin(np.arange(len(truth))))
    margin = -np.log(np.expm1(own))
    logits = np.zeros((len(truth), 2), np.float32)
    logits[np.arange(len(truth)), truth] = margin
    return logits


@pytest.mark.parametrize(
    ("sides", "expected"),
    [
        ([8], (96,)),  # digits: even the smallest is more than four times larger
        ([28], (96,)),
        ([64], (96, 160, 224)),
        ([112], (224, 288, 448)),
        ([250], (224, 288, 448)),
        ([4000], (224, 288, 448)),
        ([30, 3000, 4000], (224, 288, 448)),  # the median counts
    ],
)
def test_the_ladder_fits_the_images(sides: list[int], expected: tuple[int, ...]) -> None:
    assert ladder(sides) == expected


@given(st.lists(st.integers(1, 50_000), min_size=1, max_size=20))
def test_the_ladder_is_never_empty_and_climbs(sides: list[int]) -> None:
    sizes = ladder(sides)
    assert sizes
    assert list(sizes) == sorted(set(sizes))
    assert set(sizes) <= set(SIZE_LADDER)
    assert all(size % 32 == 0 for size in sizes)
    assert sizes == (SIZE_LADDER[0],) or max(sizes) <= 4 * np.median(sides)


def test_a_small_set_is_compared_whole() -> None:
    truth = np.array([0, 1, 0, 1])
    np.testing.assert_array_equal(subset(truth, np.arange(4), 400, 0), [0, 1, 2, 3])


def test_the_subset_keeps_the_classes_shares() -> None:
    truth = np.repeat([0, 1, 2], [3000, 900, 100])
    kept = subset(truth, np.arange(4000), 400, 0)
    assert np.bincount(truth[kept]).tolist() == [300, 90, 10]
    assert list(kept) == sorted(set(kept.tolist()))


def test_a_rare_class_is_in_the_subset() -> None:
    truth = np.repeat([0, 1], [10_000, 3])
    assert np.bincount(truth[subset(truth, np.arange(10_003), 400, 0)])[1] == 3


def test_the_subset_is_drawn_by_the_seed() -> None:
    truth = np.repeat([0, 1], 1000)
    first, again, other = (subset(truth, np.arange(2000), 100, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first.max() > 1500  # from all over, not the first of each class
    assert np.ptp(first[truth[first] == 0]) > 500


@settings(max_examples=30)
@given(st.integers(0, 1000), st.integers(50, 300))
def test_the_subset_cuts_at_most_one_group_of_each_class(seed: int, count: int) -> None:
    groups = np.repeat(np.arange(300), 3)
    truth = np.repeat(np.arange(3), 300)
    kept = subset(truth, groups, count, seed)
    whole = np.bincount(groups[kept], minlength=300)
    for label in range(3):
        inside = whole[100 * label : 100 * label + 100]
        assert ((inside > 0) & (inside < 3)).sum() <= 1


def test_losses_are_those_of_the_true_class() -> None:
    held_out = np.log(np.array([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]], np.float32)) + 7
    np.testing.assert_allclose(losses(fit_with(held_out), np.array([0, 2])), -np.log([0.5, 0.1]), rtol=1e-5)


def test_losses_of_very_sure_answers_are_finite() -> None:
    held_out = np.array([[2000, 0], [2000, 0]], np.float32)
    np.testing.assert_allclose(losses(fit_with(held_out), np.array([0, 1])), [0, 2000])


def test_better_is_lower_by_more_than_chance() -> None:
    rng = np.random.default_rng(0)
    before = rng.uniform(0.2, 1, 400).astype(np.float32)
    assert better(before - 0.1, before)
    assert not better(before + 0.1, before)
    assert not better(before, before)
    noise = rng.normal(0, 1, 400).astype(np.float32)
    noise -= noise.mean()
    assert not better(before + noise - 0.04, before)  # a standard error is 0.05
    assert better(before + noise - 0.06, before)


def climbed(losses_by_name: dict[str, float], spread: float = 0.3) -> tuple[str, list[str]]:
    """What was chosen, and what was tried, of candidates with these losses."""
    truth = np.arange(400) % 2
    tried: list[str] = []

    def fit(name: str) -> HeadFit:
        tried.append(name)
        return fit_with(logits_of_loss(losses_by_name[name], truth, spread))

    best, rows = climb(list(losses_by_name), fit, truth)
    assert [row.name for row in rows] == tried
    assert [row.name for row in rows if row.selected] == [best]
    return best, tried


def test_the_climb_goes_on_while_a_fifth_of_the_loss_goes() -> None:
    assert climbed({"224": 1.0, "320": 0.7, "448": 0.5}) == ("448", ["224", "320", "448"])


def test_the_climb_takes_a_small_step_and_stops() -> None:
    assert climbed({"224": 1.0, "320": 0.9, "448": 0.1}) == ("320", ["224", "320"])


def test_the_climb_stays_where_a_step_loses() -> None:
    assert climbed({"224": 0.5, "320": 0.6, "448": 0.1}) == ("224", ["224", "320"])


def test_the_climb_stays_where_a_step_gains_nothing() -> None:
    assert climbed({"224": 0.5, "320": 0.5}) == ("224", ["224", "320"])


def test_one_candidate_is_taken() -> None:
    assert climbed({"96": 3.0}) == ("96", ["96"])


def test_the_rows_count_what_was_named_right() -> None:
    truth = np.array([0, 1, 1, 0])
    held_out = np.array([[2, 1], [2, 1], [1, 2], [2, 1]], np.float32)
    fit = fit_with(held_out)
    (row,) = candidates({"texture": fit}, "texture", truth)
    assert (row.name, row.correct, row.count, row.selected) == ("texture", 3, 4, True)
    assert row.log_loss == pytest.approx(losses(fit, truth).mean())
