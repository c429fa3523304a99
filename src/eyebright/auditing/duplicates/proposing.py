"""Pairs of images that may be copies: alike by their features, or by their fingerprints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from eyebright.auditing.duplicates.registration import windows
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
class Proposer:
    """Propose pairs among U pictures that are no exact copies.

    Attributes:
        records: what the pictures' records are taken from: the images', then others.
        places: (U,) each picture's place in them all.
        rows: (U, R) unit features.
        described: (U, F) descriptors of the fingerprints.
        coarse: (U, 2, 64) pictures at a first look.
        least: the least similarity by either way.
        least_resemblance: at a first look.
        windows: whether parts of fingerprints propose as well, as crops of cloth need it.
    """

    records: Sequence[Records]
    places: IntArray
    rows: FloatArray
    described: FloatArray
    coarse: FloatArray
    least: tuple[float, float] = (-1.0, -1.0)
    least_resemblance: float = -1.0
    windows: bool = False

    def pairs(self, asking: IntArray) -> tuple[IntArray, IntArray]:
        """Return the pairs (P,) of pictures of which one, among those ``asking`` (Q,), is like the other.

        Each pair is there once, the smaller number first.
        """
        most = _PROPOSED + 1  # the first is the picture itself
        ways = [
            near(len(asking), lambda block: self.rows[asking[block]], self.rows, self.least[0], most),
            near(len(asking), lambda block: self._views(asking[block]), self.described, self.least[1], most),
        ]
        asks, met = (np.concatenate(ends) for ends in zip(*ways, strict=True))
        asks = asking[asks]
        low, high = np.minimum(asks, met), np.maximum(asks, met)
        joint = np.unique((low * len(self.rows) + high)[low < high])
        low, high = joint // len(self.rows), joint % len(self.rows)
        alike = resemblance(self.coarse, self.coarse, (low, high)) >= self.least_resemblance
        return low[alike], high[alike]

    def shown(self, pictures: IntArray) -> Records:
        """Return the records (P,) of pictures."""
        found = np.empty(len(pictures), self.records[0].dtype)
        places, start = self.places[pictures], 0
        for some in self.records:
            mine = (places >= start) & (places < start + len(some))
            found[mine] = some[places[mine] - start]
            start += len(some)
        return found

    def with_planted(self, copies: PlantedCopies) -> Proposer:
        """Return a proposer that knows planted copies as well, numbered from U on."""
        start = sum(map(len, self.records))
        return replace(
            self,
            records=(*self.records, copies.records),
            places=np.concatenate([self.places, np.arange(start, start + len(copies.rows))]),
            rows=np.concatenate([self.rows, unit(copies.rows)]),
            described=np.concatenate([self.described, described(copies.records)]),
            coarse=np.concatenate([self.coarse, coarse(copies.records)]),
        )

    def _views(self, pictures: IntArray) -> FloatArray:
        """Return the descriptors (q, F) of pictures, or (q, V, F) with those of their windows."""
        whole = self.described[pictures]
        if not self.windows:
            return whole
        shown = windows(self.shown(pictures)["inside"])
        parts = descriptors(shown.reshape(-1, *shown.shape[2:])).reshape(*shown.shape[:2], -1)
        return np.concatenate([whole[:, None], parts], axis=1)


def proposer_of(material: Material) -> tuple[Proposer, IntArray]:
    """Return the proposer for all images, fitted to planted copies, and each image's number in it (N,)."""
    contents = np.array([sample.identity for sample in material.samples])
    _, places, number = np.unique(contents, return_index=True, return_inverse=True)
    starts = range(0, len(places), _DESCRIBED_AT_ONCE)
    parts = [material.records[places[start : start + _DESCRIBED_AT_ONCE]] for start in starts]
    plain = Proposer(
        (material.records,),
        places,
        unit(material.rows[places]),
        np.concatenate([described(part) for part in parts]),
        np.concatenate([coarse(part) for part in parts]),
    )
    by_rows, by_print, at_a_look = [], [], []
    for copies in material.planted.values():
        own = number[copies.sources]
        by_rows.append((unit(copies.rows) * plain.rows[own]).sum(axis=1))
        by_print.append((described(copies.records) * plain.described[own]).sum(axis=1))
        at_a_look.append(resemblance(plain.coarse, coarse(copies.records), (own, np.arange(len(own)))))
    least = [float(np.quantile(np.concatenate(some), _LEAST)) for some in (by_rows, by_print)]
    look = float(np.quantile(np.concatenate(at_a_look), _LEAST_LOOK))
    fitted = replace(plain, least=(least[0], least[1]), least_resemblance=look)
    crops = material.planted["crop"]
    own = number[crops.sources]
    copy, image = planted_pairs(fitted.with_planted(crops), own, len(places))
    met = len(np.unique(copy[image == own[copy]]))
    missed = met < _WITHOUT_WINDOWS * len(own)
    return replace(fitted, windows=missed and len(places) <= _MOST_WINDOWED), number


def planted_pairs(wider: Proposer, own: IntArray, count: int) -> tuple[IntArray, IntArray]:
    """Return the pairs (P,) that are proposed of planted copies and images: the copies' numbers, the images'.

    Args:
        wider: knows ``count`` images and then the copies.
        own: (M,) the image of each copy; it asks, as its copy does.
        count: U.
    """
    copies = np.arange(count, count + len(own))
    low, high = wider.pairs(np.concatenate([np.unique(own), copies]))
    mixed = (low < count) & (high >= count)
    return high[mixed] - count, low[mixed]


def described(records: Records) -> FloatArray:
    """Return the descriptors (N, F) of what lies inside the borders of images."""
    return descriptors(records["inside"].astype(np.float32))
