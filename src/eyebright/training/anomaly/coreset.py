"""A coreset: few of many rows, such that every row has one of them near."""

from __future__ import annotations

import numpy as np

from eyebright.types import FloatArray, IntArray

# Distances in a random projection to so many dimensions keep their order (Johnson and Lindenstrauss).
_DIMENSIONS = 64


def greedy_coreset(rows: FloatArray, count: int, seed: int) -> IntArray:
    """Return the places (M,) of rows, each the one that is farthest from those before it.

    This greedy choice is at most twice as far from the worst row as the best choice of M is (Gonzalez 1985).

    Args:
        rows: (N, D).
        count: M, at most N; fewer are returned where no further row differs.
        seed: of the projection.
    """
    random = np.random.default_rng(seed)
    near = rows
    if rows.shape[1] > _DIMENSIONS:
        projection = random.standard_normal((rows.shape[1], _DIMENSIONS)) / np.sqrt(_DIMENSIONS)
        near = rows @ projection.astype(np.float32)
    squares = np.einsum("nd,nd->n", near, near)
    # The first is the one nearest to the middle: the result then hangs on no row's place.
    first = int(np.square(near - near.mean(axis=0)).sum(axis=1).argmin())
    chosen = [first]
    farthest = np.full(len(near), np.inf, np.float32)
    while len(chosen) < min(count, len(rows)):
        last = chosen[-1]
        distance = squares - 2 * (near @ near[last]) + squares[last]
        np.minimum(farthest, distance, out=farthest)
        farthest[last] = 0
        place = int(farthest.argmax())
        if farthest[place] <= 0:
            break
        chosen.append(place)
    return np.array(chosen, np.int64)
