"""Shift between parts: whether a classifier can tell from which part an image comes (two-sample test).

Kernel ridge regression predicts the part of every image from all others, in closed form. How well it does is
compared with parts that were drawn anew many times, within the classes and with copies kept together: the
share of draws that do as well is the p value (Lopez-Paz and Oquab 2017, with permutations).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtr

from eyebright.auditing.neighbours import unit
from eyebright.evaluation.intervals import Float64Array
from eyebright.types import BoolArray, FloatArray, IntArray

#: Parts differ where fewer than this share of random splits differ as much.
SIGNIFICANT = 0.003
_DRAWS = 999
_MOST = 600  # images of each part
_RIDGE = 0.1
_SHOWN = 12
_FEWEST = 8


@dataclass(frozen=True)
class Shift:
    """How recognisable the second part is.

    Attributes:
        auc: the share of pairs of images of the two parts that are told apart.
        p: the share of random splits that are as recognisable.
        tail: likewise, by the normal distribution of the random splits' areas: it goes below what draws can
            show, as many comparisons at once need it.
        shown: places of the images of the second part that look least like the first.
        counts: images of each part that were compared.
    """

    auc: float
    p: float
    tail: float
    shown: IntArray
    counts: tuple[int, int]

    def at(self, places: IntArray) -> Shift:
        """Return it with its images' places among all, ``places`` being those that were compared."""
        return replace(self, shown=places[self.shown])


def compare_parts(
    rows: FloatArray, second: BoolArray, strata: IntArray, groups: IntArray, seed: int
) -> Shift | None:
    """Return whether images of two parts can be told apart; None where they are too few.

    Args:
        rows: (N, R) features of images that are not copies of one another.
        second: (N,) whether each is of the second part.
        strata: (N,) class numbers, within which parts are drawn anew.
        groups: (N,) numbers; images of one group stay in one part.
        seed: of the draws.
    """
    random = np.random.default_rng(seed)
    chosen = np.sort(
        np.concatenate([random.permutation(np.flatnonzero(second == part))[:_MOST] for part in (False, True)])
    )
    part, strata, groups = second[chosen], strata[chosen], groups[chosen]
    counts = int((~part).sum()), int(part.sum())
    if min(counts) < _FEWEST:
        return None
    directions = unit(rows[chosen]).astype(np.float64)
    parts = np.stack([part, *(_redrawn(part, strata, groups, random) for _ in range(_DRAWS))], axis=1)
    scores = _left_out(directions @ directions.T, _within(parts.astype(np.float64), strata))
    areas = _areas(scores, parts)
    p = float(np.count_nonzero(areas >= areas[0]) / len(areas))
    order = np.argsort(-np.where(part, scores[:, 0], -np.inf), kind="stable")
    spread = max(float(areas[1:].std()), 1e-9)
    tail = float(ndtr(-(areas[0] - areas[1:].mean()) / spread))
    return Shift(max(0.5, float(areas[0])), p, tail, chosen[order[: min(_SHOWN, counts[1])]], counts)


def _redrawn(part: BoolArray, strata: IntArray, groups: IntArray, random: np.random.Generator) -> BoolArray:
    """Return parts (N,) dealt anew among the groups of each class."""
    _, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    dealt, kinds = part[first], strata[first]
    # Two shuffles in the order of the classes: places of a class, and what is dealt to them.
    places = np.argsort(kinds, kind="stable")
    shuffled = np.lexsort((random.random(len(first)), kinds))
    redealt = np.empty_like(dealt)
    redealt[places] = dealt[shuffled]
    return redealt[inverse]


def _within(labels: Float64Array, strata: IntArray) -> Float64Array:
    """Return labels (N, P) less their mean in each class."""
    _, kind = np.unique(strata, return_inverse=True)
    member = np.equal.outer(np.arange(kind.max() + 1), kind).astype(np.float64)
    means = (member @ labels) / member.sum(axis=1, keepdims=True)
    return np.asarray(labels - means[kind])


def _left_out(kernel: Float64Array, labels: Float64Array) -> Float64Array:
    """Return the predictions (N, P) of ridge regression for each image, from all others."""
    regular = kernel + _RIDGE * np.eye(len(kernel)) * np.trace(kernel) / len(kernel)
    inverse = np.linalg.inv(regular)
    return np.asarray(labels - (inverse @ labels) / np.diag(inverse)[:, None])


def _areas(scores: Float64Array, parts: BoolArray) -> Float64Array:
    """Return (P,) areas under the ROC curve, of each column."""
    ranks = np.empty_like(scores)
    order = np.argsort(scores, axis=0, kind="stable")
    np.put_along_axis(ranks, order, np.arange(1.0, len(scores) + 1)[:, None], axis=0)
    positive = parts.sum(axis=0)
    hits = (ranks * parts).sum(axis=0) - positive * (positive + 1) / 2
    return np.asarray(hits / (positive * (len(scores) - positive)))
