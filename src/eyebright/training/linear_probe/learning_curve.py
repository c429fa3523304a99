"""The learning curve: heads solved again on parts of the training images, scored on what was held out.

The training images are cut into 10, 5 and 2 parts that share none. Each part is trained on and scored by
itself, by cross-validation, so at every size each image is scored once: that is the repeat, and the sizes are
compared on the same images. Nothing is chosen here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eyebright.training.linear_probe.folds import assign_folds
from eyebright.types import IntArray

#: Into so many parts the images are cut: 10, 20 and 50 % of them, and all.
PARTS = (10, 5, 2, 1)
#: The largest number of folds of a head's cross-validation, as `fit_head` has it.
FOLDS = 5
# With fewer images of the median class a part cannot be scored by cross-validation.
_FEWEST_OF_A_CLASS = 3


@dataclass(frozen=True)
class CurvePoint:
    """Heads that were trained on a share of the training images.

    Attributes:
        share: of the images that a head's part holds.
        images: mean number that the heads were trained on, folds being left out.
        right: (N,) whether each training image was predicted correctly by a head that had not seen it.
    """

    share: float
    images: float
    right: npt.NDArray[np.bool_]


def learning_curve(
    truth: IntArray,
    groups: IntArray,
    whole: npt.NDArray[np.bool_],
    fit: Callable[[IntArray], npt.NDArray[np.bool_]],
    seed: int,
    on_part: Callable[[], None],
) -> tuple[CurvePoint, ...]:
    """Return a point for each size at which the median class still has images enough, small to large.

    Args:
        truth: (N,) classes of the training images.
        groups: (N,) numbers that equal images share; a group lies in one part.
        whole: (N,) whether each image was predicted correctly when all of them were trained on.
        fit: trains on the images at these places (n,) and returns whether each was correct when held out.
        seed: of the cut.
        on_part: is called after each part.
    """
    points = []
    for parts in PARTS:
        if np.median(_sizes(truth, groups)) / parts < _FEWEST_OF_A_CLASS:
            continue
        right = whole.copy()
        for places in _cut(truth, groups, parts, seed):
            if parts > 1:
                right[places] = fit(places)
            on_part()
        points.append(CurvePoint(1 / parts, _trained_on(truth, groups, parts), right))
    return tuple(points)


def _sizes(truth: IntArray, groups: IntArray) -> IntArray:
    """Return the number of distinct images of each class that has some."""
    _, first = np.unique(groups, return_index=True)
    sizes = np.bincount(truth[first])
    return sizes[sizes > 0]


def _cut(truth: IntArray, groups: IntArray, parts: int, seed: int) -> Iterator[IntArray]:
    """Yield the places of each part, every class in proportion."""
    if parts == 1:
        yield np.arange(len(truth))
        return
    part_of = assign_folds(truth, groups, parts, seed)
    for part in range(parts):
        yield np.flatnonzero(part_of == part)


def _trained_on(truth: IntArray, groups: IntArray, parts: int) -> float:
    """Return the number of images that a head learns from where those of one fold are left out."""
    folds = float(np.clip(np.median(_sizes(truth, groups)) // parts, 2, FOLDS))
    return len(truth) / parts * (1 - 1 / folds)
