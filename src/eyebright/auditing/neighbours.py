"""Nearest rows by the cosine of their angle, in blocks: a hundred thousand images need little memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from eyebright.types import FloatArray, IntArray

_BLOCK_BYTES = 64 << 20


def unit(rows: FloatArray) -> FloatArray:
    """Return rows (N, R) of unit length; those that are nearly 0 stay so."""
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6), np.float32)


def blocks(count: int, width: int) -> Iterator[slice]:
    """Yield slices of ``count`` queries whose similarities to ``width`` rows fit in memory."""
    step = max(1, _BLOCK_BYTES // (4 * max(width, 1)))
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))


def near(
    count: int, queries: Callable[[slice], FloatArray], rows: FloatArray, cut: float, most: int
) -> tuple[IntArray, IntArray]:
    """Return the nearest rows of each query: its number and the row's, all of them (P,).

    Args:
        count: Q, the number of queries.
        queries: gives the unit rows (q, R) of a slice of them, or (q, V, R) where each has V views; the
            nearest view counts.
        rows: (N, R), of unit length.
        cut: rows less similar than this are left out.
        most: so many of a query at most.
    """
    found: list[tuple[IntArray, IntArray]] = []
    for block in blocks(count, len(rows)):
        views = queries(block)
        views = views[:, None] if views.ndim == 2 else views
        similar = views[:, 0] @ rows.T
        for number in range(1, views.shape[1]):
            np.maximum(similar, views[:, number] @ rows.T, out=similar)
        kept = similar >= cut
        crowded = np.flatnonzero(np.count_nonzero(kept, axis=1) > most)
        if crowded.size:
            limit = np.partition(similar[crowded], len(rows) - most, axis=1)[:, len(rows) - most]
            kept[crowded] &= similar[crowded] >= limit[:, None]
        query, row = np.nonzero(kept)
        found.append((query + block.start, row))
    if not found:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    return np.concatenate([q for q, _ in found]), np.concatenate([r for _, r in found])
