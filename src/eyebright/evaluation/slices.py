"""Where a model is worse: its images cut into slices by one property after another, each beside the rest.

The worst of many slices is bad by chance alone. So the chance that a slice would have so few correct
predictions, were its images drawn from all, is taken exactly (hypergeometric), and adjusted by Holm for their
number. Where images come in groups, groups are counted instead: a slice of one patient is one observation.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from eyebright.evaluation.intervals import Float64Array
from eyebright.evaluation.paired import SIGNIFICANT, holm
from eyebright.evaluation.proportions import at_most, independent, proportion
from eyebright.types import BoolArray, IntArray, Interval, JsonObject

#: A slice holds at least so many images.
FEWEST = 5
_MOST_NAMES = 20
# A third of 30 images still shows a drop of half; quarters need more.
_THIRDS_FROM, _QUARTERS_FROM = 30, 100


@dataclass(frozen=True)
class Column:
    """One property of N images: numbers, NaN where unknown, or names, empty where unknown."""

    name: str
    values: Float64Array | Sequence[str]


@dataclass(frozen=True)
class Slice:
    """Images that share a property, and how often the model is right about them.

    Attributes:
        column: the property.
        value: what they share, of a property with names.
        low, high: between which values they lie, of a property that is a number.
        images: how many they are.
        accuracy: of them, with its 95 % interval.
        rest: accuracy of all others of which the property is known.
        expected: accuracy if each image were right as often as its class is elsewhere; where that is as low,
            it is the mix of classes that tells the slice from the rest.
        p: of being so much worse by chance, adjusted for the number of slices.
    """

    column: str
    value: str | None
    low: float | None
    high: float | None
    images: int
    accuracy: Interval
    rest: float
    expected: float
    p: float

    @property
    def worse(self) -> bool:
        """Return whether it is significantly worse than the rest."""
        return self.p < SIGNIFICANT

    @property
    def explained(self) -> bool:
        """Return whether its mix of classes alone would make it about as bad."""
        return self.expected <= self.accuracy.high

    def to_json(self) -> JsonObject:
        """Return the slice as `metrics.json` holds it."""
        return {**asdict(self), "worse": self.worse}


def slices(
    columns: Sequence[Column], right: BoolArray, truth: IntArray, groups: IntArray | None = None
) -> tuple[Slice, ...]:
    """Return the slices of every property that cuts the images in two or more.

    Numbers are cut into quarters of the images, of fewer than 100 into thirds, of fewer than 30 not at all.
    Of names the 20 most frequent are looked at, each with at least 5 images.

    Args:
        columns: properties of N images.
        right: (N,) whether the model was right.
        truth: (N,) class numbers.
        groups: (N,) numbers that images which are not independent share; None where all are independent.
    """
    found = [
        _slice(column.name, label, members, _known(column), right, truth, groups)
        for column in columns
        for label, members in _cut(column)
    ]
    adjusted = holm([one.p for one in found])
    return tuple(replace(one, p=p) for one, p in zip(found, adjusted, strict=True))


def _known(column: Column) -> BoolArray:
    if isinstance(column.values, np.ndarray):
        return np.isfinite(column.values)
    return np.array([bool(name) for name in column.values])


def _cut(column: Column) -> list[tuple[tuple[str | None, float | None, float | None], BoolArray]]:
    """Return the name or limits of each slice, with its members (N,).

    None where there would be fewer than two.
    """
    values = column.values
    parts = _quantiles(values) if isinstance(values, np.ndarray) else _names(values)
    kept = [part for part in parts if part[1].sum() >= FEWEST]
    return kept if len(kept) > 1 else []


def _quantiles(
    values: Float64Array,
) -> list[tuple[tuple[str | None, float | None, float | None], BoolArray]]:
    known = np.isfinite(values)
    count = int(known.sum())
    if count < _THIRDS_FROM:
        return []
    bins = 4 if count >= _QUARTERS_FROM else 3
    inner = np.unique(np.quantile(values[known], np.arange(1, bins) / bins))
    number = np.where(known, np.searchsorted(inner, values, side="right"), -1)
    members = [number == i for i in range(len(inner) + 1)]
    return [((None, float(values[m].min()), float(values[m].max())), m) for m in members if m.any()]


def _names(values: Sequence[str]) -> list[tuple[tuple[str | None, float | None, float | None], BoolArray]]:
    frequent = Counter(value for value in values if value).most_common(_MOST_NAMES)
    names = np.array(values, object)
    return [((value, None, None), np.asarray(names == value)) for value, _ in frequent]


def _slice(
    column: str,
    label: tuple[str | None, float | None, float | None],
    members: BoolArray,
    known: BoolArray,
    right: BoolArray,
    truth: IntArray,
    groups: IntArray | None,
) -> Slice:
    """Return the slice, with its p before it is adjusted."""
    n, hits = int(members.sum()), int((members & right).sum())
    total, total_hits = int(known.sum()), int((known & right).sum())
    value, least, most = label
    return Slice(
        column=column,
        value=value,
        low=least,
        high=most,
        images=n,
        accuracy=proportion(right[members], None if groups is None else groups[members]),
        rest=(total_hits - hits) / max(total - n, 1),
        expected=_expected(members, known, right, truth),
        p=_chance(members, known & ~members, right, groups),
    )


def _chance(members: BoolArray, others: BoolArray, right: BoolArray, groups: IntArray | None) -> float:
    """Return the chance that so few of the members are right, were they drawn from both."""
    n, hits = _independent(members, right, groups)
    rest, rest_hits = _independent(others, right, groups)
    return at_most(math.ceil(hits), n, math.ceil(hits) + round(rest_hits), n + rest)


def _independent(some: BoolArray, right: BoolArray, groups: IntArray | None) -> tuple[int, float]:
    """Return how many of some images are independent, and as many of them as the share that is right."""
    count = independent(int(some.sum()), None if groups is None else groups[some])
    return count, round(count * float(right[some].mean()), 6) if count else 0.0


def _expected(members: BoolArray, known: BoolArray, right: BoolArray, truth: IntArray) -> float:
    """Return the mean over the members of how often their class is right elsewhere.

    A class that occurs only here counts as it does here.
    """
    classes = int(truth.max()) + 1
    outside = known & ~members
    everywhere = np.bincount(truth[known], right[known], classes) / np.maximum(
        np.bincount(truth[known], minlength=classes), 1
    )
    seen = np.bincount(truth[outside], minlength=classes)
    elsewhere = np.bincount(truth[outside], right[outside], classes) / np.maximum(seen, 1)
    return float(np.where(seen > 0, elsewhere, everywhere)[truth[members]].mean())
