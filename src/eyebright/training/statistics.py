"""Sums over features that are all a closed-form head needs, however many images there are.

They add up: of chunks, of folds, of machines. Memory is D² + K·D numbers and does not grow with the images.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from eyebright.errors import DataError, NotFoundError
from eyebright.runtime.atomic import atomic_path
from eyebright.types import FloatArray, IntArray

Float64Array: TypeAlias = npt.NDArray[np.float64]

# Large enough for a fast product, small enough that float32 sums over it stay exact to about 1e-6.
_BLOCK_ROWS = 16_384


@dataclass
class FeatureStatistics:
    """Additive statistics of N labelled feature rows of D numbers in K classes.

    The Gram matrix is kept around the mean: XᵀX of features far from 0 loses in rounding what tells the
    classes apart, the scatter does not, and scatters of parts combine exactly (Chan, Golub and LeVeque 1979).

    Attributes:
        mean: (D,) of all rows.
        scatter: (D, D), XᵀX of the rows less their mean.
        class_counts: (K,) rows of each class.
        class_sums: (K, D) sums of each class's rows.
    """

    mean: Float64Array
    scatter: Float64Array
    class_counts: IntArray
    class_sums: Float64Array

    @classmethod
    def empty(cls, features: int, classes: int) -> FeatureStatistics:
        """Statistics of no rows of ``features`` numbers in ``classes`` classes."""
        return cls(
            mean=np.zeros(features),
            scatter=np.zeros((features, features)),
            class_counts=np.zeros(classes, np.int64),
            class_sums=np.zeros((classes, features)),
        )

    @property
    def count(self) -> int:
        """N, the number of rows."""
        return int(self.class_counts.sum())

    @property
    def gram(self) -> Float64Array:
        """(D, D), XᵀX of the rows as they are."""
        return self.scatter + self.count * np.outer(self.mean, self.mean)

    def add(self, x: npt.NDArray[np.floating], y: IntArray) -> None:
        """Takes in rows ``x`` (n, D), float16 or float32, of classes ``y`` (n,).

        Raises:
            DataError: shapes that do not fit, a class number outside 0 to K - 1, or a feature that is NaN.
        """
        self._check(x, y)
        for start in range(0, len(x), _BLOCK_ROWS):
            self._add_block(x[start : start + _BLOCK_ROWS], y[start : start + _BLOCK_ROWS])

    def __add__(self, other: FeatureStatistics) -> FeatureStatistics:
        """Statistics of both parts' rows; neither part is changed."""
        if self.class_sums.shape != other.class_sums.shape:
            raise DataError(
                "Statistics that are added must have the same classes and features. "
                "One part has {first}, the other {second} (classes, features). "
                "Use the same labels and backbone for every part.",
                first=self.class_sums.shape,
                second=other.class_sums.shape,
            )
        whole = FeatureStatistics(
            self.mean.copy(), self.scatter.copy(), self.class_counts.copy(), self.class_sums.copy()
        )
        whole._combine(other.mean, other.scatter, other.class_counts, other.class_sums)
        return whole

    def save(self, path: Path) -> None:
        """Writes an .npz file, whole or not at all."""
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.savez(
                file,
                mean=self.mean,
                scatter=self.scatter,
                class_counts=self.class_counts,
                class_sums=self.class_sums,
            )

    @classmethod
    def load(cls, path: Path) -> FeatureStatistics:
        """Reads what :meth:`save` wrote; nothing in it is ever unpickled.

        Raises:
            NotFoundError: there is no such file.
            DataError: the file is not one that :meth:`save` wrote.
        """
        try:
            with np.load(path, allow_pickle=False) as arrays:
                names = ("mean", "scatter", "class_counts", "class_sums")
                loaded = cls(*(arrays[name] for name in names))
        except FileNotFoundError as error:
            raise NotFoundError(
                "A file of feature statistics must exist. {path} does not. Check the path.", path=path
            ) from error
        except (ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
            raise _not_ours(path) from error
        classes, features = loaded.class_sums.shape if loaded.class_sums.ndim == 2 else (-1, -1)
        shapes = [a.shape for a in (loaded.mean, loaded.scatter, loaded.class_counts)]
        if shapes != [(features,), (features, features), (classes,)]:
            raise _not_ours(path)
        return loaded

    def _check(self, x: npt.NDArray[np.floating], y: IntArray) -> None:
        classes, features = self.class_sums.shape
        if x.ndim != 2 or x.shape != (len(y), features):
            raise DataError(
                "Features must be rows of {features} numbers, one row for each label. "
                "Got an array of shape {shape} for {labels} labels. Use the backbone of the first rows.",
                features=features,
                shape=x.shape,
                labels=len(y),
            )
        if len(y) and (y.min() < 0 or y.max() >= classes):
            raise DataError(
                "Class numbers must lie between 0 and {last}. Got {low} to {high}. Check the labels.",
                last=classes - 1,
                low=y.min(),
                high=y.max(),
            )

    def _add_block(self, x: npt.NDArray[np.floating], y: IntArray) -> None:
        rows = x.astype(np.float32)
        mean = rows.mean(axis=0, dtype=np.float64)
        if not np.isfinite(mean).all():
            raise DataError(
                "Features must be finite numbers. Some are NaN or infinite. "
                "Compute them again, in float32 if they overflow."
            )
        # The rounded mean serves as centre: what it is off by counts squared, far below float32.
        centre = mean.astype(np.float32)
        rows -= centre
        members = csr_array(
            (np.ones(len(y), np.float32), (y, np.arange(len(y)))), shape=(len(self.class_counts), len(y))
        )
        counts = np.bincount(y, minlength=len(self.class_counts))
        sums = (members @ rows).astype(np.float64) + np.outer(counts, centre.astype(np.float64))
        self._combine(mean, _scatter(rows), counts, sums)

    def _combine(
        self, mean: Float64Array, scatter: npt.NDArray[np.floating], counts: IntArray, sums: Float64Array
    ) -> None:
        before, added = self.count, int(counts.sum())
        if not added:
            return
        step = mean - self.mean
        self.scatter += scatter
        if before:
            self.scatter += np.outer(step * (before * added / (before + added)), step)
        self.mean = self.mean + step * (added / (before + added))
        self.class_counts += counts
        self.class_sums += sums


def _scatter(rows: FloatArray) -> FloatArray:
    """XᵀX; BLAS computes but one triangle of a matrix times its own transpose."""
    product: FloatArray = rows.T @ rows
    return product


def _not_ours(path: Path) -> DataError:
    return DataError(
        "A file of feature statistics must be one that Eyebright wrote. {path} is not, or is damaged. "
        "Compute the statistics again.",
        path=path,
    )
