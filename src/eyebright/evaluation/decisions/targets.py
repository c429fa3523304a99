"""Targets such as `recall(defective) >= 0.95`, and the threshold of a class's probability that meets one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from eyebright.errors import ConfigError, nearest
from eyebright.evaluation.intervals import Float64Array
from eyebright.types import BoolArray, FloatArray

Figure = Literal["recall", "precision", "specificity", "false_positive_rate"]

_FORM = re.compile(r"\s*(\w+)\s*\((.*)\)\s*(>=|<=|≥|≤|>|<)\s*([0-9.]+)\s*(%?)\s*")
_DIGITS = 12  # of a bound, so that 99.9 % is 0.999
#: Metrics that a target bounds from above.
AT_MOST = frozenset({"false_positive_rate"})


@dataclass(frozen=True)
class OperatingTarget:
    """A bound on a metric of one class: at least ``bound``, or at most for a false positive rate.

    Attributes:
        figure: what is measured where the class is answered from a threshold on.
        label: the class.
        bound: a fraction.
    """

    figure: Figure
    label: str
    bound: float

    def __str__(self) -> str:
        sign = "<=" if self.figure in AT_MOST else ">="
        # All digits, and no exponent: it is parsed again where a model is read.
        bound = np.format_float_positional(self.bound, trim="-")
        return f"{self.figure}({self.label}) {sign} {bound}"

    def met_by(self, values: Float64Array) -> BoolArray:
        """Return whether each value keeps to the bound; NaN, the metric of no image, does not."""
        # A share such as 19 of 20 must meet 0.95 whatever its last bit is.
        margin = 1e-9
        kept = values <= self.bound + margin if self.figure in AT_MOST else values >= self.bound - margin
        return np.asarray(kept & ~np.isnan(values))


def parse_target(text: str) -> OperatingTarget:
    """Parse a target.

    Raises:
        ConfigError: it is none, or asks for what is no fraction.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise ConfigError(
            "A target must look like recall(CLASS) >= 0.95 or false_positive_rate(CLASS) <= 0.01. "
            "Got {target}. Write it in this form, in quotes.",
            target=repr(text),
        )
    figure, label, sign, number, percent = found.groups()
    if figure not in get_args(Figure):
        raise ConfigError(
            "A target must constrain recall, precision, specificity or false_positive_rate. Got "
            "{figure}; the closest matches are: {nearest}. Use one of them.",
            figure=figure,
            nearest=nearest(figure, get_args(Figure)),
        )
    if (sign[0] in "<≤") != (figure in AT_MOST):
        raise ConfigError(
            "false_positive_rate takes an upper bound (<=), the other metrics take a lower bound "
            "(>=). Got {target}. Reverse the comparison sign.",
            target=repr(text),
        )
    try:
        bound = round(float(number) / (100 if percent else 1), _DIGITS)
    except ValueError:
        bound = -1.0
    if not 0 <= bound <= 1:
        raise ConfigError(
            "The bound of a target must be a fraction from 0 to 1, or a percentage. Got {number}. "
            "Write 0.95 or 95%.",
            number=number + percent,
        )
    return OperatingTarget(figure, label.strip(), bound)  # type: ignore[arg-type]  # it is one of them


def check_target(target: OperatingTarget, labels: Sequence[str]) -> None:
    """Refuse a target of an unknown class.

    Raises:
        ConfigError: naming the nearest classes.
    """
    if target.label not in labels:
        raise ConfigError(
            "A target must name an existing class. There is no class {label}; the closest matches "
            "are: {nearest}. Use one of them, as in {figure}({first}).",
            label=repr(target.label),
            nearest=nearest(target.label, labels),
            figure=target.figure,
            first=nearest(target.label, labels, 1).split(", ")[0],
        )


def choose_threshold(targets: Sequence[OperatingTarget], scores: FloatArray, positive: BoolArray) -> float:
    """Select the threshold from which on the class is predicted.

    Of the thresholds that meet a recall, the highest, which gives fewest false alarms; of those that meet
    another metric, the lowest, which finds most. Where none does, the one that comes nearest. Further
    targets of the class are met as far as those before them allow. The threshold lies midway between the
    probabilities of two images, so that a pixel's rounding changes no prediction. The class must be found at
    least once: a threshold that predicts nothing meets nothing.

    Args:
        targets: what to meet, of one class, the most important first.
        scores: (N,) probabilities of the class.
        positive: (N,) whether the images are of the class; at least one is.
    """
    levels = np.unique(scores.astype(np.float64))[::-1]
    hits = _at_least(np.sort(scores[positive]), levels)
    alarms = _at_least(np.sort(scores[~positive]), levels)
    useful = np.flatnonzero(hits > 0)
    for target in targets:
        values = metric_of(target.figure, hits, alarms, int(positive.sum()), int((~positive).sum()))[useful]
        met = target.met_by(values)
        if met.any():
            useful = useful[met]
        elif target is targets[0]:
            best = np.nan_to_num(-values if target.figure in AT_MOST else values, nan=-np.inf)
            useful = useful[[best.argmax()]]
    place = int(useful[0] if targets[0].figure == "recall" else useful[-1])
    below = levels[place + 1] if place + 1 < len(levels) else 0.0
    # As float32 holds it, so that every comparison with it, in float32 or float64, comes out alike.
    middle = float(np.float32((levels[place] + below) / 2))
    return middle if middle > below else float(levels[place])


def metric_of(
    figure: Figure, hits: Float64Array, alarms: Float64Array, positives: int, negatives: int
) -> Float64Array:
    """Return the metric (n,) from counts of true and false positives; NaN where no image is counted."""
    match figure:
        case "recall":
            counted, of = hits, np.full_like(hits, positives)
        case "precision":
            counted, of = hits, hits + alarms
        case "specificity":
            counted, of = negatives - alarms, np.full_like(hits, negatives)
        case "false_positive_rate":
            counted, of = alarms, np.full_like(hits, negatives)
    return np.where(of > 0, counted / np.maximum(of, 1), np.nan)


def _at_least(ascending: FloatArray, levels: Float64Array) -> Float64Array:
    """Return how many of the scores are at least each level."""
    found = len(ascending) - np.searchsorted(ascending.astype(np.float64), levels, side="left")
    return np.asarray(found, np.float64)
