"""The head where an image may have several labels: a logistic regression for each, on the same rows.

The labels' problems are independent and convex, and one matrix product serves all of them, in every fold.
They share one L2 strength. No class weighs more than another: the probabilities are to be those of the data.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eyebright.task.logits import binary_cross_entropy, sigmoid
from eyebright.task.task import MultiLabel
from eyebright.training.linear_probe.folds import assign_folds
from eyebright.training.linear_probe.head import HeadFit
from eyebright.training.linear_probe.logistic import LogisticProblems, Point, chunk_rows
from eyebright.training.linear_probe.pca import principal_directions, standardise, unchanged, unstandardised
from eyebright.training.linear_probe.regularisation_path import follow_path, solve_all
from eyebright.types import BoolArray, FloatArray, IntArray

#: L2 strengths, strong to weak: finer at the strong end than those of classes, where the best ones lie.
LABEL_STRENGTHS = (1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 1e-5, 1e-6)


@dataclass(frozen=True)
class LabelProblems(LogisticProblems):
    """Logistic problems with K binary targets (N, K) a row; the objective is the sum over them."""

    def _evaluate(self, coefficients: FloatArray, penalty: FloatArray, chosen: IntArray) -> Point:
        size, problems, labels = coefficients.shape
        flat = coefficients.reshape(size, -1)
        value = 0.5 * (penalty * coefficients * coefficients).sum(axis=(0, 2), dtype=np.float64)
        gradient = (penalty * coefficients).reshape(size, -1)
        curvature = np.zeros((problems, labels), np.float64)
        length = chunk_rows(flat.shape[1])
        for first in range(0, len(self.rows), length):
            rows, truth = self.rows[first : first + length], self.truth[first : first + length, None]
            weights = self.weights[first : first + length, chosen, None]
            logits = (rows @ flat[:-1] + flat[-1]).reshape(len(rows), problems, labels)
            value += (binary_cross_entropy(logits, truth) * weights).sum(axis=(0, 2), dtype=np.float64)
            probabilities = sigmoid(logits)
            curvature += (probabilities * (1 - probabilities) * weights).sum(axis=0, dtype=np.float64)
            residual = ((probabilities - truth) * weights).reshape(len(rows), -1).astype(np.float32)
            gradient[:-1] += rows.T @ residual
            gradient[-1] += residual.sum(axis=0)
        # The largest: a step that suits a label which is nearly always true would be too long for others.
        bound = curvature.max(axis=1).astype(np.float32)
        return Point(coefficients, value, gradient.reshape(coefficients.shape), bound)


def fit_labels(
    features: npt.NDArray[np.floating],
    truth: IntArray,
    strata: IntArray,
    *,
    groups: IntArray | None = None,
    scored: BoolArray | None = None,
    weights: FloatArray | None = None,
    seed: int = 0,
    folds: int = 5,
    strengths: tuple[float, ...] = LABEL_STRENGTHS,
    on_strength: Callable[[], None] | None = None,
    standardised: bool = False,
) -> HeadFit:
    """Fit a head, with the L2 strength that has the lowest held-out log loss; two runs are equal bit for bit.

    Args:
        features: (N, D), float16 or float32; a number that is not finite raises a DataError.
        truth: (N, K), 1 where a row has a label, else 0.
        strata: (N,) numbers; folds hold their share of each.
        groups: group numbers (N,): rows of one group, such as views of one image, share a fold.
        scored: rows (N,) on which the held-out loss is measured, such as the plain views; None for all.
        weights: (N,) of the rows, above 0; None counts all alike.
        seed: of the folds and of the rank reduction.
        folds: the largest number of folds.
        strengths: the path, strong to weak.
        on_strength: called after each strength, of which there are at most as many as ``strengths``.
        standardised: whether features are what :func:`standardise` gives, or their principal directions.
    """
    rows, mean, scale = (unchanged if standardised else standardise)(features)
    rows, directions = principal_directions(rows, None, seed)
    fold = assign_folds(strata, groups, folds, seed)
    kept = np.ones(len(truth), bool) if scored is None else scored
    own = np.ones(len(truth), np.float32) if weights is None else weights
    learned = (fold[:, None] != np.arange(fold.max() + 1)) * own[:, None]
    problems = LabelProblems(rows, truth, learned / learned.sum(axis=0))

    def score(logits: FloatArray) -> tuple[float, float]:
        correct = MultiLabel().correct(logits, truth)
        losses = binary_cross_entropy(logits, truth)[kept].mean(axis=1)
        return float(np.average(losses, weights=own[kept])), float(correct[kept].mean())

    path, best, held_out = follow_path(problems, truth.shape[1], fold, score, strengths, on_strength)
    l2 = min(path, key=lambda point: point.log_loss).l2
    final = solve_all(problems, own, l2, best)
    return HeadFit(unstandardised(final, directions, mean, scale), l2, path, held_out[kept], 0.0)
