"""What a model answers, as numbers of the kind that truth has.

Where images have one label each, truth and answers are (N,) class numbers. Where an image may have several,
they are tables (N, K) of 0 and 1, and each label has a threshold of its probability.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from eyebright.evaluation.intervals import Float64Array
from eyebright.evaluation.multiclass.ranking import BoolArray
from eyebright.types import FloatArray, IntArray

#: From which probability on a label is named unless a target asks for another: so the fewest errors are made.
THRESHOLD = 0.5


def answered(probabilities: FloatArray, thresholds: Float64Array | None) -> IntArray:
    """The answers to N images.

    Args:
        probabilities: (N, K).
        thresholds: (K,) where an image may have several labels; None where the likeliest is answered.
    """
    if thresholds is None:
        return np.asarray(probabilities.argmax(axis=1), np.int64)
    return np.asarray(probabilities >= thresholds, np.int64)


def same(first: IntArray, second: IntArray) -> BoolArray:
    """(N,) whether two answers, or an answer and the truth, are the same, all labels if there are several."""
    equal = first == second
    return np.asarray(equal if equal.ndim == 1 else equal.all(axis=1))


def positive(truth: IntArray, label: int) -> BoolArray:
    """(N,) whether each image has the label of this number."""
    return np.asarray(truth == label if truth.ndim == 1 else truth[:, label] == 1)


def set_probabilities(probabilities: FloatArray, answers: IntArray) -> npt.NDArray[np.float64]:
    """(N,) the probability that just the labels of ``answers`` (N, K) hold, each label taken by itself."""
    wide = probabilities.astype(np.float64)
    found: npt.NDArray[np.float64] = np.where(answers > 0, wide, 1 - wide).prod(axis=1)
    return found
