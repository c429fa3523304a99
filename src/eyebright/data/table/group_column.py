"""Which column of a table says that images belong together."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from eyebright.data.table.chosen import Columns
from eyebright.data.table.delimited import DataTable
from eyebright.data.table.label_columns import plain_name
from eyebright.errors import DataError

_GROUP = ("group", "group_id", "分组", "组")
# Their images are alike although their files differ, in whatever field they are used.
_SURELY_GROUPS = frozenset(
    f"{word}{end}"
    for word in ("patient", "subject", "case", "lot", "batch", "患者", "病人", "病例", "受试者", "批次")
    for end in ("", "_id", "id", "编号", "号")
)
_LIKE_A_GROUP = re.compile(
    r"(.*_)?(id|patient|subject|lesion|case|person|product|lot|specimen|slide|video|scene)"
)


def find_group_column(table: DataTable, columns: Mapping[str, Sequence[str]], chosen: Columns) -> str | None:
    """Return the column that says which images belong together, where that is certain.

    Raises:
        DataError: several columns could.
    """
    free = {name: cells for name, cells in columns.items() if name not in chosen.label}
    if found := [name for name in free if plain_name(name) in _GROUP]:
        return found[0]
    if len(free) < 2 and not chosen.label:  # a lone column is the label
        return None
    sure = {name: cells for name, cells in free.items() if plain_name(name) in _SURELY_GROUPS}
    sure = {name: cells for name, cells in sure.items() if _groups_something(cells)}
    # Where every patient has one clinic, the clinic keeps the patient's images together too.
    for name, cells in sure.items():
        if all(len(set(zip(cells, other, strict=True))) == len(set(other)) for other in sure.values()):
            return name
    if sure:
        raise DataError(
            "Images that belong together must be known by one column. {path} has several that could say it: "
            "{columns}. Name one of them with --group; `none` is none of them.",
            path=table.source,
            columns=", ".join(sure),
        )
    return None


def may_name_groups(name: str, cells: Sequence[str]) -> bool:
    """Return whether a column may say what belongs together, by its name and its repeated values."""
    return _LIKE_A_GROUP.fullmatch(plain_name(name)) is not None and _groups_something(cells)


def _groups_something(cells: Sequence[str]) -> bool:
    """Return whether there are several values, and some of them more than once."""
    return 1 < len(set(cells)) < len(cells)
