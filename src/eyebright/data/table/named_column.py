"""Columns whose names say for certain what they hold."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from eyebright.data.table.chosen import Columns
from eyebright.data.table.delimited import DataTable
from eyebright.data.table.label_columns import plain_name
from eyebright.errors import DataError
from eyebright.text.format import listed


def certain_columns(columns: Collection[str], chosen: Columns, names: Collection[str]) -> list[str]:
    """Return the columns that have one of ``names``; none where the label would be left without a column.

    Args:
        columns: those that have no other meaning yet.
        chosen: columns that the user names.
        names: in lower case, those whose meaning is certain.
    """
    free = [name for name in columns if name not in chosen.label]
    if len(free) < 2 and not chosen.label:  # a lone column is the label
        return []
    return [name for name in free if plain_name(name) in names]


def the_only(table: DataTable, found: Sequence[str], role: str) -> str | None:
    """Return the column that was found for a role; None where none was.

    Raises:
        DataError: there are several.
    """
    if len(found) > 1:
        raise DataError(
            "One column must be that of --{role}. {path} has several that could: {columns}. Name one of "
            "them with --{role}, or write --{role} none to use none of them.",
            role=role,
            path=table.source,
            columns=listed(found),
        )
    return found[0] if found else None
