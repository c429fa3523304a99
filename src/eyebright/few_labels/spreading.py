"""Labels spread among images that look alike: a graph of nearest neighbours, and what flows along it."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sparse

from eyebright.auditing.neighbours import blocks
from eyebright.types import FloatArray

_NEIGHBOURS = 10
_CLOSENESS = 0.1  # a neighbour counts e times less for every so much of the cosine
_LEAST = 1e-6


def neighbour_graph(units: FloatArray) -> sparse.csr_matrix:
    """Return the symmetric graph (N, N) of nearest neighbours, normalised so that labels can be spread on it.

    Args:
        units: (N, R) rows of unit length.
    """
    count = len(units)
    near = min(_NEIGHBOURS, count - 1)
    if near < 1:
        return sparse.csr_matrix((count, count), dtype=np.float32)
    rows, columns, weights = [], [], []
    for block in blocks(count, count):
        similar = units[block] @ units.T
        own = np.arange(block.start, block.stop)
        similar[own - block.start, own] = -np.inf
        nearest = np.argpartition(-similar, near - 1, axis=1)[:, :near]
        rows.append(np.repeat(own, near))
        columns.append(nearest.ravel())
        weights.append(np.take_along_axis(similar, nearest, axis=1).ravel())
    weight = np.exp((np.concatenate(weights) - 1) / _CLOSENESS).astype(np.float32)
    graph = sparse.csr_matrix((weight, (np.concatenate(rows), np.concatenate(columns))), shape=(count, count))
    graph = graph.maximum(graph.T)
    scale = sparse.diags(1 / np.sqrt(np.maximum(np.asarray(graph.sum(axis=1)).ravel(), _LEAST)))
    return (scale @ graph @ scale).tocsr().astype(np.float32)


def spread(
    graph: sparse.csr_matrix, given: FloatArray, *, kept: float, rounds: int, floor: float
) -> FloatArray:
    """Return labels spread along the neighbours, as shares (N, K) (Zhou et al., 2004).

    Args:
        graph: of :func:`neighbour_graph`.
        given: (N, K), 1 where an image has a label, else 0.
        kept: share that an image takes from its neighbours in each round.
        rounds: how often.
        floor: share of a class that no neighbour has.
    """
    found = given
    for _ in range(rounds):
        found = kept * (graph @ found) + (1 - kept) * given
    shares = found / np.maximum(found.sum(axis=1, keepdims=True), _LEAST)
    return np.asarray((shares + floor) / (1 + floor * given.shape[1]), np.float32)
