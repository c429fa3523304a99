"""The path of L2 strengths, from strong to weak, each step scored on held-out rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from eyebright.training.linear_probe.logistic import LogisticProblems
from eyebright.types import FloatArray, IntArray

#: L2 strengths, strong to weak, for rows whose mean square norm is 1.
STRENGTHS = (1e-3, 1e-4, 3e-5, 1e-5, 3e-6, 1e-6, 3e-7)
_WORSE_IN_A_ROW = 2
_FINAL_TOLERANCE = 2e-3


@dataclass(frozen=True)
class PathPoint:
    """Held-out result of one L2 strength: log loss with the rows' weights, and plain accuracy."""

    l2: float
    log_loss: float
    accuracy: float


def follow_path(
    problems: LogisticProblems,
    classes: int,
    fold: IntArray,
    score: Callable[[FloatArray], tuple[float, float]],
    strengths: tuple[float, ...],
    on_strength: Callable[[], None] | None,
) -> tuple[tuple[PathPoint, ...], FloatArray, FloatArray]:
    """Solve the problems of all folds at one strength after another, until it gets worse.

    Args:
        problems: one a fold.
        classes: K.
        fold: (N,) in which each row is held out.
        score: log loss and accuracy of held-out logits (N, K).
        strengths: strong to weak.
        on_strength: called after each.

    Returns:
        The path, with the best strength's coefficients (R + 1, F, K) and held-out logits (N, K).
    """
    count = problems.weights.shape[1]
    coefficients = np.zeros((problems.rows.shape[1] + 1, count, classes), np.float32)
    solved: list[tuple[float, FloatArray]] = []
    path: list[PathPoint] = []
    best, best_logits, best_at = coefficients, np.empty((0, classes), np.float32), 0
    for number, l2 in enumerate(strengths):
        coefficients = problems.solve(l2, _extrapolated(solved, l2, coefficients))
        solved = [*solved[-1:], (l2, coefficients)]
        logits = np.empty((len(fold), classes), np.float32)
        for f in range(count):
            inside = fold == f
            logits[inside] = problems.logits(coefficients[:, f], inside)
        path.append(PathPoint(l2, *score(logits)))
        if on_strength:
            on_strength()
        if number == 0 or path[-1].log_loss < path[best_at].log_loss:
            best, best_logits, best_at = coefficients, logits, number
        elif number - best_at >= _WORSE_IN_A_ROW:
            break
    return tuple(path), best, best_logits


def _extrapolated(solved: list[tuple[float, FloatArray]], l2: float, start: FloatArray) -> FloatArray:
    """Return where the last two solutions lead, on a logarithmic scale of strengths; ``start`` of fewer.

    With 101 classes the path then takes half of the steps that it takes from each last solution.
    """
    if len(solved) < 2:
        return start
    (before, first), (last, second) = solved
    further = np.float32(np.log(l2 / last) / np.log(last / before))
    return second + further * (second - first)


def solve_all(problems: LogisticProblems, weights: FloatArray, l2: float, folds: FloatArray) -> FloatArray:
    """Return coefficients (R + 1, K) on all rows, starting at the mean of the folds' (R + 1, F, K)."""
    everything = replace(problems, weights=(weights / weights.sum())[:, None])
    return everything.solve(l2, folds.mean(axis=1, keepdims=True), _FINAL_TOLERANCE)[:, 0]
