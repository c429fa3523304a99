"""Classes that cannot be told apart, and classes with few images."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.stats import rankdata

from eyebright.evaluation.intervals import score_limits
from eyebright.types import FloatArray, IntArray, Interval

#: Two classes overlap where the area under their ROC curve is certainly below this.
TOLD_APART = 0.85
#: A class is rare with fewer images than this, or than this share of the largest.
FEW_IMAGES, FEW_SHARE = 10, 0.05


@dataclass(frozen=True)
class Overlap:
    """Two classes, the area under the ROC curve between them, and the places of images that look wrong."""

    first: int
    second: int
    area: Interval
    shown: IntArray


def overlaps(logits: FloatArray, truth: IntArray, most: int = 6) -> list[Overlap]:
    """Return the pairs of classes that out-of-fold logits (N, K) cannot tell apart, the worst first."""
    found = []
    for first, second in combinations(range(logits.shape[1]), 2):
        places = np.flatnonzero((truth == first) | (truth == second))
        positive = truth[places] == second
        counts = int(positive.sum()), int((~positive).sum())
        if min(counts) < FEW_IMAGES:
            continue
        margin = (logits[places, second] - logits[places, first]).astype(np.float64)
        ranks = rankdata(margin)
        area = (ranks[positive].sum() - counts[0] * (counts[0] + 1) / 2) / (counts[0] * counts[1])
        if area >= TOLD_APART:  # and so is its upper limit, which takes far longer
            continue
        low, high = score_limits(*(np.array([float(n)]) for n in (area, *counts)))
        if high[0] >= TOLD_APART:
            continue
        wrong = np.where(positive, -margin, margin)
        shown = places[np.argsort(-wrong, kind="stable")[:most]]
        found.append(Overlap(first, second, Interval(float(area), float(low[0]), float(high[0])), shown))
    return sorted(found, key=lambda one: (one.area.value, one.first, one.second))


def rare(counts: IntArray) -> IntArray:
    """Return the numbers of the classes with few images, by their counts (K,)."""
    limit = max(float(FEW_IMAGES), FEW_SHARE * float(counts.max(initial=0)))
    return np.flatnonzero(counts < limit)
