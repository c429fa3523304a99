"""Classes that are two: whose images fall into two clusters with hardly anything between them.

Any cloud of images can be cut in two. So the cut is made on one half of a class and looked at on the other
half: two clusters leave a valley where it runs, one cluster is densest there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eyebright.auditing.neighbours import unit
from eyebright.evaluation.intervals import Float64Array, share_of
from eyebright.training.linear_probe.folds import assign_folds
from eyebright.types import FloatArray, IntArray, Interval

#: A class of fewer images is not looked at.
FEWEST = 40
_RANK = 12
_ROUNDS = 12
_STARTS = 4
_HALF_WIDTH = 0.2  # of the distance between the clusters: on either side of the cut, and of each middle
_DEEPEST = 0.5  # the valley holds certainly fewer images than this share of the smaller cluster's middle
_SMALLEST = 0.15  # of the images, in the smaller cluster


@dataclass(frozen=True)
class TwoClusters:
    """Two clusters in one class.

    Attributes:
        label: the class's number.
        sizes: images in each.
        valley: images on the cut, as a share of those there and about the smaller cluster's middle; a half
            where there is no valley.
        shown: places of the images that are most typical of each.
    """

    label: int
    sizes: tuple[int, int]
    valley: Interval
    shown: IntArray


def split_classes(
    rows: FloatArray, truth: IntArray, groups: IntArray, seed: int, most: int = 6
) -> list[TwoClusters]:
    """Return the classes that are two, those with the deepest valley first.

    Args:
        rows: (N, R) features of images that are no copies of one another.
        truth: (N,) class numbers.
        groups: (N,) numbers; images of one group lie in one half.
        seed: of the halves.
        most: images shown.
    """
    found = []
    for label in np.unique(truth).tolist():
        places = np.flatnonzero(truth == label)
        if len(np.unique(groups[places])) < FEWEST:
            continue
        at = _positions(rows[places], assign_folds(np.zeros(len(places), np.int64), groups[places], 2, seed))
        first = int((at < 0).sum())
        sizes = first, len(at) - first
        valley = _valley(at, smaller=-0.5 if sizes[0] < sizes[1] else 0.5)
        if min(sizes) < _SMALLEST * len(at) or valley.high > _DEEPEST / (1 + _DEEPEST):
            continue
        order = np.argsort(at, kind="stable")
        shown = places[np.concatenate([order[: most // 2], order[-(most // 2) :]])]
        found.append(TwoClusters(label, sizes, valley, shown))
    return sorted(found, key=lambda one: (one.valley.value, one.label))


def _positions(rows: FloatArray, half: IntArray) -> Float64Array:
    """Return (n,) where images lie between two clusters, from -0.5 to 0.5; each half is cut by the other."""
    directions = unit(rows - rows.mean(axis=0)).astype(np.float64)
    centred = directions - directions.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)  # in the order of their variance, the widest last
    shown = directions @ axes[:, ::-1][:, :_RANK]
    found = np.zeros(len(rows))
    way = np.zeros(shown.shape[1])
    for number in (0, 1):
        first, second = _two_means(shown[half != number])
        if (second - first) @ way < 0:  # both halves count from the same end
            first, second = second, first
        way = second - first
        off = shown[half == number] - (first + second) / 2
        found[half == number] = off @ way / max(float(way @ way), 1e-12)
    return found


def _two_means(rows: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Return the middles of two clusters, the best of some starts along the widest directions."""
    found = [_from_start(rows, axis) for axis in range(min(_STARTS, rows.shape[1]))]
    _, first, second = min(found, key=lambda one: one[0])
    return first, second


def _from_start(rows: Float64Array, axis: int) -> tuple[float, Float64Array, Float64Array]:
    """Return the loss and the middles of two clusters that are cut along one direction at first."""
    second = rows[:, axis] > np.median(rows[:, axis])
    first_middle = second_middle = rows.mean(axis=0)
    loss = float(np.square(rows - first_middle).sum())
    for _ in range(_ROUNDS):
        if second.all() or not second.any():
            break
        first_middle, second_middle = rows[~second].mean(axis=0), rows[second].mean(axis=0)
        off = [np.square(rows - middle).sum(axis=1) for middle in (first_middle, second_middle)]
        second = off[1] < off[0]
        loss = float(np.minimum(*off).sum())
    return loss, first_middle, second_middle


def _valley(at: Float64Array, smaller: float) -> Interval:
    on_cut = int((abs(at) < _HALF_WIDTH).sum())
    in_middle = int((abs(at - smaller) < _HALF_WIDTH).sum())
    return share_of(on_cut, on_cut + in_middle)
