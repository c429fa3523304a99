"""A Parquet or Arrow file with images as a storage: `image/17.jpg` is row 17 of its column `image`."""

from __future__ import annotations

import io
import os
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from threading import Lock
from typing import BinaryIO, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from eyebright.data.storage.base import StorageEntry
from eyebright.data.storage.spill import Spill
from eyebright.errors import DataError
from eyebright.types import IntArray, Skipped

#: What the first bytes of a file say, for names of images in rows; whatever is read decides by content.
_KINDS: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8", "jpg"),
    (b"\x89PNG", "png"),
    (b"RIFF", "webp"),
    (b"GIF8", "gif"),
    (b"BM", "bmp"),
)
_KINDS += ((b"II*\0", "tif"), (b"MM\0*", "tif"))
#: Row groups of Parquet are decoded whole; so many bytes of them stay in memory.
_KEPT_BYTES = 2**28
_BYTES, _PATH = "bytes", "path"


class RowSource(Protocol):
    """Columns of images, read in pieces of several rows."""

    schema: pa.Schema
    #: The first row of each piece, and the number of rows behind the last.
    bounds: IntArray

    def piece(self, number: int, column: str) -> pa.ChunkedArray:
        """Return the cells of one column in one piece."""

    def table(self, columns: Sequence[str]) -> pa.Table:
        """Return whole columns."""

    def paths(self, column: str) -> Iterable[str | None]:
        """Return the paths that images had before they were put into a column, None where none is known."""

    def empty(self, column: str) -> Iterable[bool]:
        """Return whether each row lacks its image."""


class RowStorage:
    """The images in the rows of a table.

    Args:
        rows: the table.
    """

    skipped: Sequence[Skipped] = ()

    def __init__(self, rows: RowSource) -> None:
        self._rows, self._lock = rows, Lock()
        self._columns = image_columns(rows.schema)
        self._kept: OrderedDict[tuple[int, str], pa.ChunkedArray] = OrderedDict()
        self._spill = Spill()

    @property
    def schema(self) -> pa.Schema:
        """Return names, types and metadata of the columns."""
        return self._rows.schema

    def others(self) -> pa.Table:
        """Return the columns that hold no images."""
        names = [name for name in self.schema.names if name not in self._columns]
        with self._lock:
            return self._rows.table(names)

    def size(self, name: str) -> int | None:
        """Return the bytes of an image, or None where there is none of that name."""
        try:
            return len(self.read(name))
        except OSError:
            return None

    def is_folder(self, name: str) -> bool:
        """Return whether a column of images has that name."""
        return name == "" or name in self._columns

    def entries(self, folder: str) -> Iterator[StorageEntry]:
        """Yield the columns of images, or the images of one."""
        if not folder:
            yield from (StorageEntry(name, name, True) for name in self._columns)
        else:
            yield from (StorageEntry(name, f"{folder}/{name}", False) for name in self.names(folder))

    def elsewhere(self, column: str) -> dict[int, str]:
        """Return the paths of images that are not in their rows, by the number of the row.

        `datasets` writes them so where images were read from disk.
        """
        with self._lock:
            empty = list(self._rows.empty(column))
            if not any(empty):
                return {}
            paths = enumerate(self._rows.paths(column))
            return {row: path for row, path in paths if empty[row] and path}

    def names(self, column: str) -> Iterator[str]:
        """Yield a name for each row's image, such as `17.jpg`; whether it has one shows when it is read."""
        first = self._cell((0, column), 0) if self._rows.bounds[-1] else None
        usual = _kind((first or b"")[:4])
        for row, path in enumerate(self._rows.paths(column)):
            suffix = os.path.splitext(path or "")[1][1:].lower()
            yield f"{row}.{suffix if suffix.isalnum() else usual}"

    def read(self, name: str) -> bytes:
        """Return the bytes of an image.

        Raises:
            OSError: there is no such row or column, or the row has no image.
        """
        column, _, file = name.rpartition("/")
        stem = file.partition(".")[0]
        row = int(stem) if stem.isdecimal() else -1
        if column not in self._columns or not 0 <= row < self._rows.bounds[-1]:
            raise FileNotFoundError(2, "No such row", name)
        number = int(np.searchsorted(self._rows.bounds, row, "right")) - 1
        try:
            data = self._cell((number, column), row - int(self._rows.bounds[number]))
        except pa.ArrowException as error:
            raise OSError(5, str(error).partition("\n")[0], name) from None
        if data is None:
            raise FileNotFoundError(2, "The row has no image", name)
        return data

    def open(self, name: str) -> BinaryIO:
        """Open an image, whose bytes are read into memory."""
        return io.BytesIO(self.read(name))

    def _cell(self, key: tuple[int, str], row: int) -> bytes | None:
        with self._lock:
            if key not in self._kept and key in self._spill:
                return self._spill.read(key, row)
            data = _bytes_of(self._piece(key)[row])
            return None if data is None else bytes(data)

    def _piece(self, key: tuple[int, str]) -> pa.ChunkedArray:
        """Return a piece; those that were used longest ago make room on disk. The lock must be held."""
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        found = self._kept[key] = self._rows.piece(*key)
        while len(self._kept) > 1 and sum(one.nbytes for one in self._kept.values()) > _KEPT_BYTES:
            old, piece = self._kept.popitem(last=False)
            if old not in self._spill:
                self._spill.write(old, [_bytes_of(cell) for cell in piece])
        return found


class ParquetRows:
    """The rows of a Parquet file, in its row groups."""

    def __init__(self, path: str, file: BinaryIO) -> None:
        try:
            self._file = pq.ParquetFile(path if os.path.isfile(path) else file)
        except (pa.ArrowException, OSError) as error:
            raise _damaged("Parquet", path, error) from None
        self.schema = self._file.schema_arrow
        meta = self._file.metadata
        counts = [meta.row_group(i).num_rows for i in range(meta.num_row_groups)]
        self.bounds: IntArray = np.cumsum([0, *counts], dtype=np.int64)

    def piece(self, number: int, column: str) -> pa.ChunkedArray:
        """Return the cells of one column in one row group."""
        return self._file.read_row_group(number, columns=[column]).column(column)

    def table(self, columns: Sequence[str]) -> pa.Table:
        """Return whole columns."""
        return self._file.read(columns=list(columns))

    def paths(self, column: str) -> Iterator[str | None]:
        """Yield the path of each image; only these are read."""
        for number in range(len(self.bounds) - 1):
            if not _has_paths(self.schema.field(column).type):
                yield from repeat(None, int(self.bounds[number + 1] - self.bounds[number]))
                continue
            cells = self._file.read_row_group(number, columns=[f"{column}.{_PATH}"]).column(column)
            yield from _field(cells, _PATH).to_pylist()

    def empty(self, column: str) -> Iterator[bool]:
        """Yield whether each row lacks its image; where the statistics say that none does, none is read."""
        names = (column, f"{column}.{_BYTES}")
        place = next(i for i, known in enumerate(self._file.schema) if known.path in names)
        for number in range(len(self.bounds) - 1):
            group = self._file.metadata.row_group(number)
            known = group.column(place).statistics
            if known is not None and known.has_null_count and known.null_count == 0:
                yield from repeat(False, group.num_rows)
            else:
                yield from _are_empty(self.piece(number, column))


class ArrowRows:
    """The rows of an Arrow stream or file, as `save_to_disk` writes it; one on disk is mapped, not read."""

    def __init__(self, path: str, file: BinaryIO) -> None:
        try:
            source = pa.memory_map(path) if os.path.isfile(path) else file
            self._table = _read_arrow(source)
        except (pa.ArrowException, OSError) as error:
            raise _damaged("Arrow", path, error) from None
        self.schema = self._table.schema
        self.bounds: IntArray = np.array([0, self._table.num_rows], np.int64)

    def piece(self, number: int, column: str) -> pa.ChunkedArray:
        """Return the cells of one column."""
        return self._table.column(column)

    def table(self, columns: Sequence[str]) -> pa.Table:
        """Return whole columns."""
        return self._table.select(list(columns)).replace_schema_metadata(self.schema.metadata)

    def paths(self, column: str) -> Iterable[str | None]:
        """Return the path of each image."""
        cells = self._table.column(column)
        known: list[str | None] = (
            _field(cells, _PATH).to_pylist() if _has_paths(cells.type) else [None] * len(cells)
        )
        return known

    def empty(self, column: str) -> Iterable[bool]:
        """Return whether each row lacks its image."""
        return _are_empty(self._table.column(column))


def image_columns(schema: pa.Schema) -> list[str]:
    """Return the columns that hold image files: bytes, or a struct of bytes and a path as in `datasets`."""
    return [field.name for field in schema if _holds_bytes(field.type)]


def _holds_bytes(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return kind.get_field_index(_BYTES) >= 0 and _holds_bytes(kind.field(_BYTES).type)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _are_empty(cells: pa.ChunkedArray) -> list[bool]:
    inner = _field(cells, _BYTES) if pa.types.is_struct(cells.type) else cells
    found: list[bool] = inner.is_null().to_pylist()
    return found


def _field(cells: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    import pyarrow.compute as pc  # takes a tenth of a second, and most commands read no table

    return pc.struct_field(cells, name)


def _has_paths(kind: pa.DataType) -> bool:
    return bool(pa.types.is_struct(kind)) and kind.get_field_index(_PATH) >= 0


def _bytes_of(cell: pa.Scalar) -> memoryview | None:
    """Return the bytes of an image in a cell, not copied; None where it has none."""
    if not cell.is_valid:
        return None
    if pa.types.is_struct(cell.type):
        return _bytes_of(cell[_BYTES])
    return memoryview(cell.as_buffer())


def _kind(head: bytes) -> str:
    return next((kind for start, kind in _KINDS if head.startswith(start)), "bin")


def _read_arrow(source: pa.NativeFile | BinaryIO) -> pa.Table:
    try:
        return pa.ipc.open_stream(source).read_all()
    except pa.ArrowInvalid:
        source.seek(0)
        return pa.ipc.open_file(source).read_all()


def _damaged(kind: str, path: str, error: Exception) -> DataError:
    return DataError(
        "{kind} files must be whole. {path} is not ({error}). Copy it again.",
        kind=kind,
        path=path,
        error=str(error).partition("\n")[0],
    )
