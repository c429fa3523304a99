"""Groups around a middle: every member was compared with it, so that no chain joins what is unlike."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from eyebright.types import FloatArray, IntArray


def medoid_groups(first: IntArray, second: IntArray, score: FloatArray) -> list[IntArray]:
    """Return disjoint groups of two or more, the middle of each first, the best connected group first.

    Args:
        first: (P,) one end of each confirmed pair.
        second: (P,) the other.
        score: (P,) how well they match; of images with as many partners the best matched is the middle.
    """
    partners: dict[int, dict[int, float]] = defaultdict(dict)
    for a, b, match in zip(first.tolist(), second.tolist(), score.tolist(), strict=True):
        partners[a][b] = partners[b][a] = match
    order = sorted(partners, key=lambda one: (-len(partners[one]), -sum(partners[one].values()), one))
    free, groups = set(partners), []
    for middle in order:
        if middle not in free:
            continue
        members = sorted(free & partners[middle].keys(), key=lambda one: (-partners[middle][one], one))
        if members:
            groups.append(np.array([middle, *members], np.int64))
            free -= {middle, *members}
    return groups
