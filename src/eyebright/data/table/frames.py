"""Tables in memory: a DataFrame of pandas or polars, an Arrow table, or pairs of a path and a label.

They are told by what they can do, so that none of these packages need be installed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

from eyebright.data.storage.places import is_remote
from eyebright.data.table.cells import cell_text
from eyebright.data.table.columns import find_path_column
from eyebright.errors import ConfigError
from eyebright.runtime.atomic import write_text

_LISTS = (list, tuple, set, frozenset)


def frame_file(table: object, folder: Path, path_column: str | None = None) -> Path:
    """Write a table in memory as JSON Lines, named by its content, and return the file.

    Args:
        table: a DataFrame, an Arrow table, or pairs of a path and a label or a list of labels. Relative paths
            are those of the current folder.
        folder: to write to.
        path_column: the column of the paths; None where its name says so.

    Raises:
        ConfigError: it is none of these.
        StorageError: the folder cannot be written.
    """
    columns = _columns(table)
    name = path_column or find_path_column(list(columns))
    if name in columns:
        columns[name] = [_absolute(path) for path in columns[name]]
    rows = zip(*columns.values(), strict=True)
    text = "".join(
        f"{json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False)}\n" for row in rows
    )
    file = folder / f"table-{blake2b(text.encode(), digest_size=4).hexdigest()}.jsonl"
    write_text(file, text)
    return file


def _columns(table: Any) -> dict[str, list[str]]:
    """Return the cells of each column as text."""
    if isinstance(table, Mapping):
        named = {str(name): list(cells) for name, cells in table.items()}
    elif hasattr(table, "columns") and hasattr(table, "__getitem__"):
        names = getattr(table, "column_names", None) or list(table.columns)  # Arrow's are no names
        named = {str(name): _cells(table[name]) for name in names}
    else:
        named = _from_pairs(table)
    if len({len(cells) for cells in named.values()}) > 1:
        raise ConfigError("The columns of a table must be equally long. These are not. Correct the table.")
    return {name: [cell_text(_plain(cell)) for cell in cells] for name, cells in named.items()}


def _cells(column: Any) -> list[Any]:
    """Return the cells of a column as Python has them; each package names the method differently."""
    for method in ("to_list", "to_pylist", "tolist"):
        if hasattr(column, method):
            return list(getattr(column, method)())
    return list(column)


def _from_pairs(pairs: Any) -> dict[str, list[Any]]:
    rows = list(pairs) if isinstance(pairs, Iterable) and not isinstance(pairs, bytes) else []
    if not rows or not all(isinstance(row, tuple | list) and len(row) == 2 for row in rows):
        raise ConfigError(
            "Data in memory must be a DataFrame, or pairs of a path and a label. Got {kind}. Give a path, or "
            "convert it.",
            kind=type(pairs).__name__,
        )
    several = any(isinstance(label, _LISTS) for _, label in rows)
    labels = [list(label) if isinstance(label, _LISTS) else label for _, label in rows]
    return {"path": [os.fspath(path) for path, _ in rows], "labels" if several else "label": labels}


def _plain(cell: Any) -> Any:
    """Return a cell without numpy's or pandas' types; what is missing is None."""
    if isinstance(cell, os.PathLike):
        return os.fspath(cell)
    if hasattr(cell, "tolist"):  # a number or an array of numpy
        return cell.tolist()
    if type(cell).__name__ in ("NAType", "NaTType"):  # which are neither equal nor unequal to anything
        return None
    return sorted(cell) if isinstance(cell, set | frozenset) else cell


def _absolute(path: str) -> str:
    return path if not path or is_remote(path) else os.path.abspath(path)
