"""A segment of the cache: rows and the images' hashes they belong to, in two files named by their checksum.

The files are `ID.SUM.rows.npy` (n, D) and `ID.SUM.keys.npy` (n, 16) uint8. A segment exists once its keys do:
they are renamed into place last, so a killed run leaves nothing that is half written.
"""

from __future__ import annotations

import uuid
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from eyebright.errors import StorageError
from eyebright.runtime.atomic import atomic_path
from eyebright.types import UInt8Array

Value = TypeVar("Value", np.float16, np.float32, np.uint8)
KEY_BYTES = 16
_CHUNK_BYTES = 4 * 2**20


class DamagedSegmentError(Exception):
    """The files of a segment are not as they were written."""


class Segment(Generic[Value]):
    """A segment on disk.

    Args:
        path: of the keys.
        width: D.
        dtype: of the rows.

    Raises:
        OSError: the files cannot be read, or were removed.
        DamagedSegmentError: the files are of something else, or cut short.
    """

    def __init__(self, path: Path, width: int, dtype: type[Value]) -> None:
        self.path = path
        self._width = width
        self._dtype: np.dtype[Value] = np.dtype(dtype)
        _, _, self._checksum = path.name.removesuffix(".keys.npy").partition(".")
        if not self._checksum:  # as before there were checksums
            raise DamagedSegmentError
        try:
            keys = np.load(path, mmap_mode="r", allow_pickle=False)
            rows = np.load(rows_path(path), mmap_mode="r", allow_pickle=False)
        except OSError:
            raise
        except Exception as error:  # the reader of headers raises whatever damaged ones make it
            raise DamagedSegmentError from error
        same = (rows.shape, rows.dtype) == ((len(keys), width), self._dtype)
        if not same or (keys.shape[1:], keys.dtype) != ((KEY_BYTES,), np.dtype(np.uint8)):
            raise DamagedSegmentError
        self._offset = int(rows.offset)

    def keys(self) -> UInt8Array:
        """Return the images' hashes (n, 16), in the order of the rows.

        Raises:
            OSError: they cannot be read, or were removed.
            DamagedSegmentError: they are no longer keys.
        """
        try:
            keys: UInt8Array = np.load(self.path, allow_pickle=False)
        except ValueError as error:
            raise DamagedSegmentError from error
        return keys

    def intact(self) -> bool:
        """Return whether rows and keys are those that were written; reads all of them.

        Raises:
            OSError: they cannot be read, or were removed.
            DamagedSegmentError: keys are no longer keys.
        """
        total = 0
        with rows_path(self.path).open("rb") as file:
            file.seek(self._offset)
            while chunk := file.read(_CHUNK_BYTES):
                total = zlib.crc32(chunk, total)
        return self._checksum == _text(zlib.crc32(self.keys().tobytes(), total))

    def read(self, start: int, count: int) -> npt.NDArray[Value]:
        """Return ``count`` rows (count, D) from row ``start``; they are read and not mapped.

        Raises:
            StorageError: the file was removed or cut short.
        """
        path = rows_path(self.path)
        rows: npt.NDArray[Value] = np.empty((count, self._width), self._dtype)
        try:
            with path.open("rb") as file:
                file.seek(self._offset + start * self._width * rows.itemsize)
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


def write_segment(folder: Path, keys: UInt8Array, rows: npt.NDArray[Any], name: str | None = None) -> Path:
    """Write keys (n, 16) and rows (n, D), and return the path of the keys.

    Args:
        folder: of the space.
        keys: of the images.
        rows: in the keys' order.
        name: what the segment is called, where the same rows may be written twice; None for a new name.

    Raises:
        StorageError: the disk is full or must not be written.
    """
    rows = np.ascontiguousarray(rows)
    checksum = _text(zlib.crc32(keys.tobytes(), zlib.crc32(rows.data)))
    path = folder / f"{name or uuid.uuid4().hex}.{checksum}.keys.npy"
    for place, array in ((rows_path(path), rows), (path, keys)):
        with atomic_path(place) as temporary:
            _save(temporary, array)
    return path


def remove_segment(keys: Path) -> int:
    """Delete both files of a segment, as far as they are there; return their bytes."""
    # First the keys: without them the segment no longer counts.
    return sum(remove_file(path) for path in (keys, rows_path(keys)))


def remove_file(path: Path) -> int:
    """Delete a file if it is there; return its bytes."""
    with suppress(FileNotFoundError):
        size = path.stat().st_size
        path.unlink()
        return size
    return 0


def rows_path(keys: Path) -> Path:
    """Return the file of a segment's rows, from that of its keys."""
    return keys.with_name(keys.name.replace(".keys.", ".rows."))


def keys_path(rows: Path) -> Path:
    """Return the file of a segment's keys, from that of its rows."""
    return rows.with_name(rows.name.replace(".rows.", ".keys."))


def _text(checksum: int) -> str:
    return f"{checksum:08x}"


def _save(path: Path, array: npt.NDArray[Any]) -> None:
    """Write as `np.save` does, which would lose the reason where the disk is full."""
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
        file.write(np.ascontiguousarray(array).data)
