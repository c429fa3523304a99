"""The labels of a table: one column of names or lists, or a column of 0 and 1 for each label."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from eyebright.data.manifest import joined
from eyebright.data.table.delimited import DataTable
from eyebright.data.table.lists import Evidence, LabelLists, find_lists
from eyebright.errors import DataError
from eyebright.text.format import listed
from eyebright.text.language import translate
from eyebright.types import Skipped

_ONE = ("label", "class", "label_name", "class_name", "标签", "类别", "分类", "类别名称")
_LISTS = ("labels", "classes", "tags")
#: What says yes or no in a column of 0 and 1.
TRUE = {
    **dict.fromkeys(("1", "1.0", "true", "yes"), True),
    **dict.fromkeys(("0", "0.0", "false", "no"), False),
}
_ABSENT = frozenset({"nan", "none", "null", "n/a", "na", "-"})
_SURE_LISTS = (";", "|", "[]")  # commas and blanks also stand in names
_FAULTY = 0.1  # a column with so many cells that are neither 0 nor 1 is no column of flags


@dataclass(frozen=True)
class Labels:
    """The labels of all rows.

    Attributes:
        labels: of each row, as a manifest has them.
        label_set: those that there are, if an image may have several; None of classes.
        columns: the names of the columns that hold them.
        notes: how they were read, where that may surprise.
    """

    labels: Sequence[str]
    label_set: tuple[str, ...] | None
    columns: Sequence[str]
    notes: Sequence[Skipped] = field(default=())


def plain_name(name: str) -> str:
    """Return a column's name in lower case, with one underscore for blanks and marks."""
    return re.sub(r"[\W_]+", "_", name.casefold()).strip("_")


def is_label_name(name: str) -> bool:
    """Return whether a column of this name holds the label or labels, whatever else there is."""
    return plain_name(name) in (*_ONE, *_LISTS)


def find_labels(
    table: DataTable, columns: Mapping[str, Sequence[str]], *, multilabel: bool, chosen: Sequence[str] = ()
) -> Labels:
    """Return the labels in the columns of ``table`` that have no other meaning; see ``find_meaning``.

    ``chosen`` are the columns that the user names: one of classes or lists, or several of 0 and 1.

    Raises:
        DataError: it is open which columns hold them, or what a cell means.
    """
    if len(chosen) > 1:
        return _from_flags(table, {name: columns[name] for name in chosen}, multilabel, sure=True)
    if chosen:
        return _from_chosen(table, chosen[0], columns[chosen[0]], multilabel)
    named = [name for name in columns if is_label_name(name)]
    if len(named) > 1:
        named = [_same_classes(table, named, columns)]
    if not named and len(columns) == 1:
        named = list(columns)
    if not named:
        return _from_flags(table, columns, multilabel)
    name = named[0]
    if plain_name(name) in _LISTS:
        return _from_lists(table, name, columns[name], multilabel)
    return _from_names(table, name, columns[name])


def _from_chosen(table: DataTable, name: str, cells: Sequence[str], multilabel: bool) -> Labels:
    """Return the labels in the column that the user names: lists where the cells are evidently written so."""
    found = find_lists(cells)
    if plain_name(name) in _LISTS or (found.evidence is Evidence.CLEAR and found.separator in _SURE_LISTS):
        return _from_lists(table, name, cells, multilabel)
    return _from_names(table, name, cells, sure=True)


def _same_classes(table: DataTable, named: Sequence[str], columns: Mapping[str, Sequence[str]]) -> str:
    """Return the column whose classes have names, of several that tell the same classes apart."""
    rows = set(zip(*(columns[name] for name in named), strict=True))
    if any(len(rows) != len(set(columns[name])) for name in named):
        raise DataError(
            "One column must hold the label. {path} has several that could, and they differ: {columns}. "
            "Name the right one with --label.",
            path=table.source,
            columns=listed(named),
        )
    with_text = [name for name in named if not all(cell.isdecimal() for cell in columns[name])]
    return (with_text or list(named))[0]


def _from_names(table: DataTable, name: str, cells: Sequence[str], *, sure: bool = False) -> Labels:
    """Return the classes in a column with one name in each cell, which is never parted."""
    found = find_lists(cells)
    in_lists = found.evidence is not Evidence.NONE and found.separator != " "
    if in_lists and (found.separator == "[]" or not (sure or is_label_name(name))):
        raise DataError(
            "A column of classes must have one bare name in each cell. {path} has {example} in "
            "column {name}. If such cells are lists of labels, name the column labels; if they are "
            "names, call it label, and write names without brackets.",
            path=table.source,
            example=repr(found.example),
            name=name,
        )
    notes = _on_absent(table, cells)
    if in_lists:
        reason = (
            "Each cell of column {name} was read as one class, {example} too. If such cells are lists of "
            "labels, name the column labels."
        )
        notes.append(Skipped(table.source.name, reason, {"name": name, "example": repr(found.example)}))
    return Labels(cells, None, (name,), notes)


def _from_lists(table: DataTable, name: str, cells: Sequence[str], multilabel: bool) -> Labels:
    """Return the labels in a column of lists; they are classes where every list has exactly one."""
    found = find_lists(cells)
    if found.evidence is Evidence.DOUBTFUL:
        raise DataError(
            "Labels must be separated alike in all cells. {path} has {example} in column {name}, "
            "which may be one label or several. Separate labels with semicolons; if each image has "
            "one class, name the column label.",
            path=table.source,
            example=repr(found.example),
            name=name,
        )
    notes = _on_absent(table, [label for labels in found.lists for label in labels])
    most = max(map(len, found.lists))
    if most == 1 and all(found.lists) and not multilabel:
        reason = "Every image has exactly one label in column {name}, so labels were read as classes."
        notes.append(Skipped(table.source.name, reason, {"name": name}))
        return Labels([labels[0] for labels in found.lists], None, (name,), notes)
    notes.append(_on_lists(table, name, found))
    label_set = tuple(sorted({label for labels in found.lists for label in labels}))
    _check_names(table, label_set)
    return Labels([joined(labels) for labels in found.lists], label_set, (name,), notes)


def _on_lists(table: DataTable, name: str, found: LabelLists) -> Skipped:
    several, none = sum(len(labels) > 1 for labels in found.lists), sum(not labels for labels in found.lists)
    if not several:
        reason = (
            "No image has several labels in column {name}, and {none:image has|images have} none. Labels are "
            "separated with semicolons, bars or commas; if each image has one class, name the column label."
        )
        return Skipped(table.source.name, reason, {"name": name, "none": none})
    reason = (
        "Column {name} was read as lists of labels, such as {example}: {several:image has|images "
        "have} several labels, {none} have none."
    )
    values = {"name": name, "example": repr(found.example), "several": several, "none": none}
    return Skipped(table.source.name, reason, values)


def _from_flags(
    table: DataTable, columns: Mapping[str, Sequence[str]], multilabel: bool, *, sure: bool = False
) -> Labels:
    """Return the labels that columns of 0 and 1 say; they are classes where each row has exactly one 1."""
    flags = {name: cells for name, cells in columns.items() if sure or _are_flags(cells)}
    others = {name: cells for name, cells in columns.items() if name not in flags}
    if len(flags) < 2 or any(map(_may_be_classes, others.values())):
        raise _which_label(table, columns)
    for name, cells in flags.items():
        _require_flags(table, name, cells)
    _check_names(table, flags)
    true = [[TRUE[cell.casefold()] for cell in cells] for cells in flags.values()]
    lists = [[name for name, flag in zip(flags, row, strict=True) if flag] for row in zip(*true, strict=True)]
    if all(len(labels) == 1 for labels in lists) and not multilabel:
        reason = (
            "Every image has exactly one 1 in the columns {names}, so they were read as one class for each "
            "image. Where images may have several labels or none, list such images too."
        )
        note = Skipped(table.source.name, reason, {"names": listed(list(flags))})
        return Labels([labels[0] for labels in lists], None, tuple(flags), (note,))
    return Labels([joined(labels) for labels in lists], tuple(sorted(flags)), tuple(flags))


def _are_flags(cells: Sequence[str]) -> bool:
    """Return whether a column holds 0 and 1, perhaps with blanks or a few mistakes in it."""
    wrong = [cell for cell in cells if cell.casefold() not in TRUE]
    return len(wrong) < len(cells) and (not any(wrong) or len(wrong) <= _FAULTY * len(cells))


def _require_flags(table: DataTable, name: str, cells: Sequence[str]) -> None:
    for line, cell in zip(table.lines, cells, strict=True):
        if cell.casefold() not in TRUE:
            raise DataError(
                "A label column must contain 0 or 1 in every row. Line {line} of {path} has "
                "{value} in column {name}. Correct it, or remove the column.",
                line=line,
                path=table.source,
                value=repr(cell),
                name=name,
            )


def _may_be_classes(cells: Sequence[str]) -> bool:
    """Return whether a column has few enough different values, so that each could be a class."""
    return 2 <= len(set(cells) - {""}) <= len(cells) / 2


def _which_label(table: DataTable, columns: Mapping[str, Sequence[str]]) -> DataError:
    candidates = {name: cells for name, cells in columns.items() if _may_be_classes(cells)} or columns
    return DataError(
        "{path} must have a column named label, or nothing but 0/1 columns for labels. Columns that could "
        "hold the label: {columns}. Name the right one with --label, or delete those that hold none.",
        path=table.source,
        columns="; ".join(f"{name}: {_content(cells)}" for name, cells in candidates.items()) or "-",
    )


def _content(cells: Sequence[str]) -> str:
    values = {cell.casefold() for cell in cells}
    if _are_flags(cells) and values <= set(TRUE):
        return "0/1"
    if all(re.fullmatch(r"-?\d+(\.\d+)?|", value) for value in values):
        return translate("{count:number|numbers}", count=len(values))
    return translate("{count:text|texts}", count=len(values))


def _on_absent(table: DataTable, labels: Sequence[str]) -> list[Skipped]:
    """Return a note on each class whose name says that there is none."""
    reason = (
        "{count:image has|images have} the class {name}, which often stands for a missing label. If it does, "
        "leave the cell empty."
    )
    counts = Counter(label for label in labels if label.strip("<>#").casefold() in _ABSENT)
    return [
        Skipped(table.source.name, reason, {"count": count, "name": name}) for name, count in counts.items()
    ]


def _check_names(table: DataTable, names: Sequence[str] | Mapping[str, object]) -> None:
    if wrong := [name for name in names if ";" in name]:
        raise DataError(
            "A label must not contain a semicolon, because semicolons separate labels. {path} "
            "contains {name}. Rename the label.",
            path=table.source,
            name=repr(wrong[0]),
        )
