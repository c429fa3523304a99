"""Nearest rows by the cosine of their angle, in blocks: a hundred thousand images need little memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from eyebright.types import FloatArray, IntArray

_BLOCK_BYTES = 64 << 20
_STRIDE = 64  # rows whose largest similarity stands for them all until the nearest are sought


def unit(rows: FloatArray) -> FloatArray:
    """Return rows (N, R) of unit length; those that are nearly 0 stay so."""
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6), np.float32)


def blocks(count: int, width: int) -> Iterator[slice]:
    """Yield slices of ``count`` queries whose similarities to ``width`` rows fit in memory."""
    step = max(1, _BLOCK_BYTES // (4 * max(width, 1)))
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))


def near(
    count: int, queries: Callable[[slice], FloatArray], rows: Sequence[FloatArray], cut: float, most: int
) -> tuple[IntArray, IntArray]:
    """Return the nearest rows of each query: its number and the row's, all of them (P,).

    Args:
        count: Q, the number of queries.
        queries: gives the unit rows (q, R) of a slice of them, or (q, V, R) where each has V views; the
            nearest view counts.
        rows: of unit length, N in all: arrays (n, R) whose rows are numbered on.
        cut: rows less similar than this are left out.
        most: so many of a query at most, and what is as near as the last of them.
    """
    found: list[tuple[IntArray, IntArray]] = []
    for block in blocks(count, sum(map(len, rows))):
        views = queries(block)
        views = views[:, None] if views.ndim == 2 else views
        similar = _similar(views[:, 0], rows)
        for number in range(1, views.shape[1]):
            np.maximum(similar, _similar(views[:, number], rows), out=similar)
        query, row = _largest(similar, cut, most)
        found.append((query + block.start, row))
    if not found:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    return np.concatenate([q for q, _ in found]), np.concatenate([r for _, r in found])


def _similar(queries: FloatArray, rows: Sequence[FloatArray]) -> FloatArray:
    """Return the cosines (Q, N) of unit queries (Q, R) with arrays of unit rows, side by side."""
    if len(rows) == 1:
        return np.asarray(queries @ rows[0].T, np.float32)
    return np.concatenate([queries @ some.T for some in rows], axis=1)


def _largest(similar: FloatArray, cut: float, most: int) -> tuple[IntArray, IntArray]:
    """Return the places (P,) of the ``most`` largest values in each row of (Q, N), none below ``cut``.

    Each group of columns is stood for by its largest value: the largest values of all lie in the groups whose
    own are largest, so one quick look at each value is enough.
    """
    count = similar.shape[1] // _STRIDE
    if count <= most:
        candidates = np.broadcast_to(np.arange(similar.shape[1]), similar.shape)
        values = similar
    else:
        even = count * _STRIDE
        heads = similar[:, :even].reshape(len(similar), _STRIDE, count).max(axis=1)
        groups = np.argpartition(heads, count - most, axis=1)[:, count - most :]
        inside = (groups[:, :, None] + np.arange(0, even, count)).reshape(len(similar), -1)
        rest = np.broadcast_to(np.arange(even, similar.shape[1]), (len(similar), similar.shape[1] - even))
        candidates = np.concatenate([inside, rest], axis=1)
        values = np.take_along_axis(similar, candidates, axis=1)
    limit = np.full(len(similar), cut, np.float32)
    if values.shape[1] > most:
        place = values.shape[1] - most
        limit = np.maximum(limit, np.partition(values, place, axis=1)[:, place])
    query, place = np.nonzero(values >= limit[:, None])
    return query, candidates[query, place]
