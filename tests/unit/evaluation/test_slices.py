"""Slices find what is worse, forgive what chance does, and tell a hard mix of classes from a bad slice."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import fisher_exact

from eyebright.evaluation.slices import Column, Slice, slices

N = 400


def drawn(seed: int, rate: float = 0.9, count: int = N) -> tuple[np.ndarray, np.ndarray]:
    """Whether each of ``count`` images is right, at random, and two classes in turn."""
    return np.random.default_rng(seed).random(count) < rate, np.arange(count) % 2


def worse(found: tuple[Slice, ...]) -> list[tuple[str, str | None, int]]:
    return [(s.column, s.value, s.images) for s in found if s.worse]


def test_a_slice_that_is_worse_is_named_and_no_other() -> None:
    right, truth = drawn(0)
    brightness = np.random.default_rng(1).random(N)
    right &= ~((brightness < np.quantile(brightness, 0.25)) & (np.random.default_rng(2).random(N) < 0.3))
    found = slices([Column("brightness", brightness), Column("site", ["a", "b"] * 200)], right, truth)
    assert [(s.column, s.images) for s in found] == [("brightness", 100)] * 4 + [("site", 200)] * 2
    assert worse(found) == [("brightness", None, 100)]
    dark = found[0]
    assert (dark.low, dark.high) == (brightness.min(), np.sort(brightness)[99])
    assert dark.accuracy.value == pytest.approx(right[np.argsort(brightness)[:100]].mean())
    assert dark.rest == pytest.approx(right[np.argsort(brightness)[100:]].mean())


def test_chance_alone_is_called_worse_in_at_most_one_of_twenty() -> None:
    alarms = 0
    for seed in range(200):
        right, truth = drawn(seed)
        values = np.random.default_rng(1000 + seed).random((5, N))
        alarms += bool(worse(slices([Column(str(i), row) for i, row in enumerate(values)], right, truth)))
    assert alarms <= 18  # 10 expected at most; more than 18 of 200 would be a chance of 1 %


def test_the_chance_is_that_of_fishers_exact_test_adjusted_by_holm() -> None:
    right, truth = drawn(3)
    found = slices([Column("site", ["a"] * 60 + ["b"] * 340)], right, truth)
    table = [[right[:60].sum(), (~right[:60]).sum()], [right[60:].sum(), (~right[60:]).sum()]]
    one, other = (float(fisher_exact(table, alternative=side).pvalue) for side in ("less", "greater"))
    assert min(s.p for s in found) == pytest.approx(min(1.0, 2 * min(one, other)))


def test_a_mix_of_hard_classes_explains_a_slice() -> None:
    truth = np.repeat([0, 1], 200)
    right = np.concatenate([np.ones(200, bool), np.arange(200) % 2 == 0])
    site = ["easy"] * 180 + ["hard"] * 20 + ["hard"] * 180 + ["easy"] * 20
    hard = next(s for s in slices([Column("site", site)], right, truth) if s.value == "hard")
    assert hard.worse
    assert hard.explained
    assert hard.expected == pytest.approx((20 * 1.0 + 180 * 0.5) / 200)
    wrong = right & ~((np.array(site) == "hard") & (truth == 0))
    hard = next(s for s in slices([Column("site", site)], wrong, truth) if s.value == "hard")
    assert hard.worse
    assert not hard.explained


def test_what_is_unknown_belongs_to_no_slice() -> None:
    right, truth = drawn(4)
    values = np.arange(N, dtype=np.float64)
    values[:200] = np.nan
    found = slices([Column("age", values), Column("site", ["a", "", "b", ""] * 100)], right, truth)
    assert [s.images for s in found] == [50] * 4 + [100] * 2
    assert found[4].rest == pytest.approx(right[2::4].mean())


@pytest.mark.parametrize(
    ("values", "images"),
    [
        (np.full(N, 7.0), []),
        (np.repeat([1.0, 2.0], 200), [200, 200]),
        (np.full(N, np.nan), []),
        (["one"] * N, []),
        (["many"] * (N - 4) + ["few"] * 4, []),
        ([str(i) for i in range(N)], []),
    ],
)
def test_what_does_not_cut_makes_no_slices(values: np.ndarray | list[str], images: list[int]) -> None:
    right, truth = drawn(5)
    assert [s.images for s in slices([Column("x", values)], right, truth)] == images


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_all_right_and_all_wrong_are_nowhere_worse(rate: float) -> None:
    right, truth = drawn(6, rate)
    found = slices([Column("x", np.arange(N, dtype=np.float64))], right, truth)
    assert [s.accuracy.value for s in found] == [rate] * 4
    assert worse(found) == []


def test_few_images_have_thirds_and_very_few_none() -> None:
    for count, bins in ((60, 3), (20, 0)):
        right, truth = drawn(7, count=count)
        assert len(slices([Column("x", np.arange(count, dtype=np.float64))], right, truth)) == bins
