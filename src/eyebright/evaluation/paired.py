"""Two models on the same images: the difference of their accuracies, with its interval."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from eyebright.types import Interval

_Z = 1.959963984540054  # of the normal distribution, for 95 %


def accuracy_difference(right: npt.NDArray[np.bool_], right_before: npt.NDArray[np.bool_]) -> Interval:
    """How much more accurate one model is than another, with a 95 % interval for paired answers.

    Only images that one of the two gets wrong tell them apart; each kind of them counts one more than there
    are, so that an interval of no difference on few images is not a point (Bonett and Price, 2012).

    Args:
        right: (N,) whether the model was right.
        right_before: (N,) whether the other one was.
    """
    n = len(right)
    gained, lost = int((right & ~right_before).sum()), int((~right & right_before).sum())
    more, less = (gained + 1) / (n + 2), (lost + 1) / (n + 2)
    half = _Z * math.sqrt((more + less - (more - less) ** 2) / (n + 2))
    value = (gained - lost) / n
    low, high = more - less - half, more - less + half
    return Interval(value, max(-1.0, min(low, value)), min(1.0, max(high, value)))
