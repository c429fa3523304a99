"""Typed values as the text of a cell: what is text stays as it is written, and nothing is an empty cell."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from eyebright.data.table.delimited import DataTable
from eyebright.errors import DataError
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


def append_rows(columns: dict[str, list[str]], new: Mapping[str, Sequence[str]]) -> None:
    """Append rows to columns; cells of a column that either lacks are empty."""
    before, count = len(next(iter(columns.values()), ())), len(next(iter(new.values())))
    for name in {**columns, **new}:
        columns.setdefault(name, [""] * before).extend(new.get(name, [""] * count))


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
    rows = list(zip(*columns.values(), strict=True))
    return DataTable(source, list(columns), rows, range(first_line, first_line + count))
