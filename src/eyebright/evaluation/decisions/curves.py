"""ROC and precision-recall curves, with no more points than a drawing shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eyebright.evaluation.decisions.operating import OperatingPoint
from eyebright.types import BoolArray, FloatArray

_POINTS = 200


@dataclass(frozen=True)
class OperatingCurve:
    """An operating point with the curves that it lies on, of the images that are reported.

    Attributes:
        point: where the class is answered.
        roc: (false positive rate, recall) from the highest threshold to the lowest; empty without images of
            the class, or of others.
        precision_recall: (recall, precision), likewise.
    """

    point: OperatingPoint
    roc: tuple[tuple[float, float], ...]
    precision_recall: tuple[tuple[float, float], ...]


def operating_curve(point: OperatingPoint, scores: FloatArray, positive: BoolArray) -> OperatingCurve:
    """Return curves of the class's probabilities (N,) for images that are of it or not (N,)."""
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if not positives or not negatives:
        return OperatingCurve(point, (), ())
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    hits, predicted = np.cumsum(positive[order])[ends], ends + 1
    if len(ends) > _POINTS:
        some = np.unique(np.linspace(0, len(ends) - 1, _POINTS).round().astype(np.int64))
        hits, predicted = hits[some], predicted[some]
    recall, alarms = hits / positives, (predicted - hits) / negatives
    roc = [(0.0, 0.0), *zip(alarms.tolist(), recall.tolist(), strict=True)]
    return OperatingCurve(
        point, tuple(roc), tuple(zip(recall.tolist(), (hits / predicted).tolist(), strict=True))
    )
