"""Figures by group: how many patients, lots or products are found, not how many of their images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from eyebright.evaluation.intervals import share_of
from eyebright.types import BoolArray, IntArray, Interval, JsonObject

#: How the predictions for a group's images become one: any of them, the mean of their probabilities, or more
#: than half of them.
GroupRule = Literal["any", "mean", "vote"]


@dataclass(frozen=True)
class GroupFigures:
    """How the groups of a class are found.

    Attributes:
        positives: groups with an image of the class.
        negatives: all others.
        sensitivity: by each rule, the share of the positives for which the class is predicted; None where
            there are none.
        specificity: by each rule, the share of the negatives for which it is not; None likewise.
    """

    positives: int
    negatives: int
    sensitivity: Mapping[GroupRule, Interval | None]
    specificity: Mapping[GroupRule, Interval | None]

    def to_json(self) -> JsonObject:
        """Return the figures as `metrics.json` holds them."""
        return {
            "positives": self.positives,
            "negatives": self.negatives,
            "sensitivity": _json(self.sensitivity),
            "specificity": _json(self.specificity),
        }


@dataclass(frozen=True)
class GroupResults:
    """The groups of the evaluated images: how many there are, and the figures of each class by name."""

    count: int
    images: int
    classes: Mapping[str, GroupFigures]

    def to_json(self) -> JsonObject:
        """Return the results as `metrics.json` holds them."""
        return {
            "count": self.count,
            "images": self.images,
            "classes": {label: figures.to_json() for label, figures in self.classes.items()},
        }


def measure_groups(
    groups: IntArray, positive: BoolArray, predicted: BoolArray, by_mean: BoolArray
) -> GroupFigures:
    """Measure how the G groups of N images are found.

    Args:
        groups: (N,) numbers 0 to G - 1.
        positive: (N,) whether each image is of the class.
        predicted: (N,) whether the class is predicted for it.
        by_mean: (G,) whether the class is predicted by the mean of a group's probabilities.
    """
    count = len(by_mean)
    images = np.bincount(groups, minlength=count)
    found = np.bincount(groups, predicted, count)
    true = np.bincount(groups, positive, count) > 0
    by_rule: dict[GroupRule, BoolArray] = {"any": found > 0, "mean": by_mean, "vote": 2 * found > images}
    return GroupFigures(
        int(true.sum()),
        int((~true).sum()),
        {rule: _share(by_rule[rule][true]) for rule in get_args(GroupRule)},
        {rule: _share(~by_rule[rule][~true]) for rule in get_args(GroupRule)},
    )


def group_means(groups: IntArray, probabilities: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """Return the mean probabilities (G, K) of the groups of N images (N, K)."""
    count = int(groups.max()) + 1
    sums = np.zeros((count, probabilities.shape[1]))
    np.add.at(sums, groups, probabilities)
    return (sums / np.bincount(groups, minlength=count)[:, None]).astype(np.float32)


def _share(hit: BoolArray) -> Interval | None:
    return share_of(int(hit.sum()), len(hit)) if len(hit) else None


def _json(shares: Mapping[GroupRule, Interval | None]) -> JsonObject:
    return {rule: None if share is None else asdict(share) for rule, share in shares.items()}
