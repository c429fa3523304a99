"""What a model answers: the class, or the labels, that follow from probabilities and the OOD score.

This is the only place that decides. The sealed graph's output `answer` computes the same
(:mod:`eyebright.sealed.answer_output`), in the same arithmetic: float32, and where sums depend on their
order, what is nearly equal counts as equal.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from eyebright.evaluation.decisions.costs import cheapest
from eyebright.evaluation.intervals import Float64Array
from eyebright.runtime.compact.table import by_rows
from eyebright.task.task import ClassificationTask, MultiClass, MultiLabel
from eyebright.types import BoolArray, FloatArray, IntArray

#: The answer for an image that is unlike the training images.
UNKNOWN_ANSWER = -1
# Above every rank of a class whose probability does not reach its threshold: these are at most 1.
REACHED = 2.0
_TINY = float(np.finfo(np.float32).tiny)
# Above every probability.
_NEVER = 2.0


@dataclass(frozen=True)
class Decisions:
    """How a model with K classes or labels decides.

    A class with a threshold is predicted where its probability reaches it. Where several do, the one whose
    probability exceeds its threshold the most times over. Where none does, the likeliest class without a
    threshold; where every class has one, the class that comes nearest to its own. With costs, the class whose
    expected cost is least. Where an image may have several labels, each that reaches its threshold. Of equal
    ones the first.

    Attributes:
        thresholds: (K,), NaN of a class without one.
        costs: (K, K) of a true class (row) that is predicted as another (column), or None.
        multilabel: whether an image may have several labels; then each has a threshold.
        unknown_above: the OOD score above which an image is unknown; None where none is.
    """

    thresholds: Float64Array
    costs: Float64Array | None = None
    multilabel: bool = False
    unknown_above: float | None = None

    @property
    def changed(self) -> bool:
        """Return whether another class than the most probable may be predicted."""
        return self.multilabel or self.costs is not None or not np.isnan(self.thresholds).all()

    @property
    def task(self) -> ClassificationTask:
        """Return the task whose predictions these are."""
        return MultiLabel(self.thresholds) if self.multilabel else MultiClass(self.predict)

    def without_unknown(self) -> Decisions:
        """Return the same decisions for a model that gives no OOD score."""
        return replace(self, unknown_above=None)

    def predict(self, probabilities: FloatArray) -> IntArray:
        """Return class numbers (N,), or of several labels a table (N, K), for probabilities (N, K).

        It is what the model holds likeliest, also of an unknown image.
        """
        return by_rows(self._predict, np.asarray(probabilities, np.float32))

    def _predict(self, rows: FloatArray) -> IntArray:
        if self.multilabel:
            return np.asarray(rows >= self.least, np.int64)
        if self.costs is not None:
            return cheapest(rows, self.costs)
        if not self.changed:
            return np.asarray(rows.argmax(axis=1), np.int64)
        gain, weight, offset = self.gain, *self.otherwise
        ranks = np.where(rows >= self.least, rows * gain + np.float32(REACHED), rows * weight + offset)
        return np.asarray(ranks.argmax(axis=1), np.int64)

    def answer(self, probabilities: FloatArray, scores: FloatArray | None) -> IntArray:
        """Return predictions as :meth:`predict` does, and -1, in every column of a table, for unknown images.

        Args:
            probabilities: (N, K).
            scores: OOD scores (N,); None of a model that gives none.
        """
        predicted = self.predict(probabilities)
        if scores is None:
            return predicted
        unknown = self.unknown(scores)
        return np.where(unknown[:, None] if self.multilabel else unknown, UNKNOWN_ANSWER, predicted)

    def unknown(self, scores: FloatArray) -> BoolArray:
        """Return (N,) whether images with these OOD scores are unknown."""
        limit = self.limit
        return np.zeros(len(scores), bool) if limit is None else np.asarray(scores, np.float32) > limit

    @property
    def least(self) -> FloatArray:
        """Return the smallest float32 (K,) that reaches each threshold; 2 of a class without one."""
        wanted = np.where(np.isnan(self.thresholds), _NEVER, self.thresholds)
        near = wanted.astype(np.float32)
        return np.where(near < wanted, np.nextafter(near, np.float32(np.inf)), near)

    @property
    def gain(self) -> FloatArray:
        """Return factors (K,) that turn a probability into how many times over it exceeds its threshold."""
        bound = ~np.isnan(self.thresholds)
        return np.where(bound, 1 / np.maximum(np.where(bound, self.thresholds, 1), _TINY), 0).astype(
            np.float32
        )

    @property
    def otherwise(self) -> tuple[FloatArray, FloatArray]:
        """Return factors (K,) and offsets (K,) of the ranks where no probability reaches its threshold."""
        bound = ~np.isnan(self.thresholds)
        if bound.all():
            return self.gain, np.zeros(len(bound), np.float32)
        return (~bound).astype(np.float32), np.where(bound, -1, 0).astype(np.float32)

    @property
    def limit(self) -> np.float32 | None:
        """Return the largest float32 at or below the OOD threshold: a score above one is above the other."""
        if self.unknown_above is None:
            return None
        near = np.float32(self.unknown_above)
        return np.nextafter(near, np.float32(-np.inf)) if float(near) > self.unknown_above else near
