"""When an image is predicted as unknown, how many in-distribution images are, and how OOD images differ."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import ClassVar, cast

import numpy as np
from pydantic import ConfigDict

from eyebright.evaluation.multiclass.ranking import rank
from eyebright.evaluation.proportions import proportion
from eyebright.evaluation.uncertainty.conformal import quantile
from eyebright.runtime.stored import STORED
from eyebright.types import FloatArray, IntArray, Interval, JsonObject


@dataclass(frozen=True)
class UnknownRule:
    """When an image is predicted as unknown: where its OOD score is above the threshold.

    Attributes:
        threshold: of the score.
        false_rejection: the share of the model's own images that may be above it.
        chosen_on: the split, "val", or "train" for images of it that the score was not fitted to.
        images: how many they were.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STORED

    threshold: float
    false_rejection: float
    chosen_on: str
    images: int

    def to_json(self) -> JsonObject:
        """Return what the sealed model's metadata carry."""
        return {
            "method": "residual of principal components, or energy",
            "threshold": self.threshold,
            "false_rejection": self.false_rejection,
            "chosen_on": self.chosen_on,
            "images": self.images,
        }


@dataclass(frozen=True)
class Separation:
    """How well a score separates OOD images from the model's own.

    Attributes:
        auroc: the probability that an OOD image scores higher than one of the model's own.
        accepted: the share of OOD images that are not predicted as unknown.
        rejected: the share of own images that do.
    """

    auroc: Interval
    accepted: Interval
    rejected: Interval

    def to_json(self) -> JsonObject:
        """Return the separation as `metrics.json` holds it."""
        return {
            "auroc": asdict(self.auroc),
            "accepted": asdict(self.accepted),
            "rejected": asdict(self.rejected),
        }


def choose_unknown(scores: FloatArray, false_rejection: float, part: str) -> UnknownRule:
    """Choose the rule by scores (n,) of own images.

    The largest score where they are too few for the quantile. Else midway between the quantile and the next
    score, so that rounding rejects no image that was accepted.
    """
    limit = quantile(scores, 1 - false_rejection, beyond=float(scores.max()))
    if (scores > limit).any():
        after = scores[scores > limit].min()
        middle = np.float32((limit + float(after)) / 2)
        limit = float(middle) if middle < after else limit
    return UnknownRule(limit, false_rejection, part, len(scores))


def above(scores: FloatArray, threshold: float, groups: IntArray | None = None) -> Interval:
    """Return the share of scores (N,) above a threshold, with its 95 % interval; N is 1 or more."""
    return proportion(scores > threshold, groups)


def separation(
    own: FloatArray, ood: FloatArray, threshold: float, groups: IntArray | None = None
) -> Separation:
    """Measure how well scores of own (N,) and OOD (M,) images differ, both 1 or more.

    Own images that are not independent share a number of ``groups`` (N,); None where all are independent.
    """
    scores = np.concatenate([own, ood]).astype(np.float32)
    truth = np.repeat(np.array([0, 1]), [len(own), len(ood)])
    both = None
    if groups is not None:
        numbers = np.unique(groups, return_inverse=True)[1]
        both = np.concatenate([numbers, numbers.max() + 1 + np.arange(len(ood))])
    ranked = rank(truth, np.stack([-scores, scores], axis=1), both)
    auroc = cast("Interval", ranked.mean_roc_auc)  # there are images of both kinds
    beyond = above(ood, threshold)
    accepted = Interval(1 - beyond.value, 1 - beyond.high, 1 - beyond.low)
    return Separation(auroc, accepted, above(own, threshold, groups))


def softmax_separation(
    own: FloatArray, ood: FloatArray, rejected: float, groups: IntArray | None = None
) -> Separation:
    """Measure the usual baseline, the highest probability, at the same share of own images rejected.

    Args:
        own: (N, K) probabilities.
        ood: (M, K).
        rejected: the share of own images above the threshold.
        groups: of the own images, as of :func:`separation`.
    """
    doubt, ood_doubt = -own.max(axis=1), -ood.max(axis=1)
    place = min(round(rejected * len(doubt)), len(doubt) - 1)
    return separation(doubt, ood_doubt, float(np.sort(doubt)[::-1][place]), groups)
