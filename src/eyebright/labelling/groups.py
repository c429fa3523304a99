"""Which images to label next, together: first look-alikes, then those that the labels so far tell best."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from eyebright.auditing.neighbours import blocks
from eyebright.labelling.features import Features
from eyebright.labelling.suggestions import Suggester, Suggestions
from eyebright.types import FloatArray, IntArray

#: Images of a page whose classes are suggested, of one on which hardly any can be wrong, and of a group of
#: look-alikes without a suggestion.
PAGE, SURE_PAGE = 48, 96
ALIKE = 8
_SURE = 0.95
# So many labels, or a quarter of the images if there are fewer, are given to look-alikes first.
_FIRST_LABELS, _FIRST_SHARE = 96, 4
_GUESSES = 6
# Among more images than this, the group is sought in a sample.
_MOST_SEEDS = 4000


@dataclass(frozen=True)
class Tile:
    """An image to label, and the classes that it may have, the likeliest first."""

    sha: str
    guesses: tuple[str, ...]
    probability: float = 0.0


@dataclass(frozen=True)
class Group:
    """Images to label together: without guesses look-alikes, else sorted by their suggested class."""

    tiles: Sequence[Tile]

    @property
    def suggested(self) -> bool:
        """Return whether the images have suggested classes."""
        return any(tile.guesses for tile in self.tiles)


def next_group(
    suggester: Suggester, labels: Mapping[str, str], pool: Collection[str], *, suggest: bool = True
) -> Group:
    """Return the images to label next; none if the pool is empty.

    Args:
        suggester: of the project's features.
        labels: that are known, by hash.
        pool: hashes of the images that may be chosen.
        suggest: whether classes may be suggested.
    """
    features = suggester.features
    places = np.array([place for place, sha in enumerate(features.shas) if sha in pool], np.int64)
    if not len(places):
        return Group(())
    enough = min(_FIRST_LABELS, len(features.shas) // _FIRST_SHARE)
    suggestions = suggester.suggest(labels) if suggest and len(labels) >= enough else None
    if suggestions is None:
        known = np.array([place for place, sha in enumerate(features.shas) if sha in labels], np.int64)
        return Group([Tile(features.shas[place], ()) for place in _alike(features, places, known)])
    return Group(_likeliest(features, suggestions, places))


def _alike(features: Features, places: IntArray, known: IntArray) -> IntArray:
    """Return look-alikes: the densest place among those unlike what is labelled, and its neighbours."""
    seeds = places
    if len(places) > _MOST_SEEDS:
        seeds = np.sort(np.random.default_rng(0).choice(places, _MOST_SEEDS, replace=False))
    near = min(ALIKE, len(places))
    best, score = int(seeds[0]), -np.inf
    for block in blocks(len(seeds), max(len(places), len(known))):
        rows = features.units[seeds[block]]
        similar = rows @ features.units[places].T
        density = np.partition(similar, len(places) - near, axis=1)[:, len(places) - near :].mean(axis=1)
        found = np.maximum(density, 0) * _unlike(rows, features.units[known])
        if (highest := float(found.max())) > score:
            best, score = int(seeds[block][found.argmax()]), highest
    similar = features.units[places] @ features.units[best]
    return places[np.argsort(-similar, kind="stable")[:near]]


def _unlike(rows: FloatArray, known: FloatArray) -> FloatArray:
    """Return (n,) 1 of rows that are like no known one, 0 of those that are the same as one."""
    if not len(known):
        return np.ones(len(rows), np.float32)
    return np.asarray(1 - np.clip((rows @ known.T).max(axis=1), 0, 1), np.float32)


def _likeliest(features: Features, suggestions: Suggestions, places: IntArray) -> list[Tile]:
    """Return the images whose class is surest, by suggested class; the least sure of each class last."""
    rows = suggestions.probabilities[places]
    sure = rows.max(axis=1)
    count = int(np.clip((sure > _SURE).sum(), PAGE, SURE_PAGE))
    chosen = np.argsort(-sure, kind="stable")[:count]
    tiles = []
    for place in chosen:
        order = np.argsort(-rows[place], kind="stable")[:_GUESSES]
        guesses = tuple(suggestions.classes[k] for k in order)
        tiles.append(Tile(features.shas[places[place]], guesses, float(rows[place, order[0]])))
    return sorted(tiles, key=lambda tile: (tile.guesses[0], -tile.probability))
