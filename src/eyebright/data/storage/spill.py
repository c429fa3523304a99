"""Pieces of a table that memory has no room for, in a file without a name: decoded once, read often."""

from __future__ import annotations

import tempfile
from collections.abc import Hashable, Sequence
from pathlib import Path

import numpy as np

from eyebright.runtime.atomic import storage_errors
from eyebright.types import IntArray


class Spill:
    """Keeps the cells of pieces on disk, for one thread at a time; the file goes with the process."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115, it lives as long as this
        self._places: dict[Hashable, IntArray] = {}
        self._end = 0

    def __contains__(self, key: Hashable) -> bool:
        return key in self._places

    def write(self, key: Hashable, cells: Sequence[memoryview | None]) -> None:
        """Append the cells of a piece; None of one that has none.

        Raises:
            StorageError: the disk is full.
        """
        sizes = [-1 if cell is None else len(cell) for cell in cells]
        starts = self._end + np.cumsum([0, *(max(0, size) for size in sizes)], dtype=np.int64)
        with storage_errors(Path(tempfile.gettempdir())):
            self._file.seek(self._end)
            self._file.writelines(cell for cell in cells if cell is not None)
        self._end = int(starts[-1])
        self._places[key] = np.stack([starts[:-1], np.array(sizes, np.int64)], axis=1)

    def read(self, key: Hashable, row: int) -> bytes | None:
        """Return a cell; None of one that has none."""
        start, size = self._places[key][row].tolist()
        if size < 0:
            return None
        self._file.seek(start)
        return self._file.read(size)
