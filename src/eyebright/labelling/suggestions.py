"""What the labels so far say about the other images: by a head on features, and by labels of neighbours.

Both are solved anew within a fraction of a second. Where few images are labelled the neighbours know more,
where many are the head does; their geometric mean is better than either, if the neighbours count less the
more is labelled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock

import numpy as np
from threadpoolctl import threadpool_limits

from eyebright.few_labels.spreading import neighbour_graph, spread
from eyebright.labelling.features import Features
from eyebright.labelling.kernel_head import kernel_probabilities
from eyebright.types import FloatArray, IntArray

_KEPT, _ROUNDS = 0.8, 50  # share that an image takes from its neighbours, and how often
_FLOOR = 0.02  # of a class that no neighbour has
_EQUAL = 100  # with so many labels the neighbours count as much as the head
_MOST_ROWS = 1500
_REFIT = 0.02  # with so many more labels, as a share, the head is solved again
_LEAST = 1e-6


@dataclass(frozen=True)
class Suggestions:
    """How likely each class is for each image.

    Attributes:
        classes: K.
        probabilities: (N, K) in the order of the features' images.
    """

    classes: tuple[str, ...]
    probabilities: FloatArray


@dataclass(frozen=True)
class _Head:
    """What a head says that was solved on some labels."""

    labels: int
    classes: tuple[str, ...]
    probabilities: FloatArray


class Suggester:
    """Suggests classes for the images of a project; safe to use from several threads.

    Args:
        features: of the images.
    """

    def __init__(self, features: Features) -> None:
        self.features = features
        self._places = {sha: place for place, sha in enumerate(features.shas)}
        self._graph = neighbour_graph(features.units)
        self._head: _Head | None = None
        self._lock = Lock()

    def suggest(self, labels: Mapping[str, str]) -> Suggestions | None:
        """Return suggestions for all images; None while the labels have fewer than two classes.

        Args:
            labels: by the images' hashes.
        """
        known = {sha: label for sha, label in labels.items() if sha in self._places}
        classes = tuple(sorted(set(known.values())))
        if len(classes) < 2:
            return None
        places = np.array([self._places[sha] for sha in known], np.int64)
        truth = np.array([classes.index(label) for label in known.values()], np.int64)
        # On one thread: beside a training, several would wait for each other, spinning, for seconds.
        with self._lock, threadpool_limits(1, user_api="blas"):
            head = self._solved(places, truth, classes)
            spread = self._spread(places, truth, len(classes))
        joint = np.maximum(head.probabilities, _LEAST) * spread ** min(1, _EQUAL / len(places))
        return Suggestions(classes, np.asarray(joint / joint.sum(axis=1, keepdims=True), np.float32))

    def _solved(self, places: IntArray, truth: IntArray, classes: tuple[str, ...]) -> _Head:
        """Return the head of the labels, or one of nearly as many."""
        head = self._head
        known = head.labels if head is not None and head.classes == classes else 0
        if head is not None and known <= len(places) < known * (1 + _REFIT) + 1 and known:
            return head
        drawn = np.sort(np.random.default_rng(0).permutation(len(places))[:_MOST_ROWS])
        found = kernel_probabilities(self.features.rows, places[drawn], truth[drawn], len(classes))
        self._head = _Head(len(places), classes, found)
        return self._head

    def _spread(self, places: IntArray, truth: IntArray, classes: int) -> FloatArray:
        """Return labels spread along the neighbours, as shares (N, K)."""
        given = np.zeros((len(self.features.shas), classes), np.float32)
        given[places, truth] = 1
        return spread(self._graph, given, kept=_KEPT, rounds=_ROUNDS, floor=_FLOOR)
