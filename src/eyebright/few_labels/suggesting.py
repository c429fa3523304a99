"""Which images to label next: those near the most doubt that no label is near (Bae et al., 2024).

Every unlabelled image counts as much as the model is in doubt of it, and is covered as far as the nearest
labelled image looks like it. Chosen is, again and again, the image that would cover the most doubt. While
there are few labels all images are in doubt, and typical ones come first; later those that the model
hesitates over. An image near a chosen one covers little more, so that no batch is of near-equal images.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from threadpoolctl import threadpool_limits

from eyebright.auditing.neighbours import blocks
from eyebright.few_labels.soft_labels import ImageSpace
from eyebright.training.cache.store import Rows
from eyebright.types import FloatArray

Reason: TypeAlias = Literal["typical", "doubtful"]

# An image covers another e times less for every so much of the cosine.
_REACH = 0.4
# Cosine from which on images are told to look alike.
_ALIKE = 0.5
_LEAST = 1e-6


@dataclass(frozen=True)
class ImageChoice:
    """An image to label.

    Attributes:
        place: its number among the unlabelled ones.
        reason: why: the model is in more doubt of it than it usually is, or it is typical of others.
        score: how urgent, from 0 to 1; the first of a batch is the most urgent.
        alike: unlabelled images that look like it, itself included.
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
    labelled: Rows, unlabelled: Rows, probabilities: FloatArray, count: int, seed: int
) -> list[ImageChoice]:
    """Return up to ``count`` images to label, the most urgent first.

    Args:
        labelled: (n, D) features of the labelled images.
        unlabelled: (U, D) features of those to choose from.
        probabilities: (U, K) that the model gives.
        count: how many at most.
        seed: of the directions in which images are compared.
    """
    space = ImageSpace.fit(np.concatenate([labelled, unlabelled]), seed)
    taught, free = space.whitened[: len(labelled)], space.whitened[len(labelled) :]
    doubt = _doubt(probabilities)
    with threadpool_limits(1, user_api="blas"):  # several wait for each other where much else is running
        found = _covering(taught, free, doubt, min(count, len(free)))
    usual = doubt.mean()
    highest = max(found[0][1] if found else 0.0, _LEAST)
    choices = []
    for place, gain in found:
        second, first = np.argsort(probabilities[place], kind="stable")[-2:].tolist()
        reason: Reason = "doubtful" if doubt[place] > usual else "typical"
        alike = int(np.count_nonzero(free @ free[place] >= _ALIKE))
        sure = float(probabilities[place, first])
        choices.append(ImageChoice(place, reason, max(gain, _LEAST) / highest, alike, first, second, sure))
    return choices


def _doubt(probabilities: FloatArray) -> FloatArray:
    """Return the entropy (U,) of probabilities (U, K), from 0 to 1."""
    surprise = np.log(np.maximum(probabilities, _LEAST))
    return np.asarray(-(probabilities * surprise).sum(axis=1) / np.log(probabilities.shape[1]), np.float32)


def _covering(taught: FloatArray, free: FloatArray, doubt: FloatArray, count: int) -> list[tuple[int, float]]:
    """Return the places of images that cover the most doubt, greedily, with the doubt that each adds.

    What an image adds only shrinks as others are chosen, so it is computed again only for the one that is
    ahead (Minoux, 1978).

    Args:
        taught: (n, W) labelled images, of unit length.
        free: (U, W) the others.
        doubt: (U,).
        count: how many, at most U.
    """
    covered = np.zeros(len(free), np.float32)
    for block in blocks(len(free), max(len(taught), 1)):
        if len(taught):
            covered[block] = _nearness((free[block] @ taught.T).max(axis=1))
    ahead: list[tuple[float, int, int]] = []
    for block in blocks(len(free), len(free)):
        added = np.maximum(_nearness(free[block] @ free.T) - covered, 0) @ doubt
        ahead += [(-float(gain), block.start + place, 0) for place, gain in enumerate(added)]
    heapq.heapify(ahead)
    found: list[tuple[int, float]] = []
    while len(found) < count:
        gain, place, known = heapq.heappop(ahead)
        near = _nearness(free @ free[place])
        if known < len(found):
            gain = -float(np.maximum(near - covered, 0) @ doubt)
            heapq.heappush(ahead, (gain, place, len(found)))
            continue
        found.append((place, -gain))
        np.maximum(covered, near, out=covered)
    return found


def _nearness(cosines: FloatArray) -> FloatArray:
    return np.asarray(np.exp((cosines - 1) / np.float32(_REACH)), np.float32)
