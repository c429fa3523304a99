"""Findings of copies: exact ones, others by confirmed pairs, and those on both sides of a split."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from eyebright.auditing.duplicates.copies import CopyPairs
from eyebright.auditing.duplicates.registration import MIRRORED
from eyebright.auditing.findings import Finding
from eyebright.data.manifest import SPLITS, Sample
from eyebright.types import IntArray, JsonObject

#: The turn that lays a copy on its image: from the fifth on it is mirrored, then turned.
TURNS = (
    "upright",
    "quarter turn",
    "half turn",
    "three-quarter turn",
    "mirrored",
    "mirrored, quarter turn",
    "mirrored, half turn",
    "mirrored, three-quarter turn",
)


def exact_groups(samples: Sequence[Sample]) -> list[IntArray]:
    """Return the places of images whose pixels are equal, whatever else their files hold, in their order."""
    by_content: dict[str, list[int]] = defaultdict(list)
    for place, sample in enumerate(samples):
        by_content[sample.identity].append(place)
    return [np.array(places, np.int64) for places in by_content.values() if len(places) > 1]


def joined_groups(groups: IntArray, joins: Iterable[IntArray]) -> IntArray:
    """Return group numbers (N,) in which the images of each of ``joins`` share one."""
    ends = [(int(first), int(other)) for first, *others in joins for other in others]
    pairs = groups[np.array(ends, np.int64).reshape(-1, 2)]
    count = int(groups.max()) + 1
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1][groups], np.int64)


def copy_findings(
    samples: Sequence[Sample],
    pairs: CopyPairs,
    exact: Sequence[IntArray],
    near: Sequence[IntArray],
    *,
    parts: bool,
) -> Iterator[Finding]:
    """Yield exact copies, near copies, and those of either that lie in two parts.

    Args:
        samples: N images.
        pairs: confirmed ones.
        exact: the places of images with equal pixels, by group.
        near: the places of images that are near copies of the first one, by group.
        parts: whether the data itself says which images train and which evaluate.
    """
    known = {
        frozenset(pair): place
        for place, pair in enumerate(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))
    }
    for group in exact:
        yield Finding("exact_duplicate", _paths(samples, group), _labels(samples, group), 1.0)
        if parts and _parts(samples, group) > 1:
            yield _leak(samples, group, "exact", 1.0)
    equal = {int(place): group for group in exact for place in group}
    for group in near:
        middle, *others = group.tolist()
        places = [known[frozenset((middle, other))] for other in others]
        probability = float(pairs.probability[places].min())
        evidence: JsonObject = {
            **_labels(samples, group),
            "match": [round(float(pairs.score[place]), 4) for place in places],
            "turn": [TURNS[_turn(pairs, place, middle)] for place in places],
        }
        groups = tuple(samples[place].group for place in group.tolist())
        if len(set(groups)) > 1 or not groups[0]:  # images of one group are known to belong together
            yield Finding("near_duplicate", _paths(samples, group), evidence, probability, groups=groups)
        whole = np.unique(np.concatenate([equal.get(place, np.array([place])) for place in group.tolist()]))
        if parts and _parts(samples, whole) > 1:
            yield _leak(samples, whole, "near", probability)


def _turn(pairs: CopyPairs, place: int, middle: int) -> int:
    """Return the turn that lays the other image of a pair on the middle one."""
    turn = int(pairs.turn[place])
    if pairs.first[place] == middle or turn >= MIRRORED:
        return turn  # what is mirrored and turned goes back in the same way
    return -turn % MIRRORED


def _leak(samples: Sequence[Sample], group: IntArray, kind: str, probability: float) -> Finding:
    # The evaluated image stays: of copies the one in the test part, then the one in the validation part.
    order = sorted(group.tolist(), key=lambda place: (-SPLITS.index(samples[place].split), place))
    places = np.array(order, np.int64)
    return Finding("leak", _paths(samples, places), {"copies": kind, **_labels(samples, places)}, probability)


def _labels(samples: Sequence[Sample], group: IntArray) -> JsonObject:
    return {"labels": [samples[place].label for place in group.tolist()]}


def _parts(samples: Sequence[Sample], group: IntArray) -> int:
    return len({samples[place].split for place in group.tolist()})


def _paths(samples: Sequence[Sample], group: IntArray) -> tuple[str, ...]:
    return tuple(samples[place].path for place in group.tolist())
