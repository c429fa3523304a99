"""Pairs of images that may be copies: alike by their features, or by their fingerprints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from eyebright.auditing.duplicates.registration import Registration, register_pairs, windows
from eyebright.auditing.duplicates.resemblance import coarse, resemblance
from eyebright.auditing.fingerprint import descriptors
from eyebright.auditing.material import Material, PlantedCopies
from eyebright.auditing.neighbours import near, unit
from eyebright.auditing.records import Records
from eyebright.types import FloatArray, IntArray

_PROPOSED = 5  # at most by each way, for each image
_LEAST = 0.02  # quantile of the planted copies' similarities: one way may miss what the other finds
_LEAST_LOOK = 0.003  # likewise at a first look, which decides alone
_WITHOUT_WINDOWS = 0.97  # share of planted crops that are proposed, from which on windows need not propose
_MOST_WINDOWED = 20_000  # images: of more, windows would take an hour
_DESCRIBED_AT_ONCE = 4096


@dataclass(frozen=True)
class Pictures:
    """Pictures as they are proposed by.

    Attributes:
        records: gives the records (P,) of pictures by their numbers (P,).
        rows: (U, R) unit features.
        described: (U, F) descriptors of the fingerprints.
        coarse: (U, 2, 64) pictures at a first look.
    """

    records: Callable[[IntArray], Records]
    rows: FloatArray
    described: FloatArray
    coarse: FloatArray

    def __len__(self) -> int:
        """Return U."""
        return len(self.rows)

    def some(self, numbers: IntArray) -> Pictures:
        """Return those of some numbers (Q,)."""
        parts = (every[numbers] for every in (self.rows, self.described, self.coarse))
        return Pictures(lambda chosen: self.records(numbers[chosen]), *parts)


@dataclass(frozen=True)
class Proposer:
    """Propose pairs among U pictures that are no exact copies.

    Attributes:
        pictures: U.
        places: (U,) their places among the images.
        least: the least similarity by either way.
        least_resemblance: at a first look.
        windows: whether parts of fingerprints propose as well, as crops of cloth need it.
    """

    pictures: Pictures
    places: IntArray
    least: tuple[float, float] = (-1.0, -1.0)
    least_resemblance: float = -1.0
    windows: bool = False

    def pairs(self) -> tuple[IntArray, IntArray, FloatArray]:
        """Return the pairs (P,) of pictures of which one is like the other, and how alike at a first look.

        Each pair is there once, the smaller number first, those most alike before others.
        """
        own = self.pictures
        low, high = self._met(np.arange(len(own)), own, (own,))
        look = resemblance(own.coarse, own.coarse, (low, high))
        order = np.argsort(-look, kind="stable")
        order = order[look[order] >= self.least_resemblance]
        return low[order], high[order], look[order]

    def planted_pairs(self, copies: PlantedCopies, sources: IntArray) -> tuple[IntArray, IntArray]:
        """Return the pairs (P,) of planted copies and pictures: the copies' numbers, the pictures'.

        Args:
            copies: M, which ask as pictures do, and are asked for as well.
            sources: (M,) the picture of each copy; these ask too.
        """
        own, known, count = self.pictures, np.unique(sources), len(self.pictures)
        planted = pictures_of(copies.records.__getitem__, copies.rows)
        among = own, planted
        ways = [
            self._met(known, own.some(known), among),
            self._met(count + np.arange(len(planted)), planted, among),
        ]
        low, high = np.unique(np.concatenate(ways, axis=1), axis=1)
        mixed = (low < count) & (high >= count)
        picture, copy = low[mixed], high[mixed] - count
        alike = resemblance(own.coarse, planted.coarse, (picture, copy)) >= self.least_resemblance
        return copy[alike], picture[alike]

    def registered(self, first: IntArray, second: IntArray) -> Registration:
        """Lay the second pictures (P,) over the first ones."""
        return register_pairs(self.pictures.records, self.pictures.records, (first, second))

    def _met(
        self, numbers: IntArray, asking: Pictures, among: Sequence[Pictures]
    ) -> tuple[IntArray, IntArray]:
        """Return the pairs (P,) of numbers of which one, that asks, is like the other, each once.

        Args:
            numbers: (Q,) of the pictures that ask.
            asking: Q.
            among: those that are asked for, numbered on.
        """
        most = _PROPOSED + 1  # the first is the picture itself
        count = len(asking)
        rows, described = [some.rows for some in among], [some.described for some in among]
        ways = [
            near(count, lambda block: asking.rows[block], rows, self.least[0], most),
            near(count, lambda block: self._views(asking, block), described, self.least[1], most),
        ]
        asks, met = (np.concatenate(ends) for ends in zip(*ways, strict=True))
        asks = numbers[asks]
        low, high = np.minimum(asks, met), np.maximum(asks, met)
        every = sum(map(len, among))
        joint = np.unique((low * every + high)[low < high])
        return joint // every, joint % every

    def _views(self, asking: Pictures, block: slice) -> FloatArray:
        """Return the descriptors (q, F) of pictures, or (q, V, F) with those of their windows."""
        whole = asking.described[block]
        if not self.windows:
            return whole
        shown = windows(asking.records(np.arange(block.start, block.stop))["inside"])
        parts = descriptors(shown.reshape(-1, *shown.shape[2:])).reshape(*shown.shape[:2], -1)
        return np.concatenate([whole[:, None], parts], axis=1)


def proposer_of(material: Material) -> tuple[Proposer, IntArray]:
    """Return the proposer for all images, fitted to planted copies, and each image's number in it (N,)."""
    contents = np.array([sample.identity for sample in material.samples])
    _, places, number = np.unique(contents, return_index=True, return_inverse=True)
    own = pictures_of(lambda some: material.whole_records(places[some]), material.rows[places])
    by_rows, by_print, at_a_look = [], [], []
    for copies in material.planted.values():
        planted, known = pictures_of(copies.records.__getitem__, copies.rows), number[copies.sources]
        by_rows.append((planted.rows * own.rows[known]).sum(axis=1))
        by_print.append((planted.described * own.described[known]).sum(axis=1))
        at_a_look.append(resemblance(own.coarse, planted.coarse, (known, np.arange(len(known)))))
    least = [float(np.quantile(np.concatenate(some), _LEAST)) for some in (by_rows, by_print)]
    look = float(np.quantile(np.concatenate(at_a_look), _LEAST_LOOK))
    fitted = Proposer(own, places, least=(least[0], least[1]), least_resemblance=look)
    crops = material.planted["crop"]
    known = number[crops.sources]
    copy, picture = fitted.planted_pairs(crops, known)
    met = len(np.unique(copy[picture == known[copy]]))
    missed = met < _WITHOUT_WINDOWS * len(known)
    return replace(fitted, windows=missed and len(places) <= _MOST_WINDOWED), number


def pictures_of(records: Callable[[IntArray], Records], rows: FloatArray) -> Pictures:
    """Return pictures by what gives their records, and their features (U, R)."""
    starts = range(0, len(rows), _DESCRIBED_AT_ONCE)
    described, looks = [], []
    for start in starts:
        some = records(np.arange(start, min(start + _DESCRIBED_AT_ONCE, len(rows))))
        described.append(descriptors(some["inside"].astype(np.float32)))
        looks.append(coarse(some))
    return Pictures(records, unit(rows), np.concatenate(described), np.concatenate(looks))
