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

from eyebright.training.linear_probe.folds import assign_folds, class_weights, fold_weights, learnable
from eyebright.training.linear_probe.lda import SHARES, discriminant, log_loss, mix
from eyebright.training.linear_probe.linear import LinearHead
from eyebright.training.linear_probe.logistic import LogisticProblems
from eyebright.training.linear_probe.pca import principal_directions, standardise, unchanged, unstandardised
from eyebright.training.linear_probe.regularisation_path import STRENGTHS, PathPoint, follow_path, solve_all
from eyebright.types import BoolArray, FloatArray, IntArray

#: What the logits of a prior may be multiplied by; the first counts where nothing can be compared.
PRIOR_SCALES = (1.0, 0.5, 0.25, 0.1, 2.0, 0.0)
# Strengths that keep a head closer to its prior than any that would be good without one.
_NEAR_PRIOR = (1.0, 1e-1, 1e-2)


def most_strengths(prior: LinearHead | None) -> int:
    """Return how many strengths :func:`fit_head` tries at most."""
    return len(STRENGTHS) if prior is None else len(PRIOR_SCALES) * len((*_NEAR_PRIOR, *STRENGTHS))


@dataclass(frozen=True)
class HeadFit:
    """A head, the selected strength, the path, and held-out logits (N', K) of the scored rows.

    ``discriminant_share`` says how much of the head is a discriminant, from 0 to 1; ``prior_scale`` by what
    the prior's logits were multiplied, None without one.
    """

    head: LinearHead
    l2: float
    path: tuple[PathPoint, ...]
    held_out: FloatArray
    discriminant_share: float
    prior_scale: float | None = None


def fit_head(
    features: npt.NDArray[np.floating],
    truth: IntArray,
    classes: int,
    *,
    groups: IntArray | None = None,
    scored: BoolArray | None = None,
    weights: FloatArray | None = None,
    class_weight_power: float = 0.5,
    seed: int = 0,
    folds: int = 5,
    rank: int | None = None,
    strengths: tuple[float, ...] = STRENGTHS,
    shares: tuple[float, ...] = SHARES,
    on_strength: Callable[[], None] | None = None,
    standardised: bool = False,
    prior: LinearHead | None = None,
) -> HeadFit:
    """Fit a head, with the L2 strength that has the lowest held-out log loss; two runs are equal bit for bit.

    Args:
        features: (N, D), float16 or float32; a number that is not finite raises a DataError.
        truth: class numbers (N,); every class should have rows of two groups or more. Where none has, the
            strongest L2 is taken, and all held-out logits are 0.
        classes: K.
        groups: group numbers (N,): rows of one group, such as views of one image, share a fold.
        scored: rows (N,) on which the held-out loss is measured, such as the plain views; None for all.
        weights: (N,) of the rows, above 0; None counts all alike.
        class_weight_power: a row of a class with n rows, or of weight n, weighs n to the power of minus this.
        seed: of the folds and of the rank reduction.
        folds: the largest number of folds.
        rank: principal directions to keep; None for all where N or D is at most 1,500, else 1,200.
        strengths: the path, strong to weak.
        shares: of the discriminant in the head, to choose from.
        on_strength: called after each strength, of which there are at most as many as ``strengths``.
        standardised: whether features are what :func:`standardise` gives, or their principal directions.
        prior: a head on the raw features that was not fitted to them, such as the embedded names of the
            classes; only the difference from it is shrunk. By what it is multiplied is chosen with the
            strength, 0 among the choices.
    """
    offset = None if prior is None else prior.logits(features)
    rows, mean, scale = (unchanged if standardised else standardise)(features)
    rows, directions = principal_directions(rows, rank, seed)
    weights = class_weights(truth, class_weight_power, weights)
    fold = assign_folds(truth, groups, folds, seed)
    kept = np.ones(len(truth), bool) if scored is None else scored
    scored_weights = np.where(_measurable(kept, truth, fold), weights, 0)
    untested = not (kept & learnable(truth, fold)).any()
    # With one image a class the strongest L2 is best: log loss 2.3 on ten kinds of clothes, the weakest 3.1.
    scales: tuple[float, ...] = (0.0,) if prior is None else PRIOR_SCALES
    if prior is not None:
        strengths = (*_NEAR_PRIOR, *strengths)
    if untested:
        strengths, shares, scales = strengths[:1], (0.0,), scales[:1]

    def score(logits: FloatArray) -> tuple[float, float]:
        right = (logits.argmax(axis=1) == truth)[scored_weights > 0]
        return log_loss(logits, truth, scored_weights), float(right.mean())

    def solved(scale: float) -> _Solved:
        known = None if offset is None else np.float32(scale) * offset
        problems = LogisticProblems(rows, truth, fold_weights(truth, weights, fold), known)
        path, best, held_out = follow_path(problems, classes, fold, score, strengths, on_strength)
        return _Solved(scale, problems, path, best, held_out)

    chosen = min(map(solved, scales), key=lambda s: s.point.log_loss)
    problems, held_out, l2 = chosen.problems, chosen.held_out, chosen.point.l2
    second = _held_out_discriminant(problems, classes, fold)
    mixture = mix(held_out, second, truth, scored_weights, shares)
    final = solve_all(problems, weights, l2, chosen.coefficients)
    if mixture.share:
        whole = discriminant(rows, truth, weights / weights.sum(), classes)
        final, held_out = mixture.of(final, whole), mixture.of(held_out, second)
    if untested:  # where nothing but the prior is known, all are equally likely
        held_out = np.zeros_like(held_out) if offset is None else offset
    head = unstandardised(final, directions, mean, scale)
    if prior is not None:
        part = np.float32((1 - mixture.share) * chosen.scale)
        head = LinearHead(head.weights + part * prior.weights, head.bias + part * prior.bias)
    used = None if prior is None else chosen.scale
    return HeadFit(head, l2, chosen.path, held_out[kept], mixture.share, used)


@dataclass(frozen=True)
class _Solved:
    """The problems with the prior multiplied by ``scale``, solved along the path: the best solution."""

    scale: float
    problems: LogisticProblems
    path: tuple[PathPoint, ...]
    coefficients: FloatArray
    held_out: FloatArray

    @property
    def point(self) -> PathPoint:
        return min(self.path, key=lambda point: point.log_loss)


def _held_out_discriminant(problems: LogisticProblems, classes: int, fold: IntArray) -> FloatArray:
    """Return logits (N, K) of discriminants of the folds, each on the rows that it did not see."""
    logits = np.empty((len(fold), classes), np.float32)
    for f in range(problems.weights.shape[1]):
        coefficients = discriminant(problems.rows, problems.truth, problems.weights[:, f], classes)
        inside = fold == f
        logits[inside] = problems.rows[inside] @ coefficients[:-1] + coefficients[-1]
    return logits


def _measurable(scored: BoolArray, truth: IntArray, fold: IntArray) -> BoolArray:
    """Return the scored rows whose class the other folds know, or all scored rows where there are none."""
    measurable = scored & learnable(truth, fold)
    return measurable if measurable.any() else scored
