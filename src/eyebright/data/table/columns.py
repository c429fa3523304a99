"""What the columns of a table mean: which holds the paths, the labels, the split and the group."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eyebright.data.splits.names import named_split
from eyebright.data.table.chosen import ANY_COLUMNS, NO_COLUMN, Columns
from eyebright.data.table.delimited import DataTable
from eyebright.data.table.group_column import find_group_column, may_name_groups
from eyebright.data.table.label_columns import TRUE, find_labels, is_label_name, plain_name
from eyebright.errors import DataError, nearest
from eyebright.types import Skipped, Split

_PATH = (
    *("path", "file", "filename", "file_name", "filepath", "file_path", "image", "image_path", "img"),
    *(
        "img_path",
        "image_file",
        "image_filename",
        "image_name",
        "img_name",
        "fname",
        "image_id",
        "image_index",
        *("路径", "文件", "文件名", "文件路径", "图像", "图片", "图像路径", "图片路径", "照片"),
    ),
)
_SPLIT = ("split", "划分", "数据划分", "数据集划分")
#: Columns of true and false, and the split that true stands for; false is training.
_FLAGS: Mapping[str, Split] = {"is_valid": "val", "is_val": "val", "is_validation": "val", "is_test": "test"}
_INDEX = ("index", "idx")
_UNNAMED = re.compile(r"unnamed_\d+(_level_\d+)?")


@dataclass(frozen=True, slots=True)
class Row:
    """One line: a path as it is written, labels as a manifest has them, split and group if given."""

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
        notes: what was read otherwise than it may look, and columns that were not used.
        roles: each column of the table, and what it was taken for: path, label, group, split or nothing.
    """

    rows: Sequence[Row]
    label_set: tuple[str, ...] | None
    notes: Sequence[Skipped] = ()
    roles: Sequence[tuple[str, str]] = ()


def find_meaning(table: DataTable, *, multilabel: bool = False, chosen: Columns = ANY_COLUMNS) -> LabelTable:
    """Return what the rows of a table say about their images.

    There is a column with the image's path, and either one column with the label or a list of labels, or a
    column of 0 and 1 for each label; besides, if wanted, the split and a group. Where it is open which column
    that is, this is asked for instead of guessed.

    Args:
        table: the rows, from a file or elsewhere.
        multilabel: whether the labels are those of a multi-label model, so that images that all have exactly
            one label are no reason to see classes in them.
        chosen: columns that the user names, which are used whatever they are called.

    Raises:
        DataError: it is no such table.
    """
    columns = _named_columns(table)
    _require_there(table, columns, chosen)
    named = {chosen.path, *chosen.label, chosen.group, chosen.split}
    index = [name for name in columns if name not in named and _is_index(name, columns[name])]
    for name in index:
        del columns[name]
    free = [name for name in columns if name not in named]
    path_column = chosen.path or find_path_column(free)
    if path_column is None:
        raise DataError(
            "{path} must have a column named path with the image paths. Its columns are: {columns}. "
            "Name that column with --path, or rename it.",
            path=table.source,
            columns=", ".join(columns),
        )
    paths = columns.pop(path_column)
    notes: list[Skipped] = []
    split_column = _split_column(table, columns, chosen, notes)
    splits = [None] * len(paths) if split_column is None else _splits(table, split_column, columns)
    group_column = find_group_column(table, columns, chosen)
    groups = [""] * len(paths) if group_column is None else columns.pop(group_column)
    found = find_labels(table, columns, multilabel=multilabel, chosen=chosen.label)
    notes += found.notes
    ignored = [name for name in columns if name not in found.columns]
    notes += _on_ignored(table, [*index, *ignored], {} if chosen.group else columns)
    rows = map(Row, paths, found.labels, splits, groups)
    taken = {path_column: "path", split_column: "split", group_column: "group"}
    taken |= dict.fromkeys(found.columns, "label")
    roles = [(name, taken.get(name, "")) for name in table.header if name]
    return LabelTable(tuple(rows), found.label_set, notes, roles)


def _require_there(table: DataTable, columns: Mapping[str, Sequence[str]], chosen: Columns) -> None:
    """Refuse names of columns that the table does not have."""
    wanted = {"--path": [chosen.path], "--label": chosen.label}
    wanted |= {
        option: [name]
        for option, name in (("--group", chosen.group), ("--split", chosen.split))
        if name != NO_COLUMN
    }
    for option, names in wanted.items():
        for name in names:
            if name is not None and name not in columns:
                raise DataError(
                    "{option} must name a column of the table. {path} has no column {name}; the closest are: "
                    "{nearest}.",
                    option=option,
                    path=table.source,
                    name=name,
                    nearest=nearest(name, columns),
                )


def find_path_column(header: Sequence[str]) -> str | None:
    """Return the name of the column that holds paths of images; None where no name says so."""
    known = {plain_name(name): name for name in reversed(header)}
    return next((known[name] for name in _PATH if name in known), None)


def _named_columns(table: DataTable) -> dict[str, list[str]]:
    """Return the cells of each column by its name; a column of row numbers may lack one."""
    columns: dict[str, list[str]] = {}
    for i, name in enumerate(table.header):
        cells = table.column(i)
        if not name and not any(cells):
            continue
        if not name and not _are_row_numbers(cells):
            raise DataError(
                "Every column of a table must have a name. Column {number} of {path} has none. Name "
                "it in the first line.",
                number=i + 1,
                path=table.source,
            )
        if name in columns:
            raise DataError(
                "Every column of a table must have a name of its own. {path} has {name} more than once. "
                "Rename one in the first line.",
                path=table.source,
                name=name,
            )
        columns[name or f"Unnamed: {i}"] = cells
    return columns


def _is_index(name: str, cells: Sequence[str]) -> bool:
    """Return whether a column holds the row numbers that pandas writes."""
    plain = plain_name(name)
    return (plain in _INDEX or _UNNAMED.fullmatch(plain) is not None) and _are_row_numbers(cells)


def _are_row_numbers(cells: Sequence[str]) -> bool:
    return all(cell.isdecimal() for cell in cells) and len(set(cells)) == len(cells)


def _split_column(
    table: DataTable, columns: Mapping[str, list[str]], chosen: Columns, notes: list[Skipped]
) -> str | None:
    """Return the column that names the split, if there is one."""
    if chosen.split is not None:
        return None if chosen.split == NO_COLUMN else chosen.split
    columns = {name: cells for name, cells in columns.items() if name not in (*chosen.label, chosen.group)}
    found = [name for name in columns if plain_name(name) in (*_SPLIT, *_FLAGS)]
    if not found:
        found = [name for name, cells in columns.items() if _holds_splits(name, cells)]
        notes += [
            Skipped(table.source.name, "Column {name} was read as the split.", {"name": name})
            for name in found
        ]
    if len(found) > 1:
        raise DataError(
            "One column must say the split. {path} has several that could: {columns}. Name one of "
            "them with --split; `none` is none of them.",
            path=table.source,
            columns=", ".join(found),
        )
    return found[0] if found else None


def _splits(table: DataTable, name: str, columns: dict[str, list[str]]) -> list[Split]:
    """Take the column out that names the split, and return the split of each row."""
    flagged = _FLAGS.get(plain_name(name))
    return [
        _split(table, line, cell, flagged) for line, cell in zip(table.lines, columns.pop(name), strict=True)
    ]


def _holds_splits(name: str, cells: Sequence[str]) -> bool:
    return not is_label_name(name) and len(set(cells)) > 1 and all(map(named_split, set(cells)))


def _split(table: DataTable, line: int, cell: str, flagged: Split | None) -> Split:
    if flagged is not None and (true := TRUE.get(cell.casefold())) is not None:
        return flagged if true else "train"
    named = named_split(cell)
    if flagged is not None or named is None:
        raise DataError(
            "The split must be train, val or test, and true or false in a column such as is_valid. Line "
            "{line} of {path} has {value}. Correct it.",
            line=line,
            path=table.source,
            value=repr(cell),
        )
    return named


def _on_ignored(
    table: DataTable, ignored: Sequence[str], columns: Mapping[str, Sequence[str]]
) -> list[Skipped]:
    """Return notes on columns that were not used, and on those that may name groups."""
    if not ignored:
        return []
    notes = [Skipped(table.source.name, "Ignored columns: {names}.", {"names": ", ".join(ignored)})]
    alike = [name for name in ignored if name in columns and may_name_groups(name, columns[name])]
    if alike:
        reason = (
            "Images with the same {names} may belong together. If they do, name that column with --group: "
            "else they stand in several splits, and the model is measured on what it has learned."
        )
        notes.append(Skipped(table.source.name, reason, {"names": ", ".join(alike)}))
    return notes
