"""The cache: rows on disk, found by the image's content, shared between all runs.

A *space* is a folder for everything with the same backbone, preprocessing, precision and view; inside it a
row belongs to an image's hash. Features are rows of float16, decoded pixels rows of uint8. Rows come in
segments (`segment.py`), so several runs may write at once. What is damaged counts as absent: the segment is
removed, and its rows are computed again.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Generic

import numpy as np
import numpy.typing as npt
import platformdirs

from eyebright.errors import StorageError
from eyebright.runtime.atomic import write_text
from eyebright.runtime.machine import disk_free_bytes
from eyebright.runtime.remembered import say_damaged
from eyebright.training.cache.key_index import KeyIndex
from eyebright.training.cache.segment import (
    KEY_BYTES,
    DamagedSegmentError,
    Segment,
    Value,
    remove_segment,
    write_segment,
)
from eyebright.types import BoolArray, IntArray, Json, UInt8Array

Rows = npt.NDArray[np.float16]
#: What the rows of a space are, where its card does not say otherwise.
FEATURES = "features"
CARD = "space.json"
#: The folder, beside the spaces, of networks that were exported to ONNX.
EXPORTS = "exports"
#: What the files end in, beside the rows, of sums over rows that a worker has added up.
SUMS = "sums"
#: Graphs and models that the workers of a cluster read.
CLUSTER = "cluster"
#: Tables that were given in memory, as files.
TABLES = "tables"
_FLUSH_BYTES = 64 * 2**20
_FLUSH_SECONDS = 3.0


def default_folder() -> Path:
    """Return the folder of cached features: $EYEBRIGHT_CACHE, or the system's place for caches."""
    chosen = os.environ.get("EYEBRIGHT_CACHE")
    return Path(chosen) if chosen else Path(platformdirs.user_cache_dir("eyebright", appauthor=False))


def exports_folder() -> Path:
    """Return the folder of networks that were exported to ONNX."""
    return default_folder() / EXPORTS


class Space(Generic[Value]):
    """Rows (D,) of one type that are all defined alike.

    Args:
        root: the cache's folder.
        card: what defines the space, as plain JSON; any other value is another space.
        width: D.
        dtype: of the rows.
    """

    def __init__(self, root: Path, card: Mapping[str, Json], width: int, dtype: type[Value]) -> None:
        self.folder = root / _digest(card)
        self.width = width
        self._dtype: type[Value] = dtype
        self._segments: list[Segment[Value]] = []
        self._loaded: set[str] = set()
        self._intact: dict[int, bool] = {}
        self._places = KeyIndex()
        self._checking = threading.Lock()
        self._told = False
        self._keys: list[bytes] = []
        self._rows: list[npt.NDArray[Value]] = []
        self._open(card)

    def __len__(self) -> int:
        """Return how many rows are on disk."""
        return len(self._places)

    def __contains__(self, key: bytes) -> bool:
        """Return whether the row is on disk, as it was written; safe to call from several threads."""
        segment = self._places.segment_of(key)
        return segment >= 0 and self._is_intact(segment)

    def contains(self, keys: Sequence[bytes]) -> BoolArray:
        """Return whether rows (n,) are on disk, as they were written; safe to call from several threads."""
        segments, _ = self._places.find(keys)
        intact = [
            number for number in np.unique(segments).tolist() if number >= 0 and self._is_intact(number)
        ]
        return np.isin(segments, intact)

    def add(self, key: bytes, row: npt.NDArray[Value]) -> None:
        """Take a row (D,); it is safe on disk after the next :meth:`flush`."""
        self._keys.append(key)
        self._rows.append(row)

    def flush(self) -> None:
        """Write the rows that were added as one segment.

        Raises:
            StorageError: the disk is full; rows of earlier flushes are kept.
        """
        if not self._keys:
            return
        keys = np.frombuffer(b"".join(self._keys), np.uint8).reshape(-1, KEY_BYTES)
        path = write_segment(self.folder, keys, np.stack(self._rows))
        self._keys, self._rows = [], []
        self._places.add(self._load(path, intact=True))

    def keep(self, rows: Iterable[tuple[bytes, npt.NDArray[Value]]]) -> None:
        """Take rows (D,) by their keys as they are made, and have them on disk within seconds.

        Raises:
            StorageError: the disk is full; what was written is kept.
        """
        saved_at = time.monotonic()
        try:
            for key, row in rows:
                self.add(key, row)
                full = len(self._rows) * row.nbytes >= _FLUSH_BYTES
                if full or time.monotonic() - saved_at > _FLUSH_SECONDS:
                    self.flush()
                    saved_at = time.monotonic()
        finally:  # at Ctrl-C, too: what was made is kept
            self.flush()

    def check_room(self, count: int) -> None:
        """Make sure that ``count`` more rows would fit on the disk.

        Raises:
            StorageError: they would not.
        """
        require_room(self.folder, count * self.row_bytes)

    @property
    def row_bytes(self) -> int:
        """Return what a row takes on disk."""
        return self.width * np.dtype(self._dtype).itemsize

    def read(self, keys: Sequence[bytes], columns: IntArray | slice = slice(None)) -> npt.NDArray[Value]:
        """Return the rows (N, D') of ``keys`` in their order, reduced to ``columns``.

        Rows are read and not mapped, so that memory holds only what is returned.
        """
        segments, numbers = self._places.find(keys)
        if (segments < 0).any():
            raise KeyError(keys[int(segments.argmin())])
        out = np.empty((len(keys), np.arange(self.width)[columns].size), self._dtype)
        order = np.lexsort((numbers, segments))
        gaps = np.flatnonzero((np.diff(segments[order]) != 0) | (np.diff(numbers[order]) != 1)) + 1
        for run in np.split(order, gaps):
            if run.size:
                first = run[0]
                out[run] = self._segments[segments[first]].read(int(numbers[first]), run.size)[:, columns]
        return out

    def refresh(self) -> None:
        """Find the rows that other processes have written meanwhile."""
        found = (path for path in sorted(self.folder.glob("*.keys.npy")) if path.name not in self._loaded)
        self._places.add(keys for path in found for keys in self._load(path))

    def _open(self, card: Mapping[str, Json]) -> None:
        write_text(self.folder / CARD, json.dumps({**card, "width": self.width}, indent=1))
        self.refresh()

    def _load(self, path: Path, intact: bool | None = None) -> Iterator[tuple[int, UInt8Array]]:
        """Yield the number and the keys of a segment, if it can be read.

        ``intact`` is None where that is checked when a row is asked for.
        """
        try:
            segment = Segment(path, self.width, self._dtype)
            keys = segment.keys()
        except OSError:  # trimmed by another process just now
            return
        except DamagedSegmentError:
            self._remove(path)
            return
        self._loaded.add(path.name)
        self._segments.append(segment)
        number = len(self._segments) - 1
        if intact is not None:
            self._intact[number] = intact
        yield number, keys

    def _is_intact(self, number: int) -> bool:
        """Return whether a segment is as it was written; the rows of one that is not are absent."""
        with self._checking:
            if number not in self._intact:
                self._intact[number] = self._check(self._segments[number])
                if not self._intact[number]:
                    self._places.remove(number)
            return self._intact[number]

    def _check(self, segment: Segment[Value]) -> bool:
        try:
            intact = segment.intact()
        except OSError:  # trimmed by another process just now
            return False
        except DamagedSegmentError:
            intact = False
        if not intact:
            self._remove(segment.path)
        return intact

    def _remove(self, path: Path) -> None:
        with suppress(OSError):  # a cache that cannot be written is only read
            remove_segment(path)
        if not self._told:
            say_damaged(self.folder)
        self._told = True


def require_room(folder: Path, needed_bytes: int) -> None:
    """Make sure that the disk under ``folder`` has room.

    Raises:
        StorageError: it has not.
    """
    free = disk_free_bytes(folder)
    if needed_bytes > free:
        raise StorageError(
            "The disk must have room for data that is computed once and used in every epoch. {path} "
            "needs {needed} GB; {free} GB are free. Free some space, or set EYEBRIGHT_CACHE to a "
            "folder on another disk.",
            path=folder,
            needed=f"{needed_bytes / 1e9:.2f}",
            free=f"{free / 1e9:.2f}",
        )


class FeatureSpace(Space[np.float16]):
    """Rows (D,) float16 of one backbone, preprocessing, precision and view; the arguments are the base's."""

    def __init__(self, root: Path, card: Mapping[str, Json], width: int) -> None:
        super().__init__(root, card, width, np.float16)


def _digest(card: Mapping[str, Json]) -> str:
    text = json.dumps(card, sort_keys=True).encode()
    return hashlib.blake2b(text, digest_size=16).hexdigest()
