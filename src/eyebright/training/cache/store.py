"""The cache: rows on disk, found by the image's content, shared between all runs.

A *space* is a folder for everything with the same backbone, preprocessing, precision and view; inside it a
row belongs to an image's hash. Features are rows of float16, decoded pixels rows of uint8. Rows come in
segments of two files, `ID.rows.npy` (n, D) and `ID.keys.npy` (n, 16) uint8. A segment exists once its keys
do: they are renamed into place last, so a killed run leaves nothing that is half written, and several runs
may write at once.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt
import platformdirs

from eyebright.errors import StorageError
from eyebright.runtime.atomic import atomic_path, write_text
from eyebright.runtime.machine import disk_free_bytes
from eyebright.types import IntArray, Json

Rows = npt.NDArray[np.float16]
Value = TypeVar("Value", np.float16, np.float32, np.uint8)
KEY_BYTES = 16
#: What the rows of a space are, where its card does not say otherwise.
FEATURES = "features"
CARD = "space.json"
#: The folder, beside the spaces, of networks that were exported to ONNX.
EXPORTS = "exports"
_FLUSH_BYTES = 64 * 2**20
_FLUSH_SECONDS = 3.0


def default_folder() -> Path:
    """Return the folder of cached features: $EYEBRIGHT_CACHE, or the system's place for caches."""
    chosen = os.environ.get("EYEBRIGHT_CACHE")
    return Path(chosen) if chosen else Path(platformdirs.user_cache_dir("eyebright", appauthor=False))


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
        self._segments: list[tuple[Path, int]] = []
        self._places: dict[bytes, tuple[int, int]] = {}
        self._keys: list[bytes] = []
        self._rows: list[npt.NDArray[Value]] = []
        self._open(card)

    def __len__(self) -> int:
        """Return how many rows are on disk."""
        return len(self._places)

    def __contains__(self, key: bytes) -> bool:
        return key in self._places

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
        name = uuid.uuid4().hex
        keys = np.frombuffer(b"".join(self._keys), np.uint8).reshape(-1, KEY_BYTES)
        rows = np.stack(self._rows)
        for kind, array in (("rows", rows), ("keys", keys)):
            with atomic_path(self.folder / f"{name}.{kind}.npy") as temporary:
                _save(temporary, array)
        self._keys, self._rows = [], []
        self._load(self.folder / f"{name}.keys.npy")

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
        places = np.array([self._places[key] for key in keys], np.int64).reshape(-1, 2)
        out = np.empty((len(keys), np.arange(self.width)[columns].size), self._dtype)
        order = np.lexsort((places[:, 1], places[:, 0]))
        gaps = np.flatnonzero(np.any(np.diff(places[order], axis=0) != (0, 1), axis=1)) + 1
        for run in np.split(order, gaps):
            if run.size:
                out[run] = self._read_run(places[run[0], 0], places[run[0], 1], run.size)[:, columns]
        return out

    def _read_run(self, segment: int, start: int, count: int) -> npt.NDArray[Value]:
        path, offset = self._segments[segment]
        rows = np.empty((count, self.width), self._dtype)
        try:
            with path.open("rb") as file:
                file.seek(offset + start * self.width * rows.itemsize)
                whole = file.readinto(rows.view(np.uint8).data) == rows.nbytes
        except FileNotFoundError:
            whole = False
        if not whole:
            raise StorageError(
                "The feature cache must not change while it is read. {path} was removed or "
                "truncated, by another program or `eyebright cache --trim`. Run again: what is "
                "missing is computed anew.",
                path=path,
            )
        return rows

    def _open(self, card: Mapping[str, Json]) -> None:
        write_text(
            self.folder / CARD, json.dumps({**card, "width": self.width, "used": time.time()}, indent=1)
        )
        for path in sorted(self.folder.glob("*.keys.npy")):
            self._load(path)

    def _load(self, path: Path) -> None:
        """Map a segment; one whose files are damaged counts as absent, so its rows are computed again."""
        try:
            keys = np.load(path, allow_pickle=False)
            rows = np.load(rows_path(path), mmap_mode="r", allow_pickle=False)
        except (ValueError, OSError, EOFError):
            return
        if (rows.shape, rows.dtype) != ((len(keys), self.width), np.dtype(self._dtype)):
            return
        if keys.shape[1:] != (KEY_BYTES,):
            return
        self._segments.append((rows_path(path), rows.offset))
        number = len(self._segments) - 1
        self._places.update((key.tobytes(), (number, row)) for row, key in enumerate(keys))


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


def _save(path: Path, array: npt.NDArray[Any]) -> None:
    """Write as `np.save` does, which would lose the reason where the disk is full."""
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
        file.write(np.ascontiguousarray(array).data)


def rows_path(keys: Path) -> Path:
    """Return the file of a segment's rows, from that of its keys."""
    return keys.with_name(keys.name.replace(".keys.", ".rows."))


def keys_path(rows: Path) -> Path:
    """Return the file of a segment's keys, from that of its rows."""
    return rows.with_name(rows.name.replace(".rows.", ".keys."))


def _digest(card: Mapping[str, Json]) -> str:
    text = json.dumps(card, sort_keys=True).encode()
    return hashlib.blake2b(text, digest_size=16).hexdigest()
