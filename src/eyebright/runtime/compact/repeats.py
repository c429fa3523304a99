"""Which of many values come more than once, without a table of them all."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

import numpy as np


class Repeats:
    """The values that come more than once, by 8 bytes for each.

    A value that is not in here comes once. One that is comes more often, but for a few by chance, so whoever
    must know keeps a table of those that are in here.

    Args:
        values: N values.
        count: N.
    """

    def __init__(self, values: Iterable[Hashable], count: int) -> None:
        hashes = np.fromiter(map(hash, values), np.int64, count)
        hashes.sort()
        self._hashes = frozenset(np.unique(hashes[1:][hashes[1:] == hashes[:-1]]).tolist())

    def __contains__(self, value: Hashable) -> bool:
        return hash(value) in self._hashes

    def __bool__(self) -> bool:
        return bool(self._hashes)
