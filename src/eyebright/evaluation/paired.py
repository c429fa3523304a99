"""Models on the same images: how they differ, with intervals and exact tests for paired predictions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
from scipy.special import bdtr, stdtr

from eyebright.evaluation.intervals import (
    Float64Array,
    bootstrap_means,
    hull,
    pair,
    percentiles,
    standard_error,
    student,
)
from eyebright.evaluation.multiclass.per_image_stats import SMALLEST_PROBABILITY
from eyebright.evaluation.proportions import independent
from eyebright.types import IntArray, Interval

_Z = 1.959963984540054  # of the normal distribution, for 95 %
#: Below this a difference counts as shown.
SIGNIFICANT = 0.05
#: The largest that a mean log loss can be, in nats.
WORST_LOSS = -math.log(SMALLEST_PROBABILITY)


@dataclass(frozen=True)
class Difference:
    """How the second of two models differs from the first on the same N images.

    Attributes:
        first, second: their numbers.
        only_first, only_second: images that only the one names right.
        both, neither: images that both, or neither, name right.
        accuracy: of the second less that of the first, with its 95 % interval.
        accuracy_p: McNemar's exact p, adjusted by Holm for the number of pairs that are compared.
        log_loss: of the second less that of the first, in nats: below 0 the second is better.
        log_loss_p: of Student's paired t, adjusted likewise.
    """

    first: int
    second: int
    only_first: int
    only_second: int
    both: int
    neither: int
    accuracy: Interval
    accuracy_p: float
    log_loss: Interval
    log_loss_p: float

    @property
    def better(self) -> int | None:
        """Return the number of the model that is significantly more accurate, if any."""
        if self.accuracy_p >= SIGNIFICANT:
            return None
        return self.second if self.only_second > self.only_first else self.first

    @property
    def better_loss(self) -> int | None:
        """Return the number of the model with the significantly lower log loss, if any."""
        if self.log_loss_p >= SIGNIFICANT:
            return None
        return self.second if self.log_loss.value < 0 else self.first


def differences(
    right: npt.NDArray[np.bool_],
    losses: Float64Array,
    groups: IntArray | None = None,
    *,
    seed: int = 0,
    resamples: int = 1000,
) -> tuple[Difference, ...]:
    """Return every pair of R models on N images.

    Args:
        right: (R, N) whether each model was right.
        losses: (R, N) log losses, in nats.
        groups: (N,) numbers that images which are not independent share; None where all are independent.
        seed: of the paired bootstrap, which draws images, or groups, with the predictions of all models.
        resamples: how many.
    """
    pairs = list(combinations(range(len(right)), 2))
    accuracy_p = holm([mcnemar(right[b], right[a], groups) for a, b in pairs])
    loss_p = holm([paired_t(losses[b] - losses[a], groups) for a, b in pairs])
    columns = np.concatenate([right.astype(np.float64), losses]).T
    drawn = bootstrap_means(columns, groups, seed, resamples)
    count = len(right)
    return tuple(
        Difference(
            a,
            b,
            int((right[a] & ~right[b]).sum()),
            int((~right[a] & right[b]).sum()),
            int((right[a] & right[b]).sum()),
            int((~right[a] & ~right[b]).sum()),
            _accuracy(right[b], right[a], groups, drawn[:, b] - drawn[:, a]),
            accuracy_p[i],
            _loss(losses[b] - losses[a], groups, drawn[:, count + b] - drawn[:, count + a]),
            loss_p[i],
        )
        for i, (a, b) in enumerate(pairs)
    )


def accuracy_difference(
    right: npt.NDArray[np.bool_], right_before: npt.NDArray[np.bool_], groups: IntArray | None = None
) -> Interval:
    """Return how much more accurate one model is than another, with a 95 % interval for paired predictions.

    Only images that one of the two gets wrong tell them apart; each kind of them counts one more than there
    are, so that an interval of no difference on few images is not a point (Bonett and Price, 2012). Images of
    one group count as one together, and the interval holds Student's over the groups.

    Args:
        right: (N,) whether the model was right.
        right_before: (N,) whether the other one was.
        groups: (N,) numbers that images which are not independent share; None where all are independent.
    """
    n = len(right)
    gained, lost = int((right & ~right_before).sum()), int((~right & right_before).sum())
    trials = independent(n, groups)
    share = trials / n
    more, less = (share * gained + 1) / (trials + 2), (share * lost + 1) / (trials + 2)
    half = _Z * math.sqrt((more + less - (more - less) ** 2) / (trials + 2))
    analytic = (more - less - half, more - less + half)
    grouped = [] if trials == n else [student(_gain(right, right_before), groups)]
    return hull((gained - lost) / n, analytic, *grouped, bottom=-1.0)


def mcnemar(
    right: npt.NDArray[np.bool_], right_before: npt.NDArray[np.bool_], groups: IntArray | None = None
) -> float:
    """Return McNemar's exact two-sided p of the images for which only one of two models is correct.

    Of images in groups (N,) it is at least that of the groups: each counts for the model that is correct on
    more of its images.
    """
    gain = _gain(right, right_before)
    exact = _sign_p(gain)
    if groups is None:
        return exact
    numbers = np.unique(groups, return_inverse=True)[1]
    return max(exact, _sign_p(np.bincount(numbers, gain).astype(np.float64)))


def holm(p: Sequence[float]) -> list[float]:
    """Return Holm's adjustment (1979): all together are wrong no more often than one alone would be."""
    adjusted = [0.0] * len(p)
    largest = 0.0
    for place, number in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        largest = max(largest, min(1.0, p[number] * (len(p) - place)))
        adjusted[number] = largest
    return adjusted


def _sign_p(gains: Float64Array) -> float:
    """Return the exact two-sided p that gains are as often above 0 as below."""
    gained, lost = int((gains > 0).sum()), int((gains < 0).sum())
    return min(1.0, 2 * float(bdtr(min(gained, lost), gained + lost, 0.5)))


def _gain(right: npt.NDArray[np.bool_], right_before: npt.NDArray[np.bool_]) -> Float64Array:
    return right.astype(np.float64) - right_before


def paired_t(difference: Float64Array, groups: IntArray | None = None) -> float:
    """Return Student's two-sided p that a mean difference (N,) is 0; 1 where nothing differs."""
    error, count = standard_error(difference, groups)
    if not error or count < 2:
        return 1.0
    return 2 * float(stdtr(count - 1, -abs(float(difference.mean())) / error))


def _accuracy(
    right: npt.NDArray[np.bool_],
    right_before: npt.NDArray[np.bool_],
    groups: IntArray | None,
    drawn: Float64Array,
) -> Interval:
    exact = accuracy_difference(right, right_before, groups)
    return hull(exact.value, (exact.low, exact.high), pair(percentiles(drawn)), bottom=-1.0)


def _loss(difference: Float64Array, groups: IntArray | None, drawn: Float64Array) -> Interval:
    """Return the interval of a mean difference; of one image, all that a difference can be."""
    limits = (student(difference, groups), pair(percentiles(drawn)))
    return hull(float(difference.mean()), *limits, bottom=-WORST_LOSS, top=WORST_LOSS)
