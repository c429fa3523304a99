"""Unlabelled images of something else altogether: clusters that hold many images and no labelled one.

The unknown score of a few dozen labelled images knows too little to reject foreign ones. The unlabelled
images themselves know more: foreign ones lie together. If thirty labels are drawn like the other images, none
of them falls into a cluster that holds three in ten with a probability of 2 in 100,000. Where classes are
balanced by hand, labels are not drawn like the others. So a cluster is left out only if, besides, its images
are less like any labelled image than labelled ones are like each other.
"""

from __future__ import annotations

import warnings

import numpy as np
from threadpoolctl import threadpool_limits

from eyebright.evaluation.intervals import Float64Array
from eyebright.few_labels.soft_labels import ImageSpace
from eyebright.types import BoolArray, FloatArray, IntArray

# The first directions, in which the images of two worlds differ most.
_DIRECTIONS = 8
_CLUSTERS = (2, 4, 8)
_ROUNDS = 20
# The chance that no label falls into a cluster by which it is left out.
_CHANCE = 1e-3
# Of the labelled images, those least like the others: so many may be as far away as what is left out.
_REMOTE = 0.1


def foreign(space: ImageSpace, labelled: int, seed: int) -> BoolArray:
    """Return (U,) which unlabelled images are foreign to the labelled ones.

    Args:
        space: of N images, the labelled ones first and then the U unlabelled ones.
        labelled: how many those are.
        seed: of the clusters.
    """
    found = np.zeros(len(space.rows) - labelled, bool)
    if labelled < 2:
        return found
    rows = space.rows[:, :_DIRECTIONS].astype(np.float64)
    with threadpool_limits(1, user_api="blas"):
        likeness, usual = _likeness(space.whitened, labelled)
        for count in _CLUSTERS:
            if count > len(rows):
                break
            clusters = _clusters(rows, count, seed)
            for cluster in set(range(count)) - set(clusters[:labelled].tolist()):
                own = clusters[labelled:] == cluster
                chance = (1 - own.mean()) ** labelled
                if chance < _CHANCE and np.median(likeness[own]) < usual:
                    found |= own
    return found


def _likeness(whitened: FloatArray, labelled: int) -> tuple[FloatArray, float]:
    """Return the cosine (U,) of each unlabelled image to its nearest labelled one, and what is usual."""
    known = whitened[:labelled]
    among = known @ known.T
    np.fill_diagonal(among, -1)
    nearest: FloatArray = (whitened[labelled:] @ known.T).max(axis=1)
    return nearest, float(np.quantile(among.max(axis=1), _REMOTE))


def _clusters(rows: Float64Array, count: int, seed: int) -> IntArray:
    from scipy.cluster.vq import kmeans2  # takes 50 ms to import, which every training would wait for

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a cluster that loses its last image stays where it is
        return np.asarray(kmeans2(rows, count, iter=_ROUNDS, minit="++", rng=seed)[1], np.int64)
