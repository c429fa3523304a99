"""Which images to label next: typical ones of clusters, then doubtful ones that are like many others.

While there are few labels a model does not know what it doubts, and typical images of clusters that no label
is near teach it most (Hacohen et al., 2022); with some more, clusters that it hesitates over come first.
Later the images are taken that it hesitates over, the more the more images look like them, and each chosen
one makes its neighbours less urgent, so that no batch is of near-equal images.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from scipy.cluster.vq import kmeans2
from threadpoolctl import threadpool_limits

from eyebright.auditing.neighbours import blocks, unit
from eyebright.few_labels.soft_labels import ImageSpace
from eyebright.training.cache.store import Rows
from eyebright.types import FloatArray, IntArray

Reason: TypeAlias = Literal["typical", "doubtful"]

#: From so many labels a class on, on average, doubt tells more than clusters do.
FEW_LABELS = 5
# From so many on it tells which clusters come first.
_SOME_LABELS = 3
_NEAR = 20  # images by which it is told how typical or how dense the place of one is
_MOST_CLUSTERS = 500
_WIDTH = 32  # directions that clusters are looked for in
_CLUSTERING_ROWS = 10_000
_ROUNDS = 20
# Images so alike count as one: cosines from here on make a chosen one's neighbour less urgent.
_ALIKE = 0.5
_LEAST = 1e-6


@dataclass(frozen=True)
class ImageChoice:
    """An image to label.

    Attributes:
        place: its number among the unlabelled ones.
        reason: why.
        score: how urgent, from 0 to 1; the first of a batch is the most urgent.
        alike: unlabelled images that it stands for: those of its cluster, or those that are nearest to it.
        first, second: the classes between which the model hesitates.
        probability: of the first one.
    """

    place: int
    reason: Reason
    score: float
    alike: int
    first: int
    second: int
    probability: float


def choose(
    labelled: Rows, truth: IntArray, unlabelled: Rows, probabilities: FloatArray, count: int, seed: int
) -> list[ImageChoice]:
    """Return up to ``count`` images to label, the most urgent first.

    Args:
        labelled: (n, D) features of the labelled images.
        truth: (n,) their classes.
        unlabelled: (U, D) features of those to choose from.
        probabilities: (U, K) that the model gives.
        count: how many at most.
        seed: of the clusters.
    """
    space = ImageSpace.fit(np.concatenate([labelled, unlabelled]), seed)
    taught, free = space.whitened[: len(labelled)], space.whitened[len(labelled) :]
    known, count = len(truth) / probabilities.shape[1], min(count, len(free))
    doubt = _doubt(probabilities)
    with threadpool_limits(1, user_api="blas"):  # several wait for each other where much else is running
        if known >= FEW_LABELS:
            return _doubtful(free, doubt, probabilities, count)
        mass = doubt if known >= _SOME_LABELS else np.ones_like(doubt)
        return _typical(taught, free, mass, probabilities, count, seed)


def _doubt(probabilities: FloatArray) -> FloatArray:
    """Return (U,) how little the likeliest class is ahead of the second one, from 0 to 1."""
    top = np.sort(probabilities, axis=1)
    return np.asarray(1 - (top[:, -1] - top[:, -2]), np.float32)


def _typical(
    taught: FloatArray,
    free: FloatArray,
    mass: FloatArray,
    probabilities: FloatArray,
    count: int,
    seed: int,
) -> list[ImageChoice]:
    """Return the most typical image of the clusters with the most mass for each label in them.

    Args:
        taught: (n, W) labelled images, of unit length.
        free: (U, W) the others.
        mass: (U,) what each counts in its cluster.
        probabilities: (U, K).
        count: how many, at most U.
        seed: of the clusters.
    """
    everything = np.concatenate([taught, free])
    clusters = _clusters(everything[:, :_WIDTH], min(len(taught) + count, _MOST_CLUSTERS), seed)
    labels = np.bincount(clusters[: len(taught)], minlength=clusters.max() + 1)
    ours = clusters[len(taught) :]
    sizes = np.bincount(ours, minlength=clusters.max() + 1)
    value = np.bincount(ours, mass, minlength=clusters.max() + 1)
    typical = _density(free, ours) * (1 + mass)
    left = [list(places) for places in _by_urgency(ours, typical, len(sizes))]
    found: list[ImageChoice] = []
    while len(found) < count:
        open_ones = [cluster for cluster, places in enumerate(left) if places]
        cluster = max(open_ones, key=lambda one: float(value[one]) / (1 + int(labels[one])))
        score = float(value[cluster]) / (1 + int(labels[cluster])) / max(float(value.max()), _LEAST)
        found.append(_choice(left[cluster].pop(0), "typical", score, int(sizes[cluster]), probabilities))
        labels[cluster] += 1
    return found


def _by_urgency(clusters: IntArray, typical: FloatArray, count: int) -> Sequence[Sequence[int]]:
    """Return the places in each of so many clusters, the most typical first."""
    order = np.argsort(-typical, kind="stable")
    return [order[clusters[order] == number].tolist() for number in range(count)]


def _doubtful(
    free: FloatArray, doubt: FloatArray, probabilities: FloatArray, count: int
) -> list[ImageChoice]:
    """Return images that the model hesitates over and that are like many, none like one that was chosen.

    Args:
        free: (U, W) of unit length.
        doubt: (U,) of the model.
        probabilities: (U, K).
        count: how many, at most U.
    """
    density = _density(free, None)
    density = (density - density.min()) / max(float(np.ptp(density)), _LEAST)
    value = doubt * (0.5 + 0.5 * density)
    urgency = value.copy()
    found: list[ImageChoice] = []
    for _ in range(count):
        place = int(np.argmax(urgency))
        similar = free @ free[place]
        alike = int(np.count_nonzero(similar >= _ALIKE))
        found.append(_choice(place, "doubtful", float(value[place]), alike, probabilities))
        urgency *= 1 - np.clip((similar - _ALIKE) / (1 - _ALIKE), 0, 1)
        urgency[place] = -1
    return found


def _choice(place: int, reason: Reason, score: float, alike: int, probabilities: FloatArray) -> ImageChoice:
    second, first = np.argsort(probabilities[place], kind="stable")[-2:]
    return ImageChoice(
        place, reason, score, alike, int(first), int(second), float(probabilities[place, first])
    )


def _clusters(rows: FloatArray, count: int, seed: int) -> IntArray:
    """Return the cluster (N,) of each row (N, R), by k-means on at most so many of them."""
    rows = unit(rows)
    drawn = np.sort(np.random.default_rng(seed).permutation(len(rows))[:_CLUSTERING_ROWS])
    some = rows[drawn].astype(np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a cluster that loses its last image stays where it is
        centres, _ = kmeans2(some, min(count, len(some)), iter=_ROUNDS, minit="++", rng=seed)
    middle = unit(centres.astype(np.float32))
    return np.concatenate(
        [(rows[block] @ middle.T).argmax(axis=1) for block in blocks(len(rows), len(middle))]
    ).astype(np.int64)


def _density(units: FloatArray, clusters: IntArray | None) -> FloatArray:
    """Return (N,) the mean cosine of each row to its nearest others, those of its cluster where given."""
    found = np.zeros(len(units), np.float32)
    groups: Sequence[IntArray] = [np.arange(len(units))]
    if clusters is not None:
        groups = [np.flatnonzero(clusters == number) for number in np.unique(clusters)]
    for places in groups:
        rows = units[places]
        near = min(_NEAR, len(rows) - 1)
        if near < 1:
            continue
        for block in blocks(len(rows), len(rows)):
            similar = rows[block] @ rows.T
            own = np.arange(block.start, block.stop)
            similar[own - block.start, own] = -np.inf
            found[places[block]] = np.partition(similar, -near, axis=1)[:, -near:].mean(axis=1)
    return found
