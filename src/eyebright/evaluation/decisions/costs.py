"""Costs of errors, and the prediction whose expected cost is least."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eyebright.data.table.delimited import read_delimited
from eyebright.errors import ConfigError, nearest
from eyebright.evaluation.intervals import (
    Float64Array,
    bootstrap_means,
    hull,
    pair,
    percentiles,
    student,
)
from eyebright.types import FloatArray, IntArray, Interval

_MOST = 1e100


@dataclass(frozen=True)
class CostFigures:
    """Mean cost of an image: by the likeliest class, by the least expected cost, and what that saves."""

    likeliest: Interval
    cheapest: Interval
    saved: Interval


def read_costs(path: Path, labels: Sequence[str]) -> Float64Array:
    """Return costs (K, K) of a true class (row) predicted as another (column), in the order of ``labels``.

    Raises:
        NotFoundError: the file does not exist.
        DataError: it is no table.
        ConfigError: it lacks a class or a number.
    """
    read = read_delimited(path)
    header, names = read.header[1:], read.column(0)
    for found in (header, names):
        _check_names(path, found, labels)
    try:
        table = np.array([[read.number(cell) for cell in row[1:]] for row in read.rows])
    except ValueError:
        table = np.full((1, 1), math.nan)
    # Squares of costs must be finite too.
    if table.shape != (len(labels), len(labels)) or not (np.abs(table) < _MOST).all():
        raise ConfigError(
            "A cost table must contain a number for each pair of true and predicted class. {path} "
            "has missing or other cells. Fill in all {count} × {count} cells.",
            path=path,
            count=len(labels),
        )
    order_rows = [names.index(label) for label in labels]
    order_columns = [list(header).index(label) for label in labels]
    return np.asarray(table[order_rows][:, order_columns])


def cheapest(probabilities: FloatArray, costs: Float64Array) -> IntArray:
    """Return the class (N,) whose expected cost is least; of equal ones the most probable, then the first.

    Expected costs within :func:`tolerance` of the least are equal: sums of float32 depend on their order.
    """
    expected = probabilities @ costs.astype(np.float32)
    least = expected.min(axis=1, keepdims=True) + tolerance(costs)
    return np.asarray(np.where(expected <= least, probabilities, -1).argmax(axis=1), np.int64)


def tolerance(costs: Float64Array) -> np.float32:
    """Return by how much equal expected costs may differ: a hundred-thousandth of the largest cost."""
    return np.float32(1e-5 * np.abs(costs).max())


def measure_costs(
    truth: IntArray,
    probabilities: FloatArray,
    costs: Float64Array,
    seed: int,
    groups: IntArray | None = None,
    resamples: int = 1000,
) -> CostFigures:
    """Return mean costs of N images with 95 % intervals: the bootstrap's and Student's, both by group."""
    likeliest = costs[truth, probabilities.argmax(axis=1)]
    least = costs[truth, cheapest(probabilities, costs)]
    columns = np.stack([likeliest, least, likeliest - least], axis=1)
    drawn = bootstrap_means(columns, groups, seed, resamples)
    span = float(costs.max() - costs.min())
    ends = ((costs.min(), costs.max()), (costs.min(), costs.max()), (-span, span))
    return CostFigures(
        *(
            hull(
                float(column.mean()),
                pair(percentiles(draws)),
                student(column, groups),
                bottom=float(bottom),
                top=float(top),
            )
            for column, draws, (bottom, top) in zip(columns.T, drawn.T, ends, strict=True)
        )
    )


def _check_names(path: Path, found: Sequence[str], labels: Sequence[str]) -> None:
    unknown = [name for name in found if name not in labels]
    missing = [label for label in labels if label not in found]
    if unknown:
        raise ConfigError(
            "Rows and columns of the cost table must be classes. {path} contains {label}; the "
            "closest are: {nearest}. Use one of them.",
            path=path,
            label=repr(unknown[0]),
            nearest=nearest(unknown[0], labels),
        )
    if missing or len(found) != len(labels):
        raise ConfigError(
            "A cost table must have exactly one row and one column for each class. Missing or "
            "repeated in {path}: {labels}. Add or remove them.",
            path=path,
            labels=", ".join(missing or [name for name in labels if list(found).count(name) > 1]),
        )
