"""Whether unsure images lie close together: a class that was never shown, told from borderline images.

An image of a new class raises doubt and OOD score a little, and so do borderline images of known classes.
But the neighbours of the former are unsure too. So each image gets the doubt of its neighbourhood, by a
kernel over the projected features of all images so far, the reference included. That smoothed doubt does not
depend on the order of the images, so their ranks are those of any exchangeable score, and the bets of
:mod:`eyebright.monitoring.martingale` keep their promise (Vovk et al. 2005).

Neighbours need the images themselves, and a log keeps the newest 2,000. So a martingale begins with each
window of which all rows are there, on the reference and what follows. The best of them counts, with a weight
that makes room for all: each could only reach its part of the whole by a chance of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp
from threadpoolctl import threadpool_limits

from eyebright.evaluation.intervals import Float64Array
from eyebright.monitoring.martingale import log_gains, log_stakes, onset_weights
from eyebright.monitoring.sketch import SampledRows
from eyebright.types import FloatArray, IntArray

#: Reference images that are compared with, drawn by their place.
_MOST_REFERENCE = 1000
#: A martingale that has not found anything in so many images is given up.
_MOST_IMAGES = 600
# Images of a window are looked at in pieces: in a long one, new images would soon be among themselves.
_STEP = 25
# The kernel's width is the distance to the fifth neighbour; beyond the fortieth it has faded.
_WIDTH_NEIGHBOUR, _NEIGHBOURS = 5, 40
# An image's own doubt counts for so many neighbours.
_OWN = 2.0
# Doubt in probabilities weighs more than on the scale of the OOD score: 1 minus confidence of a guess among
# five is 0.8, and an OOD score of 1 is rare.
_DOUBT = 4.0
_RANGE = (-1.0, 3.0)
_NOTHING = -np.inf


@dataclass(frozen=True)
class Doubts:
    """Images by their projections (N, d) and their doubt (N,)."""

    places: FloatArray
    doubt: FloatArray

    def __len__(self) -> int:
        return len(self.doubt)

    def at(self, chosen: IntArray | slice) -> Doubts:
        """Return some of the images."""
        return Doubts(self.places[chosen], self.doubt[chosen])

    def followed_by(self, other: Doubts) -> Doubts:
        """Return these images and then others."""
        return Doubts(np.concatenate([self.places, other.places]), np.concatenate([self.doubt, other.doubt]))

    def scaled(self, spread: FloatArray) -> Doubts:
        """Return the images with projections over their spread (WIDTH,), without those that have none."""
        known = spread > 0
        return Doubts(np.asarray(self.places[:, known] / spread[known], np.float32), self.doubt)


def doubts_of(probabilities: FloatArray, scores: FloatArray, projections: FloatArray) -> Doubts:
    """Return images (N) as the test sees them; a model without OOD scores has its probabilities alone."""
    doubt = _DOUBT * (1 - probabilities.max(axis=1)) + np.nan_to_num(scores)
    return Doubts(np.asarray(projections, np.float32), np.asarray(np.clip(doubt, *_RANGE), np.float32))


def log_evidence(
    reference: Doubts, windows: Sequence[SampledRows], most_rows: int, seed: int
) -> Float64Array | None:
    """Return the logarithm (W,) of the evidence after each window; None where features are not known.

    Args:
        reference: of the model's own images.
        windows: rows of W windows, of which the oldest may have lost theirs.
        most_rows: that a log keeps.
        seed: of the order within a window, and of the reference's draw.
    """
    spread = np.zeros(1, np.float32)
    if len(reference):
        spread = np.asarray(reference.places.std(axis=0), np.float32)
    if len(reference) <= _WIDTH_NEIGHBOUR or not np.isfinite(spread).all() or not spread.any():
        return None
    order = np.random.default_rng([seed, 0]).permutation(len(reference))[:_MOST_REFERENCE]
    reference = reference.scaled(spread).at(order)
    weights = onset_weights(len(windows))
    found = np.zeros(len(windows))
    with threadpool_limits(1, user_api="blas"):  # products this small only wait for other threads
        for start in _starts(windows, most_rows):
            images = _images(windows[start:], spread)
            for window, evidence in _followed(reference, images, [seed, start + 1]):
                place = start + window
                found[place] = max(found[place], evidence + np.log(weights[start]))
    return found


def _starts(windows: Sequence[SampledRows], most_rows: int) -> list[int]:
    """Return the windows with which a martingale begins: all new ones, of the older ones fewer and fewer."""
    counts = np.array([len(rows) for rows in windows], np.int64)
    with_rows = np.flatnonzero(counts)
    if counts.sum() >= most_rows and len(with_rows) > 1:
        with_rows = with_rows[1:]  # the oldest may have lost some
    if not len(with_rows):
        return []
    first, last = int(with_rows[0]), len(windows)
    known = [t for t in with_rows.tolist() if np.isfinite(windows[t].projections).all()]
    return [t for t in known if t == first or t % _stride(last - t) == 0]


def _stride(age: int) -> int:
    """Return every how many windows one is taken that lies ``age`` windows back: a power of two."""
    return int(2 ** max(int(np.log2(age)) - 1, 0))


def _images(windows: Sequence[SampledRows], spread: FloatArray) -> list[Doubts]:
    """Return the images of windows, each window in an order that was drawn when it was logged."""
    found, left = [], _MOST_IMAGES
    for rows in windows:
        if left <= 0:
            break
        order = np.argsort(rows.keys, kind="stable")[:left]
        some = doubts_of(rows.probabilities, rows.scores, rows.projections).at(order)
        found.append(some.scaled(spread))
        left -= len(some)
    return found


def _followed(
    reference: Doubts, windows: Sequence[Doubts], seed: Sequence[int]
) -> Iterator[tuple[int, float]]:
    """Yield for each window the logarithm of the highest value of one martingale within it."""
    random = np.random.default_rng(seed)
    pool = _Pool(reference)
    capital = log_stakes(tail=True)
    for number, window in enumerate(windows):
        highest = _NOTHING
        for first in range(0, len(window), _STEP):
            some = window.at(slice(first, first + _STEP))
            before = len(pool)
            pool.add(some)
            capital = capital + log_gains(_ranks(pool.smoothed(), before, random))
            highest = max(highest, float(logsumexp(capital)))
        if highest > _NOTHING:
            yield number, highest


class _Pool:
    """Images so far, each with its nearest neighbours among them, the nearest first.

    Args:
        images: to begin with.
    """

    def __init__(self, images: Doubts) -> None:
        self._images = images
        self._near, self._far = _nearest(_distances(images.places, images.places))

    def __len__(self) -> int:
        return len(self._images)

    def add(self, images: Doubts) -> None:
        """Add images to those before."""
        before = len(self)
        self._images = self._images.followed_by(images)
        across = _distances(self._images.places, images.places)
        if self._near.shape[1] < _NEIGHBOURS:  # few images: all of them are neighbours
            self._near, self._far = _nearest(_distances(self._images.places, self._images.places))
            return
        near, far = _nearest(across.T)
        closer = np.flatnonzero(across[:before].min(axis=1, initial=np.inf) < self._far[:, -1])
        numbers = np.broadcast_to(np.arange(before, len(self)), (len(closer), len(images)))
        order, nearer = _nearest(np.concatenate([self._far[closer], across[closer]], axis=1))
        known = np.concatenate([self._near[closer], numbers], axis=1)
        self._near[closer], self._far[closer] = np.take_along_axis(known, order, axis=1), nearer
        self._near, self._far = np.concatenate([self._near, near]), np.concatenate([self._far, far])

    def smoothed(self) -> FloatArray:
        """Return the doubt (N,) of each image's neighbourhood."""
        width = np.maximum(self._far[:, min(_WIDTH_NEIGHBOUR, self._far.shape[1] - 1)], 1e-12)
        weights = np.exp(-self._far / np.sqrt(width[:, None] * width[self._near]))
        weights *= np.where(self._near == np.arange(len(self))[:, None], np.float32(_OWN), np.float32(1))
        doubt: FloatArray = (weights * self._images.doubt[self._near]).sum(axis=1) / weights.sum(axis=1)
        return doubt


def _nearest(distances: FloatArray) -> tuple[IntArray, FloatArray]:
    """Return the numbers (N, k) of the smallest of distances (N, M) in each row, and these, sorted."""
    count = min(_NEIGHBOURS, distances.shape[1])
    near = np.argpartition(distances, count - 1, axis=1)[:, :count]
    order = np.argsort(np.take_along_axis(distances, near, axis=1), axis=1, kind="stable")
    near = np.take_along_axis(near, order, axis=1)
    return near, np.take_along_axis(distances, near, axis=1)


def _distances(first: FloatArray, second: FloatArray) -> FloatArray:
    """Return square distances (N, M)."""
    squares = np.square(first).sum(axis=1)[:, None] + np.square(second).sum(axis=1)
    return np.asarray(np.maximum(squares - 2 * first @ second.T, 0), np.float32)


def _ranks(values: FloatArray, before: int, random: np.random.Generator) -> Float64Array:
    """Return the ranks (n,) of the values from ``before`` on, each among all before it; high ones are low."""
    new = values[before:]
    earlier = np.tri(len(new), len(values), before - 1, dtype=bool)
    above = ((values > new[:, None]) & earlier).sum(axis=1)
    ties = ((values == new[:, None]) & earlier).sum(axis=1)
    count = before + np.arange(len(new)) + 1
    p = (above + random.uniform(size=len(new)) * (ties + 1)) / count
    return np.asarray(np.clip(p, 1e-12, 1 - 1e-12))
