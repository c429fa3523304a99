"""Sums over features that are all a closed-form head needs, however many images there are.

They add up: of chunks, of folds, of machines. Memory is D²/2 + K·D numbers and does not grow with the images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from eyebright.errors import DataError
from eyebright.types import FloatArray, IntArray

Float64Array: TypeAlias = npt.NDArray[np.float64]
Real = TypeVar("Real", np.float32, np.float64)

# Large enough for a fast product, small enough that float32 sums over it stay exact to about 1e-6.
_BLOCK_ROWS = 16_384
_BAND_ROWS = 64


@dataclass
class FeatureStatistics:
    """Additive statistics of N labelled feature rows of D numbers in K classes.

    The Gram matrix is kept around the mean: XᵀX of features far from 0 loses in rounding what tells the
    classes apart, the scatter does not, and scatters of parts combine exactly (Chan, Golub and LeVeque 1979).

    Attributes:
        mean: (D,) of all rows.
        triangle: (D (D + 1) / 2,) the upper triangle, row by row, of the scatter: XᵀX of the rows less their
            mean. The other half is the same.
        class_counts: (K,) rows of each class, or the sum of their weights.
        class_sums: (K, D) weighted sums of each class's rows.
    """

    mean: Float64Array
    triangle: Float64Array
    class_counts: Float64Array
    class_sums: Float64Array

    @classmethod
    def empty(cls, features: int, classes: int) -> FeatureStatistics:
        """Return statistics of no rows of ``features`` numbers in ``classes`` classes."""
        return cls(
            mean=np.zeros(features),
            triangle=np.zeros(features * (features + 1) // 2),
            class_counts=np.zeros(classes),
            class_sums=np.zeros((classes, features)),
        )

    @property
    def count(self) -> float:
        """Return N, the number of rows, or the sum of their weights."""
        return float(self.class_counts.sum())

    @property
    def scatter(self) -> Float64Array:
        """Return (D, D), XᵀX of the rows less their mean."""
        return self.scatter_less(np.zeros((0, len(self.mean))), np.float64)

    @property
    def squares(self) -> Float64Array:
        """Return (D,) the scatter's diagonal."""
        return self.triangle[_row_starts(len(self.mean))]

    def scatter_less(self, x: Float64Array, dtype: type[Real]) -> npt.NDArray[Real]:
        """Return the scatter (D, D) less XᵀX of a few rows ``x`` (n, D), rounded to ``dtype`` at the end."""
        size = len(self.mean)
        out = np.empty((size, size), dtype)
        starts = _row_starts(size)
        for top in range(0, size, _BAND_ROWS):
            end = min(top + _BAND_ROWS, size)
            band = x[:, top:end].T @ x[:, top:]
            for row in range(top, end):
                own = self.triangle[starts[row] : starts[row] + size - row]
                out[row, row:] = own - band[row - top, row - top :]
            out[top:end, top:end] = np.triu(out[top:end, top:end]) + np.triu(out[top:end, top:end], 1).T
            out[end:, top:end] = out[top:end, end:].T
        return out

    @property
    def gram(self) -> Float64Array:
        """Return (D, D), XᵀX of the rows as they are."""
        return self.scatter + self.count * np.outer(self.mean, self.mean)

    def add(self, x: npt.NDArray[np.floating], y: IntArray, weights: FloatArray | None = None) -> None:
        """Take in rows ``x`` (n, D), float16 or float32, of classes ``y`` (n,).

        Args:
            x: the rows.
            y: their classes.
            weights: (n,) of the rows, 1 in the mean over all of them; None counts each once.

        Raises:
            DataError: shapes that do not fit, a class number outside 0 to K - 1, or a feature that is NaN.
        """
        self._check(x, y)
        for start in range(0, len(x), _BLOCK_ROWS):
            block = slice(start, start + _BLOCK_ROWS)
            self._add_block(x[block], y[block], None if weights is None else weights[block])

    def to_bytes(self) -> bytes:
        """Return all numbers, as :meth:`from_bytes` takes them."""
        return b"".join(part.astype("<f8").tobytes() for part in self._arrays())

    @classmethod
    def from_bytes(cls, data: bytes, features: int, classes: int) -> FeatureStatistics:
        """Return the statistics that :meth:`to_bytes` wrote.

        Raises:
            ValueError: they have other shapes.
        """
        found = cls.empty(features, classes)
        parts = found._arrays()
        numbers = np.frombuffer(data, "<f8")
        ends = np.cumsum([part.size for part in parts])
        if numbers.size != ends[-1]:
            raise ValueError(f"{numbers.size} numbers, not {ends[-1]}")
        for part, end in zip(parts, ends, strict=True):
            part[...] = numbers[end - part.size : end].reshape(part.shape)
        return found

    def _arrays(self) -> tuple[Float64Array, ...]:
        return self.mean, self.class_counts, self.class_sums, self.triangle

    def __add__(self, other: FeatureStatistics) -> FeatureStatistics:
        """Return statistics of the rows of both; neither is changed."""
        whole = FeatureStatistics(
            self.mean.copy(), self.triangle.copy(), self.class_counts.copy(), self.class_sums.copy()
        )
        whole += other
        return whole

    def __iadd__(self, other: FeatureStatistics) -> FeatureStatistics:
        """Take in the rows of the other, which is not changed.

        Raises:
            DataError: it has other classes or features.
        """
        if self.class_sums.shape != other.class_sums.shape:
            raise DataError(
                "Statistics can be added only if their classes and features match. One has {first}, "
                "the other {second} (classes, features). Use the same labels and backbone for all of "
                "them.",
                first=self.class_sums.shape,
                second=other.class_sums.shape,
            )
        self.triangle += other.triangle
        self._combine(other.mean, other.class_counts, other.class_sums)
        return self

    def _check(self, x: npt.NDArray[np.floating], y: IntArray) -> None:
        classes, features = self.class_sums.shape
        if x.ndim != 2 or x.shape != (len(y), features):
            raise DataError(
                "Features must be an array with {features} columns and one row per label. Got shape "
                "{shape} for {labels:label|labels}. Use the same backbone as for the first rows.",
                features=features,
                shape=x.shape,
                labels=len(y),
            )
        if len(y) and (y.min() < 0 or y.max() >= classes):
            raise DataError(
                "Class indices must be between 0 and {last}. Got {low} to {high}. Check the labels.",
                last=classes - 1,
                low=y.min(),
                high=y.max(),
            )

    def _add_block(self, x: npt.NDArray[np.floating], y: IntArray, weights: FloatArray | None) -> None:
        rows = x.astype(np.float32)
        mean = rows.mean(axis=0, dtype=np.float64)
        if weights is not None:
            mean = weights.astype(np.float64) @ rows / weights.sum(dtype=np.float64)
        if not np.isfinite(mean).all():
            raise DataError(
                "Features must be finite. Some are NaN or infinite. Compute them again, in float32 "
                "if they overflow."
            )
        # The rounded mean serves as centre: what it is off by counts squared, far below float32.
        centre = mean.astype(np.float32)
        rows -= centre
        members = csr_array(
            (np.ones(len(y), np.float32) if weights is None else weights, (y, np.arange(len(y)))),
            shape=(len(self.class_counts), len(y)),
        )
        counts = np.bincount(y, weights, minlength=len(self.class_counts)).astype(np.float64)
        sums = (members @ rows).astype(np.float64) + np.outer(counts, centre.astype(np.float64))
        product = _scatter(rows if weights is None else rows * np.sqrt(weights)[:, None])
        for row, start in enumerate(_row_starts(len(mean))):
            self.triangle[start : start + len(mean) - row] += product[row, row:]
        self._combine(mean, counts, sums)

    def _combine(self, mean: Float64Array, counts: Float64Array, sums: Float64Array) -> None:
        """Take in the other sums of rows whose scatter around their own mean was added already."""
        before, added = self.count, float(counts.sum())
        if not added:
            return
        step = mean - self.mean
        if before:
            weighted = step * (before * added / (before + added))
            for row, start in enumerate(_row_starts(len(mean))):
                self.triangle[start : start + len(mean) - row] += weighted[row] * step[row:]
        self.mean = self.mean + step * (added / (before + added))
        self.class_counts += counts
        self.class_sums += sums


def _row_starts(size: int) -> IntArray:
    """Return (D,) where each row's diagonal element stands in a triangle."""
    rows = np.arange(size)
    starts: IntArray = rows * size - rows * (rows - 1) // 2
    return starts


def _scatter(rows: FloatArray) -> FloatArray:
    """Return XᵀX; BLAS computes but one triangle of a matrix times its own transpose."""
    product: FloatArray = rows.T @ rows
    return product
