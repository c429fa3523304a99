"""Tables of many rows: in a file that nobody sees, read in blocks."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest

from eyebright.errors import StorageError
from eyebright.runtime.compact import table
from eyebright.runtime.compact.table import GrowingTable, by_rows, row_blocks, rows_at

ROWS = np.arange(60, dtype=np.float32).reshape(20, 3)


def grown(folder: Path | None) -> np.ndarray:
    growing = GrowingTable(folder)
    for start in range(0, 20, 6):
        growing.add(ROWS[start : start + 6, ::-1])
    return growing.whole()


@pytest.mark.parametrize("limit", [table.IN_MEMORY_BYTES, 100, 0])
def test_rows_are_the_same_in_memory_and_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(table, "IN_MEMORY_BYTES", limit)
    found = grown(tmp_path / "new")
    np.testing.assert_array_equal(found, ROWS[:, ::-1])
    assert isinstance(found.base, np.memmap) == (limit < ROWS.nbytes)
    assert not list(tmp_path.rglob("*.*"))  # the file has no name
    found[0] = 7  # changes what is in memory alone


def test_a_folder_that_cannot_be_written_is_replaced_or_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "IN_MEMORY_BYTES", 0)
    (tmp_path / "file").touch()
    np.testing.assert_array_equal(grown(tmp_path / "file"), ROWS[:, ::-1])
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "file"))
    with pytest.raises(StorageError, match="file"):
        grown(tmp_path / "file")


def test_what_is_made_of_rows_does_not_depend_on_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = by_rows(lambda rows, add: rows.sum(axis=1) + add, ROWS, np.arange(20))
    monkeypatch.setattr(table, "_NUMBERS_AT_ONCE", 12)
    assert [some.stop for some in row_blocks(ROWS)] == [4, 8, 12, 16, 20]
    np.testing.assert_array_equal(
        by_rows(lambda rows, add: rows.sum(axis=1) + add, ROWS, np.arange(20)), whole
    )
    assert by_rows(lambda rows: rows > 5, ROWS).shape == ROWS.shape
    assert by_rows(lambda rows: rows > 5, ROWS[:0]).shape == (0, 3)


def test_rows_one_behind_the_other_are_not_copied() -> None:
    assert np.shares_memory(rows_at(ROWS, np.arange(4, 9)), ROWS)
    assert not np.shares_memory(rows_at(ROWS, np.array([4, 6])), ROWS)
    np.testing.assert_array_equal(rows_at(ROWS, np.array([3, 2])), ROWS[[3, 2]])
    assert rows_at(ROWS, np.empty(0, np.int64)).shape == (0, 3)
