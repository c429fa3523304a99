"""The OOD score of an image: by its features, or by logits that are all low, whichever is more unusual.

Standardised features of the training images vary most along a few directions; what an image has outside of
them (the residual of principal components) separates out-of-distribution images. A network that has learned
its classes is confident about those, too: a textile model's probabilities were higher for clothes than for
textile, while the residual separated the two without an error. What it does not detect is a class of the same
kind that was never shown, which looks as all others do; there the energy of the logits does (Liu et al.,
2020). What else was compared is in docs/benchmarks.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import eigh
from scipy.special import logsumexp
from threadpoolctl import threadpool_limits

from eyebright.runtime.parallel import parallel
from eyebright.training.linear_probe.pca import standardise
from eyebright.types import BoolArray, FloatArray, IntArray

#: Rows that the directions are fitted to, at most.
MOST_ROWS = 1000
_DIRECTIONS = 32
_ROWS_A_DIRECTION = 4
_INTEGERS = 127
_TINY = 1e-6  # of the rows' mean square norm, which is 1


@dataclass(frozen=True)
class Residual:
    """How far features lie outside of the R directions that training images vary along.

    Attributes:
        mean, scale: (D,) standardise the features.
        directions: (D, R) int8; times ``step`` they are columns of length 1, at right angles.
        step: (R,).
    """

    mean: FloatArray
    scale: FloatArray
    directions: npt.NDArray[np.int8]
    step: FloatArray

    def lengths(self, features: npt.NDArray[np.floating]) -> FloatArray:
        """Return square lengths (N,) of features (N, D) outside of the directions."""
        rows = (features.astype(np.float32, copy=False) - self.mean) * self.scale
        along = rows @ self.directions.astype(np.float32) * self.step
        found: FloatArray = np.maximum(np.square(rows).sum(axis=1) - np.square(along).sum(axis=1), 0)
        return found


@dataclass(frozen=True)
class Scale:
    """A scale on which the usual image has 0, and all but an agreed share of images at most 1."""

    middle: float
    span: float

    @classmethod
    def fit(cls, values: FloatArray, share: float) -> Scale:
        """Return the scale by values (n,), at least one, of images that were not learned from.

        Args:
            values: the larger, the more unusual.
            share: of them that may have more than 1.
        """
        place = min(math.ceil((len(values) + 1) * (1 - share) - 1e-9), len(values))
        middle = float(np.median(values))
        span = float(np.sort(values)[max(place, 1) - 1]) - middle
        return cls(middle, max(span, _TINY * max(abs(middle), 1.0)))

    def of(self, values: FloatArray) -> FloatArray:
        """Return values (n,) on this scale."""
        return np.asarray((values - self.middle) / self.span, np.float32)


@dataclass(frozen=True)
class UnknownScore:
    """The constants of the score: the more unusual of residual and energy, each on its own scale.

    Attributes:
        residual: of the features.
        residual_scale: of its lengths.
        energy_scale: of the energy; None where logits have none to tell, then the residual alone counts.
    """

    residual: Residual
    residual_scale: Scale
    energy_scale: Scale | None

    def scores(self, features: npt.NDArray[np.floating], logits: FloatArray) -> FloatArray:
        """Return scores (N,) of features (N, D) and logits (N, K): 0 is usual, above 1 unusual."""
        found = self.residual_scale.of(self.residual.lengths(features))
        if self.energy_scale is not None:
            found = np.maximum(found, self.energy_scale.of(energy(logits)))
        return found


def energy(logits: FloatArray) -> FloatArray:
    """Return the energy (N,) of logits (N, K), minus their log-sum-exp: high where all of them are low."""
    return np.asarray(-logsumexp(logits, axis=1), np.float32)


def fit_residual(features: npt.NDArray[np.floating]) -> Residual:
    """Fit the directions to features (N, D) of training images; more than :data:`MOST_ROWS` gain little."""
    rows, mean, scale = standardise(features)
    basis = _widest(rows)
    step = np.maximum(np.abs(basis).max(axis=0), _TINY) / np.float32(_INTEGERS)
    return Residual(mean, scale, np.round(basis / step).astype(np.int8), step)


def fit_unknown(
    residual: Residual, held_out: FloatArray, held_out_energy: FloatArray | None, false_rejection: float
) -> UnknownScore:
    """Fit the score; all but ``false_rejection`` of the model's own images will have at most 1.

    Args:
        residual: of training images.
        held_out: (n,) lengths of some that another fit did not see.
        held_out_energy: (m,) of images that the head did not learn from; None leaves the energy out.
        false_rejection: is shared by the two, since each rejects images of its own.
    """
    share = false_rejection if held_out_energy is None else false_rejection / 2
    return UnknownScore(
        residual,
        Scale.fit(held_out, share),
        None if held_out_energy is None else Scale.fit(held_out_energy, share),
    )


def fit_and_hold_out(
    features: npt.NDArray[np.floating], folds: IntArray, measured: Iterable[int]
) -> tuple[Residual, FloatArray]:
    """Return a fit to all rows, and square lengths of those of some folds, by fits to the rows of all others.

    Args:
        features: (N, D) of training images.
        folds: (N,) fold numbers.
        measured: the folds whose rows are measured.
    """

    def fitted(held_out: BoolArray) -> tuple[Residual, FloatArray]:
        residual = fit_residual(features[~held_out])
        return residual, residual.lengths(features[held_out])

    some = [folds == fold for fold in measured if (folds == fold).any() and (folds != fold).any()]
    # Each on one thread: those of several folds would wait for each other, spinning; under load, for seconds.
    with threadpool_limits(1, user_api="blas"):
        (whole, nothing), *found = parallel(fitted, [np.zeros(len(features), bool), *some])
    return whole, np.concatenate([nothing, *(lengths for _, lengths in found)])


def _widest(rows: FloatArray) -> FloatArray:
    """Return the directions (D, R) in which rows (N, D) around 0 vary most, by the smaller Gram matrix."""
    count, width = rows.shape
    wanted = max(1, min(_DIRECTIONS, count // _ROWS_A_DIRECTION, width))
    tall = count > width
    gram = (rows.T @ rows if tall else rows @ rows.T).astype(np.float64)
    last = len(gram) - 1
    moments, vectors = eigh(gram, subset_by_index=(last - wanted + 1, last), overwrite_a=True)
    if tall:
        return np.asarray(vectors, np.float32)
    lengths = np.sqrt(np.maximum(moments, _TINY**2))
    return np.asarray(rows.T @ (vectors / lengths).astype(np.float32), np.float32)
