"""Sizes, layers and views are chosen on part of the training images, and a step must earn its cost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyebright.training.linear_probe.head import HeadFit
from eyebright.training.linear_probe.linear import LinearHead
from eyebright.training.linear_probe.selection import (
    SIZE_LADDER,
    Selection,
    Setting,
    SettingComparison,
    better,
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


def test_a_smaller_subset_is_part_of_the_larger() -> None:
    truth, groups = np.arange(3000) % 3, np.arange(3000) // 2
    larger, smaller = (subset(truth, groups, count, 0) for count in (400, 128))
    assert set(smaller.tolist()) < set(larger.tolist())


TRUTH = np.arange(400) % 2


class Heads:
    """Heads of settings with these mean losses, and what was asked for: settings, and on how many images."""

    def __init__(self, losses_of: dict[Setting, float], spread: float = 0.3) -> None:
        self.losses_of, self.spread = losses_of, spread
        self.asked: list[tuple[Setting, str, bool]] = []

    def select(
        self, *, first: int = 400, thorough: bool = False, sets: tuple[str, ...] = ("texture",)
    ) -> Selection:
        sizes = list(dict.fromkeys(setting.size for setting in self.losses_of))
        views = list(dict.fromkeys(setting.views for setting in self.losses_of))
        kept = np.arange(first)

        def fit(setting: Setting, within: str, whole: bool) -> HeadFit:
            self.asked.append((setting, within, whole))
            truth = TRUTH if whole else TRUTH[kept]
            return fit_with(logits_of_loss(self.losses_of[setting], truth, self.spread))

        return SettingComparison(fit, TRUTH, kept, sets, thorough=thorough).select(sizes, views)


def of_sizes(*mean_losses: float) -> dict[Setting, float]:
    return {Setting(size, "texture"): loss for size, loss in zip((224, 288, 448), mean_losses, strict=False)}


@pytest.mark.parametrize(
    ("mean_losses", "selected", "tried"),
    [
        ((1.0, 0.7, 0.5), 448, [224, 288, 448]),  # each step takes a fifth off the loss
        ((1.0, 0.9, 0.1), 288, [224, 288]),  # a small step is taken, and is the last
        ((0.5, 0.6, 0.1), 224, [224, 288]),
        ((0.5, 0.5), 224, [224, 288]),
        ((3.0,), 224, [224]),
    ],
)
def test_sizes_are_tried_while_they_gain(
    mean_losses: tuple[float, ...], selected: int, tried: list[int]
) -> None:
    heads = Heads(of_sizes(*mean_losses))
    found = heads.select()
    assert found.setting == Setting(selected, "texture")
    assert [setting.size for setting, _, _ in heads.asked] == tried
    assert [row.name for row in found.sizes] == ([str(size) for size in tried] if len(tried) > 1 else [])
    assert [row.name for row in found.sizes if row.selected] == [str(selected)] * (len(tried) > 1)


def test_of_few_images_every_size_is_tried() -> None:
    assert Heads(of_sizes(0.5, 0.6, 0.1)).select(thorough=True).setting.size == 448


@pytest.mark.parametrize(("thorough", "size", "views"), [(True, 448, 4), (False, 224, 1)])
def test_of_few_images_the_lowest_loss_is_taken_however_uncertain(
    thorough: bool, size: int, views: int
) -> None:
    def fit(setting: Setting, within: str, whole: bool) -> HeadFit:
        step = 0.02 * (setting.size > 224) + 0.02 * (setting.views > 1)  # each of 0.8 standard errors
        own = 0.6 - step + 0.5 * np.sin((setting.size + setting.views) * np.arange(1, len(TRUTH) + 1))
        logits = np.zeros((len(TRUTH), 2), np.float32)
        logits[np.arange(len(TRUTH)), TRUTH] = -np.log(np.expm1(np.maximum(own, 0.05)))
        return fit_with(logits)

    comparison = SettingComparison(fit, TRUTH, np.arange(len(TRUTH)), ["texture"], thorough=thorough)
    assert comparison.select([224, 448], [1, 4]).setting == Setting(size, "texture", views)


def test_what_the_first_images_show_clearly_is_not_asked_of_more() -> None:
    heads = Heads(of_sizes(1.0, 0.7, 0.5))
    assert heads.select(first=128).setting.size == 448
    assert [(setting.size, whole) for setting, _, whole in heads.asked] == [
        (224, False),
        (288, False),
        (448, False),
        (448, True),
    ]


def test_what_the_first_images_leave_open_is_asked_of_all() -> None:
    heads = Heads(of_sizes(1.0, 0.9))
    assert heads.select(first=128).setting.size == 288
    assert [(setting.size, whole) for setting, _, whole in heads.asked] == [
        (224, False),
        (288, False),
        (224, True),
        (288, True),
    ]


def test_layers_that_are_clearly_worse_are_given_up() -> None:
    losses_of = {
        Setting(224, "texture"): 0.6,
        Setting(224, "all"): 1.0,
        Setting(288, "texture"): 0.3,
        Setting(288, "all"): 0.01,  # is never looked at
    }
    heads = Heads(losses_of)
    found = heads.select(first=128, sets=("texture", "all"))
    assert found.setting == Setting(288, "texture")
    assert heads.asked[:2] == [(Setting(224, "all"), "all", False), (Setting(224, "texture"), "all", False)]
    assert heads.asked[2:] == [
        (Setting(288, "texture"), "texture", False),
        (Setting(288, "texture"), "texture", True),
    ]
    assert [(row.name, row.selected, row.count) for row in found.feature_layer_sets] == [
        ("texture", True, 128),
        ("all", False, 128),
    ]


def test_layers_are_shown_at_the_size_that_was_selected() -> None:
    losses_of = {
        Setting(224, "texture"): 0.3,
        Setting(224, "all"): 0.4,
        Setting(288, "texture"): 0.6,
        Setting(288, "all"): 0.5,
    }
    found = Heads(losses_of).select(sets=("texture", "all"), thorough=True)
    assert found.setting == Setting(224, "texture")
    assert [round(row.log_loss, 1) for row in found.feature_layer_sets] == [0.3, 0.4]


def test_of_few_images_no_layers_are_given_up() -> None:
    losses_of = {Setting(size, layers): 1.0 for size in (224, 288) for layers in ("texture", "all")}
    losses_of |= {Setting(224, "texture"): 0.5, Setting(288, "all"): 0.1}
    assert Heads(losses_of).select(sets=("texture", "all"), thorough=True).setting == Setting(288, "all")


@pytest.mark.parametrize(("loss_of_four", "selected"), [(0.9, 4), (1.1, 1)])
def test_more_views_must_gain(loss_of_four: float, selected: int) -> None:
    found = Heads({Setting(224, "texture", 1): 1.0, Setting(224, "texture", 4): loss_of_four}).select()
    assert found.setting.views == selected
    assert [(row.name, row.selected) for row in found.views] == [("1", selected == 1), ("4", selected == 4)]


def test_rows_tell_what_the_selected_candidate_gains_on_the_same_images() -> None:
    found = Heads(of_sizes(1.0, 0.7)).select()
    first, second = found.sizes
    assert (second.excess, second.error) == (None, None)
    assert first.excess == pytest.approx(first.log_loss - second.log_loss, rel=1e-3)
    assert first.error is not None
    assert 0 < first.error < first.excess
    assert first.count == second.count == 400


def test_the_rows_count_what_was_named_right() -> None:
    truth = np.array([0, 1, 1, 0])
    held_out = np.array([[2, 1], [2, 1], [1, 2], [2, 1]], np.float32)
    fit = fit_with(held_out)
    comparison = SettingComparison(lambda *_: fit, truth, np.arange(4), ["texture", "all"], thorough=False)
    row = comparison.select([224]).feature_layer_sets[0]
    assert (row.name, row.correct, row.count, row.selected) == ("texture", 3, 4, True)
    assert row.log_loss == pytest.approx(losses(fit, truth).mean())
