"""What the columns of a table mean: which holds paths, labels, split, group, weights and times."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import repeat

from eyebright.data.splits.names import named_split
from eyebright.data.table.chosen import ANY_COLUMNS, BESIDE, Columns, dated
from eyebright.data.table.delimited import DataTable
from eyebright.data.table.group_column import find_group_column, may_name_groups
from eyebright.data.table.label_columns import TRUE, find_labels, is_label_name, plain_name
from eyebright.data.table.named_column import the_only
from eyebright.data.table.times import find_time_column, read_times
from eyebright.data.table.weights import find_weight_column, may_weigh, read_weights
from eyebright.data.texts import text_of, unreadable
from eyebright.errors import DataError, nearest
from eyebright.runtime.compact.rows import compact
from eyebright.text.format import listed
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
    """One line: a path as it is written, labels as a manifest has them, and what else is given."""

    path: str
    label: str
    split: Split | None
    group: str
    weight: float = 1.0
    time: str = ""
    text: str = ""


@dataclass(frozen=True)
class LabelTable:
    """A whole table.

    Attributes:
        rows: in their order.
        label_set: the labels of a multi-label table; None of a multi-class one.
        notes: what was read otherwise than it may look, and columns that were not used.
        roles: each column of the table, and what it was taken for: a role of `Columns`, or nothing.
        columns: those that were taken, by their roles.
        texts_beside: whether texts lie in files beside the images.
    """

    rows: Sequence[Row]
    label_set: tuple[str, ...] | None
    notes: Sequence[Skipped] = ()
    roles: Sequence[tuple[str, str]] = ()
    columns: Columns = ANY_COLUMNS
    texts_beside: bool = False


def find_meaning(table: DataTable, *, multilabel: bool = False, chosen: Columns = ANY_COLUMNS) -> LabelTable:
    """Return what the rows of a table say about their images.

    There is a column with the image's path, and either one column with the label or a list of labels, or a
    column of 0 and 1 for each label; besides, if wanted, the split, a group, the weight in training and the
    time. Where it is open which column that is, this is asked for instead of guessed.

    Args:
        table: the rows, from a file or elsewhere.
        multilabel: whether the labels are those of a multi-label model, so that images that all have exactly
            one label are no reason to see classes in them.
        chosen: columns that the user names, which are used whatever they are called.

    Raises:
        DataError: it is no such table.
    """
    columns = _named_columns(table)
    chosen = chosen.completed(columns)
    given = chosen.named(columns)
    _require_there(table, columns, given)
    named = {name for names in given.values() for name in names}
    index = [name for name in columns if name not in named and _is_index(name, columns[name])]
    for name in index:
        del columns[name]
    path_column = chosen.path or find_path_column([name for name in columns if name not in named])
    if path_column is None:
        raise DataError(
            "{path} must have a column named path with the image paths. Its columns are: {columns}. "
            "Name that column with --path, or rename it.",
            path=table.source,
            columns=listed(list(columns)),
        )
    texts = [columns[name] for name in given.get("text", ())]
    taken: dict[str, str] = {"path": path_column} | {
        role: names[0] for role, names in given.items() if role in _FINDERS
    }
    spoken_for = {*taken.values(), *given.get("text", ())}
    free = {name: cells for name, cells in columns.items() if name not in spoken_for}
    for role, find in _FINDERS.items():
        if getattr(chosen, role) is None and (it := find(table, free, chosen)) is not None:
            taken[role] = it
            del free[it]
    found = find_labels(table, free, multilabel=multilabel, chosen=chosen.label)
    cells = {role: columns[name] for role, name in taken.items()}
    notes = [*_on_split(table, taken.get("split")), *found.notes]
    count = len(table.rows)
    splits: Iterable[Split | None] = repeat(None, count)
    if "split" in taken:
        splits = _splits(table, taken["split"], cells["split"])
    weights: Iterable[float] = repeat(1.0, count)
    if "weight" in taken:
        weights = read_weights(table, taken["weight"], cells["weight"])
    times = _times(table, taken, cells, chosen)
    read = [text_of(cells) for cells in zip(*texts, strict=True)]
    notes += [unreadable(path) for path, text in zip(cells["path"], read, strict=bool(texts)) if text is None]
    by_name = {name: role for role, name in taken.items()} | dict.fromkeys(found.columns, "label")
    by_name |= dict.fromkeys(given.get("text", ()), "text")
    ignored = [name for name in columns if name not in by_name]
    notes += _on_ignored(table, [*index, *ignored], {} if chosen.group else columns)
    groups: Iterable[str] = cells["group"] if "group" in cells else repeat("", count)
    kept: Iterable[str] = (text or "" for text in read) if texts else repeat("", count)
    rows = map(Row, cells["path"], found.labels, splits, groups, weights, times, kept)
    roles = [(name, by_name.get(name, "")) for name in table.header if name]
    taken |= {} if chosen.time is None else {"time": chosen.time}  # with the order of its dates
    used = replace(chosen, needs_time=False, label=tuple(found.columns), **taken)  # type: ignore[arg-type]
    beside = BESIDE in chosen.text and BESIDE not in columns
    return LabelTable(compact(rows), found.label_set, notes, roles, used, beside)


def _require_there(
    table: DataTable, columns: Mapping[str, Sequence[str]], given: Mapping[str, Sequence[str]]
) -> None:
    """Refuse names of columns that the table does not have, and one column with two meanings."""
    role_of: dict[str, str] = {}
    for role, names in given.items():
        for name in names:
            if name not in columns:
                raise DataError(
                    "{option} must name a column of the table. {path} has no column {name}; the closest are: "
                    "{nearest}.",
                    option=f"--{role}",
                    path=table.source,
                    name=name,
                    nearest=nearest(name, columns),
                )
            if role_of.setdefault(name, role) != role:
                raise DataError(
                    "A column can have one meaning. {name} was given for --{one} and for --{other}. Name "
                    "another column for one of them.",
                    name=name,
                    one=role_of[name],
                    other=role,
                )


def find_path_column(header: Sequence[str]) -> str | None:
    """Return the name of the column that holds paths of images; None where no name says so."""
    known = {plain_name(name): name for name in reversed(header)}
    return next((known[name] for name in _PATH if name in known), None)


def _named_columns(table: DataTable) -> dict[str, Sequence[str]]:
    """Return the cells of each column by its name; a column of row numbers may lack one."""
    columns: dict[str, Sequence[str]] = {}
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


def _find_split_column(table: DataTable, columns: Mapping[str, Sequence[str]], chosen: Columns) -> str | None:
    """Return the column that names the split, if there is one."""
    columns = {name: cells for name, cells in columns.items() if name not in chosen.label}
    found = [name for name in columns if _names_split(name)]
    if not found:
        found = [name for name, cells in columns.items() if _holds_splits(name, cells)]
    return the_only(table, found, "split")


def _names_split(name: str) -> bool:
    return plain_name(name) in (*_SPLIT, *_FLAGS)


def _on_split(table: DataTable, name: str | None) -> list[Skipped]:
    """Return a note on a column that was read as the split although it is not called so."""
    if name is None or _names_split(name):
        return []
    return [Skipped(table.source.name, "Column {name} was read as the split.", {"name": name})]


def _splits(table: DataTable, name: str, cells: Sequence[str]) -> list[Split]:
    """Return the split of each row."""
    flagged = _FLAGS.get(plain_name(name))
    return [_split(table, line, cell, flagged) for line, cell in zip(table.lines, cells, strict=True)]


def _times(
    table: DataTable, taken: dict[str, str], cells: Mapping[str, Sequence[str]], chosen: Columns
) -> Iterable[str]:
    """Return the time of each row; a column that nobody named or needs is let go where it cannot be read."""
    if "time" in taken:
        order = None if chosen.time is None else dated(chosen.time, table.header)[1]
        try:
            return read_times(table, taken["time"], cells["time"], order)
        except DataError:
            if chosen.time is not None or chosen.needs_time:
                raise
            del taken["time"]
    return repeat("", len(table.rows))


def _holds_splits(name: str, cells: Sequence[str]) -> bool:
    return not is_label_name(name) and all(map(named_split, cells)) and len(set(cells)) > 1


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
    notes = [Skipped(table.source.name, "Ignored columns: {names}.", {"names": listed(ignored)})]
    if weights := [name for name in ignored if may_weigh(name)]:
        reason = (
            "Column {name} was not taken for weights of the images in training, because other columns speak "
            "of bodies. If it holds such weights, name it with --weight."
        )
        notes.append(Skipped(table.source.name, reason, {"name": weights[0]}))
    alike = [name for name in ignored if name in columns and may_name_groups(name, columns[name])]
    if alike:
        reason = (
            "Images with the same {names} may belong together. If they do, name that column with --group: "
            "else they stand in several splits, and the model is measured on what it has learned."
        )
        notes.append(Skipped(table.source.name, reason, {"names": listed(alike)}))
    return notes


#: What finds the column of a role where the user names none, in this order; what is left may be the label.
_FINDERS: Mapping[str, Callable[[DataTable, Mapping[str, Sequence[str]], Columns], str | None]] = {
    "split": _find_split_column,
    "group": find_group_column,
    "weight": find_weight_column,
    "time": find_time_column,
}
