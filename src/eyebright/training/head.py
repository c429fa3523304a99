"""The linear head: multinomial logistic regression on frozen features, its L2 strength cross-validated.

Features are standardised and turned into their principal directions, in which the convex problem of every
fold is solved along one warm-started path of strengths, from strong to weak. A discriminant on the same
directions is mixed in as far as held-out rows like it. The standardisation is then folded into the weights,
so that a head applies to raw features.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eyebright.errors import DataError
from eyebright.training.discriminant import SHARES, discriminant, log_loss, mix
from eyebright.training.folds import assign_folds, class_weights, fold_weights, learnable
from eyebright.training.linear import LinearHead
from eyebright.training.logistic import BoolArray, LogisticProblems
from eyebright.types import FloatArray, IntArray

#: L2 strengths, strong to weak, for rows whose mean square norm is 1.
STRENGTHS = (1e-3, 1e-4, 3e-5, 1e-5, 3e-6, 1e-6, 3e-7)
_EXACT_RANK = 1500
_RANK = 1200
_WORSE_IN_A_ROW = 2
_CHUNK_ROWS = 512
_FINAL_TOLERANCE = 2e-3
_SMALLEST_DEVIATION = 0.3  # of the median column: a channel that was all but dead in training can jump later


@dataclass(frozen=True)
class PathPoint:
    """Held-out result of one L2 strength: log loss with the rows' weights, and plain accuracy."""

    l2: float
    log_loss: float
    accuracy: float


@dataclass(frozen=True)
class HeadFit:
    """A head, the strength that was chosen, the path, and held-out logits (N', K) of the scored rows.

    ``discriminant_share`` says how much of the head is a discriminant, from 0 to 1.
    """

    head: LinearHead
    l2: float
    path: tuple[PathPoint, ...]
    held_out: FloatArray
    discriminant_share: float


def fit_head(
    features: npt.NDArray[np.floating],
    truth: IntArray,
    classes: int,
    *,
    groups: IntArray | None = None,
    scored: BoolArray | None = None,
    class_weight_power: float = 0.5,
    seed: int = 0,
    folds: int = 5,
    rank: int | None = None,
    strengths: tuple[float, ...] = STRENGTHS,
    shares: tuple[float, ...] = SHARES,
    on_strength: Callable[[], None] | None = None,
) -> HeadFit:
    """Fit a head, with the L2 strength that has the lowest held-out log loss; two runs are equal bit for bit.

    Args:
        features: (N, D), float16 or float32; a number that is not finite raises a DataError.
        truth: class numbers (N,); every class should have rows of two groups or more.
        classes: K.
        groups: group numbers (N,): rows of one group, such as views of one image, share a fold.
        scored: rows (N,) on which the held-out loss is measured, such as the plain views; None for all.
        class_weight_power: a row of a class with n rows weighs n to the power of minus this.
        seed: of the folds and of the rank reduction.
        folds: the largest number of folds.
        rank: principal directions to keep; None for all where N or D is at most 1,500, else 1,200.
        strengths: the path, strong to weak.
        shares: of the discriminant in the head, to choose from.
        on_strength: called after each strength, of which there are at most as many as ``strengths``.
    """
    rows, mean, scale = _standardise(features)
    rows, basis = _principal_directions(rows, rank, seed)
    weights = class_weights(truth, class_weight_power)
    fold = assign_folds(truth, groups, folds, seed)
    problems = LogisticProblems(rows, truth, fold_weights(truth, weights, fold))
    kept = np.ones(len(truth), bool) if scored is None else scored
    judged = np.where(_measurable(kept, truth, fold), weights, 0)
    path, best, held_out = _follow_path(problems, classes, fold, judged, strengths, on_strength)
    l2 = min(path, key=lambda point: point.log_loss).l2
    second = _held_out_discriminant(problems, classes, fold)
    mixture = mix(held_out, second, truth, judged, shares)
    final = _solve_all(problems, weights, l2, best)
    if mixture.share:
        whole = discriminant(rows, truth, weights / weights.sum(), classes)
        final, held_out = mixture.of(final, whole), mixture.of(held_out, second)
    return HeadFit(_unstandardised(final, basis, mean, scale), l2, path, held_out[kept], mixture.share)


def _held_out_discriminant(problems: LogisticProblems, classes: int, fold: IntArray) -> FloatArray:
    """Logits (N, K) of discriminants of the folds, each on the rows that it did not see."""
    logits = np.empty((len(fold), classes), np.float32)
    for f in range(problems.weights.shape[1]):
        coefficients = discriminant(problems.rows, problems.truth, problems.weights[:, f], classes)
        inside = fold == f
        logits[inside] = problems.rows[inside] @ coefficients[:-1] + coefficients[-1]
    return logits


def _solve_all(problems: LogisticProblems, weights: FloatArray, l2: float, folds: FloatArray) -> FloatArray:
    """Coefficients (R + 1, K) on all rows, from the mean of the folds' (R + 1, F, K): a few steps away."""
    everything = LogisticProblems(problems.rows, problems.truth, (weights / weights.sum())[:, None])
    return everything.solve(l2, folds.mean(axis=1, keepdims=True), _FINAL_TOLERANCE)[:, 0]


def _measurable(scored: BoolArray, truth: IntArray, fold: IntArray) -> BoolArray:
    """The scored rows whose class the other folds know, or all scored rows where there are none."""
    measurable = scored & learnable(truth, fold)
    return measurable if measurable.any() else scored


def _follow_path(
    problems: LogisticProblems,
    classes: int,
    fold: IntArray,
    weights: FloatArray,
    strengths: tuple[float, ...],
    on_strength: Callable[[], None] | None,
) -> tuple[tuple[PathPoint, ...], FloatArray, FloatArray]:
    """The path with the best strength's coefficients (R + 1, F, K) and held-out logits (N, K)."""
    count = problems.weights.shape[1]
    coefficients = np.zeros((problems.rows.shape[1] + 1, count, classes), np.float32)
    path: list[PathPoint] = []
    best, best_logits, best_at = coefficients, np.empty((0, classes), np.float32), 0
    for number, l2 in enumerate(strengths):
        coefficients = problems.solve(l2, coefficients)
        logits = np.empty((len(fold), classes), np.float32)
        for f in range(count):
            inside = fold == f
            logits[inside] = problems.rows[inside] @ coefficients[:-1, f] + coefficients[-1, f]
        path.append(_judge(logits, problems.truth, weights, l2))
        if on_strength:
            on_strength()
        if number == 0 or path[-1].log_loss < path[best_at].log_loss:
            best, best_logits, best_at = coefficients, logits, number
        elif number - best_at >= _WORSE_IN_A_ROW:
            break
    return tuple(path), best, best_logits


def _judge(logits: FloatArray, truth: IntArray, weights: FloatArray, l2: float) -> PathPoint:
    right = (logits.argmax(axis=1) == truth)[weights > 0]
    return PathPoint(l2, log_loss(logits, truth, weights), float(right.mean()))


def _standardise(features: npt.NDArray[np.floating]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Rows (N, D) of mean square norm 1, with the mean and the scale (D,) that make them from the features.

    One float32 copy, worked on in place; columns that do not vary get the scale 0.
    """
    rows: FloatArray = np.empty(features.shape, np.float32)
    chunks = [slice(first, first + _CHUNK_ROWS) for first in range(0, len(rows), _CHUNK_ROWS)]
    total, squares = np.zeros(rows.shape[1]), np.zeros(rows.shape[1])
    for chunk in chunks:
        rows[chunk] = features[chunk]
        total += rows[chunk].sum(axis=0, dtype=np.float64)
    mean = (total / len(rows)).astype(np.float32)
    if not np.isfinite(mean).all():
        raise DataError(
            "Features must be finite numbers. {count} of {total} columns hold others. "
            "Use another engine or another backbone.",
            count=int((~np.isfinite(mean)).sum()),
            total=len(mean),
        )
    for chunk in chunks:
        rows[chunk] -= mean
        squares += np.square(rows[chunk], dtype=np.float64).sum(axis=0)
    deviation = np.sqrt(squares / len(rows))
    varies = deviation > 1e-6 * np.abs(mean)
    if varies.any():
        deviation = np.maximum(deviation, _SMALLEST_DEVIATION * np.median(deviation[varies]))
    scale = np.where(varies, 1 / np.where(varies, deviation, 1), 0) / np.sqrt(max(1, varies.sum()))
    rows *= scale.astype(np.float32)
    return rows, mean, scale.astype(np.float32)


def _principal_directions(rows: FloatArray, rank: int | None, seed: int) -> tuple[FloatArray, FloatArray]:
    """The rows in their leading principal directions (N, R), and these as an orthonormal basis (D, R).

    Exact through the smaller Gram matrix where that is small, else by a randomised range finder: the row
    space of a random mix, sharpened by one power step.
    """
    count, width = rows.shape
    exact = min(count, width) <= _EXACT_RANK and rank is None
    if exact and count <= width:
        moments, directions = np.linalg.eigh((rows @ rows.T).astype(np.float64))
        keep = moments > 1e-6 * moments[-1]
        keep[-1] = True
        spread = np.sqrt(np.maximum(moments[keep], 1e-12))
        basis = rows.T @ (directions[:, keep] / spread).astype(np.float32)
        # What rows @ basis would give, without that product.
        return (directions[:, keep] * spread).astype(np.float32), basis
    if exact:
        span = np.eye(width, dtype=np.float32)
        reduced = rows
    else:
        size = min(rank or _RANK, count, width)
        sample = np.random.default_rng(seed).choice(count, size, replace=False)
        span = _orthonormal(rows[np.sort(sample)].T)
        span = _orthonormal(_orthonormal(rows.T @ (rows @ span)))
        reduced = rows @ span
    _, rotation = np.linalg.eigh((reduced.T @ reduced).astype(np.float64))
    turn = np.ascontiguousarray(rotation[:, ::-1], dtype=np.float32)
    return reduced @ turn, span @ turn


def _orthonormal(columns: FloatArray) -> FloatArray:
    """Nearly orthonormal columns of the same span, by Cholesky: matrix products only, far faster than QR."""
    gram = (columns.T @ columns).astype(np.float64)
    gram[np.diag_indices(len(gram))] += 1e-6 * np.trace(gram) / len(gram) + 1e-30
    factor = np.linalg.cholesky(gram).astype(np.float32)
    return columns @ np.linalg.inv(factor).T


def _unstandardised(
    coefficients: FloatArray, basis: FloatArray, mean: FloatArray, scale: FloatArray
) -> LinearHead:
    """The head on raw features from coefficients (R + 1, K) in the principal directions."""
    weights = (basis @ coefficients[:-1]).astype(np.float64) * scale[:, None]
    bias = coefficients[-1] - mean.astype(np.float64) @ weights
    return LinearHead(weights.astype(np.float32), bias.astype(np.float32))
