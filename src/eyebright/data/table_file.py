"""`labels.csv` read: which image has which labels, and in which part it is, if the table says so."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from eyebright.data.manifest import joined
from eyebright.errors import DataError
from eyebright.types import Skipped, Split

NAME = "labels.csv"
_PATH = ("path", "file", "filename", "file_name", "filepath", "file_path", "image", "image_path", "img")
_ONE = ("label", "class")
_LISTS = ("labels", "classes", "tags")
_SPLITS: Mapping[str, Split] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
_TRUE = {"1": True, "1.0": True, "true": True, "0": False, "0.0": False, "false": False}
_BETWEEN = (";", "|", ",")
#: Each line's labels as a manifest has them, and those that there are if an image may have several.
_Labels: TypeAlias = tuple[list[str], tuple[str, ...] | None]


@dataclass(frozen=True)
class Row:
    """One line: a path as it is written, labels as a manifest has them, part and group if given."""

    path: str
    label: str
    split: Split | None
    group: str


@dataclass(frozen=True)
class LabelTable:
    """A whole table.

    Attributes:
        rows: in their order.
        label_set: the labels of a multi-label table; None of a multi-class one.
        notes: columns that were not used.
    """

    rows: Sequence[Row]
    label_set: tuple[str, ...] | None
    notes: Sequence[Skipped] = ()


def read_table(path: Path) -> LabelTable:
    """Return the table in ``path``.

    It has a column with the image's path, and either one column with the label or a list of labels, or a
    column of 0 and 1 for each label; besides, if wanted, `split` and `group`.

    Raises:
        DataError: it is no such table.
    """
    columns = _columns(path)
    path_column = _first(columns, _PATH)
    if path_column is None:
        raise DataError(
            "{path} must have a column named path with the image paths. Its columns are: {columns}. "
            "Rename that column in the first line.",
            path=path,
            columns=", ".join(columns),
        )
    paths, splits, groups = columns.pop(path_column), _take(columns, "split"), _take(columns, "group")
    named = _first(columns, (*_LISTS, *_ONE)) or (next(iter(columns)) if len(columns) == 1 else None)
    if named is None:
        table, others = _flags(path, columns)
    else:
        table = _lists(path, columns[named], always=named.casefold() in _LISTS)
        others = [name for name in columns if name != named]
    labels, label_set = table
    parts: list[Split | None] = [_part(path, line, value) for line, value in enumerate(splits, 2)]
    rows = map(Row, paths, labels, parts or [None] * len(paths), groups or [""] * len(paths))
    notes = [
        Skipped(NAME, "Column {name} contains no 0/1 labels. It was ignored.", {"name": name})
        for name in others
    ]
    return LabelTable(tuple(rows), label_set, notes)


def _columns(path: Path) -> dict[str, list[str]]:
    """Return the columns by their names, cells without blanks around them."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            "The label table must be UTF-8 text. {path}: {reason}. Save it as UTF-8.",
            path=path,
            reason=getattr(error, "strerror", None) or error,
        ) from None
    first = text.partition("\n")[0]
    lines = list(csv.reader(io.StringIO(text), delimiter=max(",;\t", key=first.count)))
    names = [name.strip() for name in lines[0]] if lines else []
    body = [line for line in lines[1:] if any(cell.strip() for cell in line)]
    uneven = [number for number, line in enumerate(body, 2) if len(line) != len(names)]
    if len(names) < 2 or len(set(names)) < len(names) or "" in names or uneven or not body:
        raise DataError(
            "A label table must have a header row with a distinct name for each column, and data "
            "rows with as many cells. {path} has the columns {columns} and {count:data row|data "
            "rows}{where}. Correct the table.",
            path=path,
            columns=", ".join(names) or "-",
            count=len(body),
            where=f" ({uneven[0]}: {len(body[uneven[0] - 2])})" if uneven else "",
        )
    return {name: [line[i].strip() for line in body] for i, name in enumerate(names)}


def _first(columns: Mapping[str, Sequence[str]], wanted: Sequence[str]) -> str | None:
    found = {name.casefold(): name for name in reversed(list(columns))}
    return next((found[name] for name in wanted if name in found), None)


def _take(columns: dict[str, list[str]], wanted: str) -> list[str]:
    name = _first(columns, (wanted,))
    return [] if name is None else columns.pop(name)


def _part(path: Path, line: int, value: str) -> Split:
    if value.casefold() not in _SPLITS:
        raise DataError(
            "The split must be train, val or test. Line {line} of {path} has {value}. Correct it.",
            line=line,
            path=path,
            value=repr(value),
        )
    return _SPLITS[value.casefold()]


def _flags(path: Path, columns: Mapping[str, list[str]]) -> tuple[_Labels, list[str]]:
    """Return labels from columns of 0 and 1; other columns are returned by name."""
    used = {name: cells for name, cells in columns.items() if any(c.casefold() in _TRUE for c in cells)}
    for name, cells in used.items():
        for line, cell in enumerate(cells, 2):
            if cell.casefold() not in _TRUE:
                raise DataError(
                    "A label column must contain 0 or 1 in every row. Line {line} of {path} has "
                    "{value} in column {name}. Correct it, or remove the column.",
                    line=line,
                    path=path,
                    value=repr(cell),
                    name=name,
                )
    if not used:
        raise DataError(
            "{path} must have a column named label, or a 0/1 column for each label. Its columns are: "
            "{columns}. Rename the column that holds the labels.",
            path=path,
            columns=", ".join(columns) or "-",
        )
    _check_names(path, used)
    flags = zip(*used.values(), strict=True)
    labels = [joined(n for n, cell in zip(used, row, strict=True) if _TRUE[cell.casefold()]) for row in flags]
    return (labels, tuple(sorted(used))), [name for name in columns if name not in used]


def _lists(path: Path, cells: Sequence[str], *, always: bool) -> _Labels:
    """Return labels from one column.

    Images have several if a cell holds several, or if the column's name says so.
    """
    between = next((mark for mark in _BETWEEN if any(mark in cell for cell in cells)), None)
    if between is None and not always:
        return list(cells), None
    pattern = re.escape(between or ";")
    lists = [{name.strip() for name in re.split(pattern, cell)} - {""} for cell in cells]
    names = sorted(set().union(*lists))
    _check_names(path, names)
    return [joined(names) for names in lists], tuple(names)


def _check_names(path: Path, names: Sequence[str] | Mapping[str, object]) -> None:
    if wrong := [name for name in names if ";" in name]:
        raise DataError(
            "A label must not contain a semicolon, because semicolons separate labels. {path} "
            "contains {name}. Rename the label.",
            path=path,
            name=repr(wrong[0]),
        )
