"""Tables of numbers with a row for each of millions of images: in a file, and read some rows at a time.

Two million images of 100 classes have 800 MB of probabilities. In a file they are memory that the system
takes back where it needs it, as long as nobody copies them whole.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

from eyebright.runtime.atomic import not_written
from eyebright.types import FloatArray, IntArray

Numbers = TypeVar("Numbers", bound=npt.NDArray[Any])

#: A larger table is in a file.
IN_MEMORY_BYTES = 100_000_000
_NUMBERS_AT_ONCE = 2**20


class GrowingTable:
    """Rows that are added block by block, in memory, or where they are many in a file that goes with them.

    Args:
        folder: where the file is made; None, or one that cannot be written, for the system's temporary files.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._blocks: list[FloatArray] = []
        self._file: IO[bytes] | None = None
        self._bytes = self._rows = 0

    def add(self, rows: FloatArray) -> None:
        """Add rows (n, K) of float32.

        Raises:
            StorageError: the file cannot be written.
        """
        self._blocks.append(rows)
        self._rows += len(rows)
        self._bytes += rows.nbytes
        if self._file is None and self._bytes > IN_MEMORY_BYTES:
            self._file = self._open()
        if self._file is not None:
            self._write(self._file)

    def whole(self) -> FloatArray:
        """Return all rows (N, K); a change of those in a file is never written to it."""
        if self._file is None:
            return np.concatenate(self._blocks)
        self._file.flush()
        shape = self._rows, self._bytes // 4 // self._rows
        # Copy on write, for numpy's argmax copies whole what it may not write to.
        return np.asarray(np.memmap(self._file, np.float32, "c", shape=shape))

    def _open(self) -> IO[bytes]:
        if self._folder is not None:
            with suppress(OSError):  # a cache that cannot be written costs time, not the result
                self._folder.mkdir(parents=True, exist_ok=True)
                return tempfile.TemporaryFile(dir=self._folder)
        self._folder = None
        with self._named():
            return tempfile.TemporaryFile()

    def _write(self, file: IO[bytes]) -> None:
        with self._named():
            for rows in self._blocks:
                file.write(np.ascontiguousarray(rows, np.float32).data)
        self._blocks.clear()

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise not_written(self._folder or Path(tempfile.gettempdir()), error.strerror) from error


def row_blocks(table: npt.NDArray[Any]) -> Iterator[slice]:
    """Yield which rows of a table (N, ...) to take at a time, so that what is made of them stays small."""
    step = max(1, _NUMBERS_AT_ONCE // max(1, table[:1].size))
    for start in range(0, len(table), step):
        yield slice(start, start + step)


def by_rows(function: Callable[..., Numbers], table: npt.NDArray[Any], *others: npt.NDArray[Any]) -> Numbers:
    """Return what a function makes of each row, computed for some rows at a time.

    Args:
        function: takes ``table`` and ``others``, and returns an array with a row for each of theirs; what it
            makes of a row does not depend on other rows.
        table: (N, ...).
        others: arrays of the same N.
    """
    blocks = list(row_blocks(table))
    if len(blocks) < 2:
        return function(table, *others)
    first = function(*(array[blocks[0]] for array in (table, *others)))
    found = np.empty((len(table), *first.shape[1:]), first.dtype)
    found[blocks[0]] = first
    for some in blocks[1:]:
        found[some] = function(*(array[some] for array in (table, *others)))
    return cast("Numbers", found)


def rows_at(table: Numbers, places: IntArray) -> Numbers:
    """Return the rows at these places, without a copy where they lie one behind the other."""
    if len(places) and bool((np.diff(places) == 1).all()):
        return cast("Numbers", table[int(places[0]) : int(places[-1]) + 1])
    return cast("Numbers", table[places])
