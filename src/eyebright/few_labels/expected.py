"""What more labels may bring: the learning curve of the labels so far, and where its forecast leads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eyebright.evaluation.forecast import forecast
from eyebright.few_labels.soft_labels import ImageSpace
from eyebright.training.cache.store import Rows
from eyebright.training.linear_probe.head import fit_head
from eyebright.training.linear_probe.learning_curve import learning_curve
from eyebright.types import BoolArray, IntArray, Interval

# Heads of more images are solved on a draw of them.
_MOST = 2000


@dataclass(frozen=True)
class ExpectedGain:
    """The accuracy forecast for more labels.

    Attributes:
        images: labelled images then.
        accuracy: forecast, with the range of the method and of the images that were drawn.
        now: the same line's accuracy for the labels that there are.
        worth_it: whether twice as many labels would help noticeably.
    """

    images: int
    accuracy: Interval
    now: float
    worth_it: bool


def expected_gain(
    rows: Rows,
    truth: IntArray,
    groups: IntArray,
    classes: int,
    more: int,
    seed: int,
    images: int | None = None,
) -> ExpectedGain | None:
    """Return what ``more`` labels may bring; None of too few labels for a forecast.

    Args:
        rows: (N, D) features of the labelled images.
        truth: (N,) their classes.
        groups: (N,) numbers that images which belong together share.
        classes: K.
        more: labels.
        seed: of the parts that heads are solved on.
        images: labelled ones that there are, of which the N were drawn; None for N.
    """
    count = len(rows) if images is None else images
    drawn = np.sort(np.random.default_rng(seed).permutation(len(rows))[:_MOST])
    space, truth, groups = ImageSpace.fit(rows[drawn], seed), truth[drawn], groups[drawn]

    def right(places: IntArray) -> BoolArray:
        fit = fit_head(
            space.rows[places], truth[places], classes, groups=groups[places], seed=seed, standardised=True
        )
        return np.asarray(fit.held_out.argmax(axis=1) == truth[places])

    everything = right(np.arange(len(truth)))
    points = learning_curve(truth, groups, everything, right, seed, lambda: None)
    if not points:
        return None
    found = forecast([p.images for p in points], np.stack([p.right for p in points]), count, seed=seed)
    return (
        None
        if found is None
        else ExpectedGain(count + more, found.at(count + more), found.now, found.worth_it)
    )
