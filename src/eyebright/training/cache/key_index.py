"""Where rows lie, by the images' hashes: 24 bytes a row, for spaces of many millions of rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np
import numpy.typing as npt

from eyebright.types import IntArray, UInt8Array

# Compared as bytes; that numpy takes zeros at the end for filling does no harm where all have one length.
_KEY = np.dtype("S16")
_ROW_BITS = 32
_ABSENT = -1
_MOST_SORTED = 1_000_000
_Keys = npt.NDArray[np.bytes_]


@dataclass(frozen=True)
class _Run:
    """Keys (n,) in ascending order, each once, with their places (n,)."""

    keys: _Keys
    places: IntArray

    def find(self, keys: _Keys) -> IntArray:
        """Return the places of keys (m,), -1 where there is none."""
        at = np.minimum(self.keys.searchsorted(keys), len(self.keys) - 1)
        return np.where(self.keys[at] == keys, self.places[at], _ABSENT)


class KeyIndex:
    """Segment and row of each key; of a key that was added twice, the last.

    Keys are sorted in runs, each at least twice as long as the next, so that adding many times little costs
    little; runs of a million stay as they are, for sorting takes three times the memory.
    """

    def __init__(self) -> None:
        self._runs: list[_Run] = []
        self._changing = Lock()  # they are never changed, but replaced: whoever looks for keys needs no lock

    def __len__(self) -> int:
        runs = self._runs
        return sum(_only_in_first(runs[place:]) for place in range(len(runs)))  # a key may lie in several

    def add(self, segments: Iterable[tuple[int, UInt8Array]]) -> None:
        """Take the keys (n, 16) of segments by their numbers, in the order of the rows."""
        found: list[tuple[_Keys, IntArray]] = []
        count = 0
        for number, keys in segments:
            if len(keys):
                places = (number << _ROW_BITS) + np.arange(len(keys))
                found.append((keys.reshape(-1).view(_KEY), places))
                count += len(keys)
            if count >= _MOST_SORTED:
                self._take(found)
                found, count = [], 0
        if found:
            self._take(found)

    def _take(self, found: Sequence[tuple[_Keys, IntArray]]) -> None:
        added = _sorted(*map(np.concatenate, zip(*found, strict=True)))
        with self._changing:
            runs = [*self._runs, added]
            while len(runs) > 1 and len(runs[-2].keys) < min(2 * len(runs[-1].keys), _MOST_SORTED):
                runs[-2:] = [_joined(runs[-2:])]
            self._runs = runs

    def remove(self, number: int) -> None:
        """Forget the keys of a segment."""
        with self._changing:
            kept = [(run, run.places >> _ROW_BITS != number) for run in self._runs]
            self._runs = [_Run(run.keys[there], run.places[there]) for run, there in kept if there.any()]

    def segment_of(self, key: bytes) -> int:
        """Return the segment of one key, -1 where there is none."""
        wanted = np.frombuffer(key, _KEY)
        for run in reversed(self._runs):
            at = run.keys.searchsorted(wanted)[0]
            if at < len(run.keys) and run.keys[at] == wanted[0]:
                return int(run.places[at]) >> _ROW_BITS
        return _ABSENT

    def find(self, keys: Sequence[bytes]) -> tuple[IntArray, IntArray]:
        """Return segments and rows (n,) of keys; both are -1 where there is none."""
        wanted = np.frombuffer(b"".join(keys), _KEY)
        places = np.full(len(wanted), _ABSENT, np.int64)
        for run in self._runs:
            found = run.find(wanted)
            places = np.where(found == _ABSENT, places, found)
        return places >> _ROW_BITS, np.where(places == _ABSENT, _ABSENT, places & ((1 << _ROW_BITS) - 1))


def _sorted(keys: _Keys, places: IntArray) -> _Run:
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    last = np.append(keys[1:] != keys[:-1], True)  # of equal keys the one that was added last
    if last.all():
        return _Run(keys, places[order])
    return _Run(keys[last], places[order[last]])


def _only_in_first(runs: Sequence[_Run]) -> int:
    """Return how many keys of the first run are in none of the others."""
    first, *others = runs
    count = 0
    for start in range(0, len(first.keys), _MOST_SORTED):
        keys = first.keys[start : start + _MOST_SORTED]
        seen = np.zeros(len(keys), np.bool_)
        for other in others:
            seen |= other.find(keys) != _ABSENT
        count += len(keys) - int(seen.sum())
    return count


def _joined(runs: Sequence[_Run]) -> _Run:
    return _sorted(np.concatenate([run.keys for run in runs]), np.concatenate([run.places for run in runs]))
