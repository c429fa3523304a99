"""Features as rows that a linear head is easily solved on: standardised, in their principal directions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import eigh

from eyebright.errors import DataError
from eyebright.training.linear_probe.linear import LinearHead
from eyebright.types import FloatArray

# Of the smaller Gram matrix, up to which its eigenvectors cost less than the range finder: at 1,786 rows of
# 12,592 features 1.1 s of one core, and 3.9 s.
_EXACT_SIDE = 2500
_WHOLE_RANK = 1500
_RANK = 1200
_CHUNK_ROWS = 32  # they stay in the processor's cache
_SMALLEST_DEVIATION = 0.3  # of the median column: a channel that was all but dead in training can jump later


def standardise(features: npt.NDArray[np.floating]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return rows (N, D) of mean square norm 1, with the mean and the scale (D,) that standardise features.

    One float32 copy, worked on in place; columns that do not vary get the scale 0.
    """
    rows: FloatArray = np.empty(features.shape, np.float32)
    chunks = [slice(first, first + _CHUNK_ROWS) for first in range(0, len(rows), _CHUNK_ROWS)]
    # About some rows' mean, so that sums of squares lose nothing to one that is large.
    about = features[chunks[0]].mean(axis=0, dtype=np.float32)
    total, squares = np.zeros(rows.shape[1]), np.zeros(rows.shape[1])
    with np.errstate(invalid="ignore"):  # what is not finite is told below
        for chunk in chunks:
            part = np.subtract(features[chunk], about, out=rows[chunk], dtype=np.float32)
            total += part.sum(axis=0)
            squares += np.square(part).sum(axis=0)
    off = total / len(rows)
    mean = (about + off).astype(np.float32)
    if not np.isfinite(mean).all():
        raise DataError(
            "Features must be finite. Got NaN or infinity in {count} of {total:column|columns}. Use "
            "another engine or another backbone.",
            count=int((~np.isfinite(mean)).sum()),
            total=len(mean),
        )
    deviation = np.sqrt(np.maximum(squares / len(rows) - off**2, 0))
    varies = deviation > 1e-6 * np.abs(mean)
    if varies.any():
        deviation = np.maximum(deviation, _SMALLEST_DEVIATION * np.median(deviation[varies]))
    scale = np.where(varies, 1 / np.where(varies, deviation, 1), 0) / np.sqrt(max(1, varies.sum()))
    factor, middle = scale.astype(np.float32), off.astype(np.float32)
    for chunk in chunks:
        rows[chunk] -= middle
        rows[chunk] *= factor
    return rows, mean, factor


def unchanged(features: npt.NDArray[np.floating]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return standardised features (N, D) as they are, with the mean 0 and the scale 1."""
    width = features.shape[1]
    return np.array(features, np.float32), np.zeros(width, np.float32), np.ones(width, np.float32)


@dataclass(frozen=True)
class Directions:
    """R orthonormal directions in the space of features, as a product that is rarely worth computing.

    Attributes:
        left: (D, M): M rows, of which the directions are mixed.
        right: (M, R).
    """

    left: FloatArray
    right: FloatArray

    @property
    def basis(self) -> FloatArray:
        """Return them as columns (D, R)."""
        return self.left @ self.right

    def spanned(self, coefficients: FloatArray) -> FloatArray:
        """Return vectors (D, K) from their coefficients (R, K), without the basis where they are few."""
        return self.left @ (self.right @ coefficients)


def principal_directions(rows: FloatArray, rank: int | None, seed: int) -> tuple[FloatArray, Directions]:
    """Return the rows in their leading principal directions (N, R), and these, orthonormal.

    Exact through the smaller Gram matrix where that is small, else by a randomised range finder: the row
    space of a random mix, sharpened by one power step.

    Args:
        rows: (N, D), standardised.
        rank: R; None for all directions of up to 1,500, else 1,200.
        seed: of the random mix.
    """
    count, width = rows.shape
    exact = min(count, width) <= (_EXACT_SIDE if count <= width else _WHOLE_RANK) and rank is None
    if exact and count <= width:
        gram = rows @ rows.T
        # Only all directions need float64: of the leading ones the least varies far above float32's rounding.
        # All are computed then, too: to a part of them LAPACK takes another way, and 2.4 times as long.
        if count > _WHOLE_RANK:
            moments, directions = eigh(gram, driver="evd", overwrite_a=True)
            moments, directions = moments[-_RANK:], directions[:, -_RANK:]
        else:
            moments, directions = np.linalg.eigh(gram.astype(np.float64))
        keep = moments > 1e-6 * moments[-1]
        keep[-1] = True
        spread = np.sqrt(np.maximum(moments[keep], 1e-12))
        mixed = (directions[:, keep] / spread).astype(np.float32)
        # What the product of rows and basis would give.
        return (directions[:, keep] * spread).astype(np.float32), Directions(rows.T, mixed)
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
    return reduced @ turn, Directions(span, turn)


def _orthonormal(columns: FloatArray) -> FloatArray:
    """Return nearly orthonormal columns of the same span, by Cholesky: far faster than QR."""
    gram = (columns.T @ columns).astype(np.float64)
    usual = np.trace(gram) / len(gram)
    # Of columns that nearly depend on each other, the usual shift may be below what float32 rounded.
    for shift in (1e-6, 1e-5, 1e-4, 1e-3):
        gram[np.diag_indices(len(gram))] += shift * usual + 1e-30
        try:
            factor = np.linalg.cholesky(gram).astype(np.float32)
        except np.linalg.LinAlgError:
            continue
        return columns @ np.linalg.inv(factor).T
    raise np.linalg.LinAlgError("no directions can be told apart")


def unstandardised(
    coefficients: FloatArray, directions: Directions, mean: FloatArray, scale: FloatArray
) -> LinearHead:
    """Return the head on raw features from coefficients (R + 1, K) in the principal directions."""
    weights = directions.spanned(coefficients[:-1]).astype(np.float64) * scale[:, None]
    bias = coefficients[-1] - mean.astype(np.float64) @ weights
    return LinearHead(weights.astype(np.float32), bias.astype(np.float32))
