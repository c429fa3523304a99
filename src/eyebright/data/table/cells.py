"""Typed values as the text of a cell: what is text stays as it is written, and nothing is an empty cell."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from pathlib import Path

from eyebright.data.table.delimited import ColumnRows, DataTable
from eyebright.errors import DataError
from eyebright.runtime.compact.rows import compact_values
from eyebright.text.format import listed


def cell_text(value: object) -> str:
    """Return a value as the text of a cell; lists and objects are written as JSON."""
    if isinstance(value, str):
        return value.strip()
    if value is None or value != value:  # NaN, and NaT of pandas
        return ""
    if isinstance(value, list | tuple | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value).lower() if isinstance(value, bool) else str(value)


def one_below_the_other(parts: Sequence[dict[str, Sequence[str]]]) -> dict[str, Sequence[str]]:
    """Return the columns of several tables as those of one; cells of a column that one lacks are empty.

    The parts are used up, for millions of rows need not be in memory twice.
    """
    if len(parts) == 1:
        return parts[0]
    counts = [len(next(iter(part.values()))) for part in parts]

    def cells(name: str) -> Iterator[str]:
        for part, count in zip(parts, counts, strict=True):
            yield from part.pop(name, None) or repeat("", count)

    names = dict.fromkeys(name for part in parts for name in part)
    return {name: compact_values(cells(name)) for name in names}


def table_of(
    source: Path, columns: Mapping[str, Sequence[str]], *, first_line: int = 1, least: int = 2
) -> DataTable:
    """Return columns of text as a table.

    Args:
        source: for the sentences.
        columns: their cells, equally many in each.
        first_line: the number of the first row, as whoever looks into the source counts it.
        least: the number of columns that there must be.

    Raises:
        DataError: there are fewer columns, or no rows.
    """
    count = len(next(iter(columns.values()), ()))
    if len(columns) < least or not count:
        raise DataError(
            "A table must have at least two columns and one row. {path} has the columns {columns} and "
            "{count:row|rows}. Correct it.",
            path=source,
            columns=listed(list(columns)) or "-",
            count=count,
        )
    rows = ColumnRows(list(columns.values()))
    return DataTable(source, list(columns), rows, range(first_line, first_line + count))
