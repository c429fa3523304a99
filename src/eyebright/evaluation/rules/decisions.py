"""Which class is predicted: the most probable, or what operating points or costs say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eyebright.evaluation.decisions.costs import cheapest
from eyebright.evaluation.intervals import Float64Array
from eyebright.types import FloatArray, IntArray


@dataclass(frozen=True)
class Decisions:
    """How a model with K classes predicts.

    A class with a threshold is predicted where its probability reaches it. Where several do, the one whose
    probability exceeds its threshold the most times over. Where none does, the likeliest class without a
    threshold; where every class has one, the class that comes nearest to its own. With costs, the class whose
    expected cost is least.

    Attributes:
        thresholds: (K,), NaN of a class without one.
        costs: (K, K) of a true class (row) that is predicted as another (column), or None.
    """

    thresholds: Float64Array
    costs: Float64Array | None = None

    def predict(self, probabilities: FloatArray) -> IntArray:
        """Return class numbers (N,) for probabilities (N, K)."""
        if self.costs is not None:
            return cheapest(probabilities, self.costs)
        bound = ~np.isnan(self.thresholds)
        safe = np.maximum(np.where(bound, self.thresholds, 1), np.finfo(np.float32).tiny)
        excess = np.where(bound, probabilities / safe, -np.inf)
        others = np.where(bound, -np.inf, probabilities)
        reached = excess.max(axis=1) >= 1
        strongest = excess.argmax(axis=1)
        instead = strongest if bound.all() else others.argmax(axis=1)
        return np.asarray(np.where(reached, strongest, instead), np.int64)
