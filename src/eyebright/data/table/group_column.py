"""Which column of a table says that images belong together."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from eyebright.data.table.chosen import Columns
from eyebright.data.table.delimited import DataTable
from eyebright.data.table.label_columns import plain_name
from eyebright.errors import DataError
from eyebright.text.format import listed

_GROUP = ("group", "group_id", "分组", "组")
# Their images are alike although their files differ, in whatever field they are used.
_SURELY_GROUPS = frozenset(
    f"{word}{end}"
    for word in ("patient", "subject", "case", "lot", "batch", "患者", "病人", "病例", "受试者", "批次")
    for end in ("", "_id", "id", "编号", "号")
)
_LIKE_A_GROUP = re.compile(
    r"(.*_)?(id|patient|subject|lesion|case|person|product|lot|specimen|slide|video|scene|study|series|session)"
    r"|.*(编号|序列号|患者|受试者|样本|样品|个体|产品|视频|场景)"
)
#: Letters and digits, such as S00123 or lot-7b: what one writes to tell things apart, and no quantity.
_CODE = re.compile(r"(?=.*\d)(?=.*[^\W\d_])[\w.-]+")
#: Fewer different codes are rather a grade or a kind.
_FEWEST_CODES = 8


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
            "{columns}. Name one of them with --group, or write --group none to use none of them.",
            path=table.source,
            columns=listed(list(sure)),
        )
    return None


def may_name_groups(name: str, cells: Sequence[str]) -> bool:
    """Return whether a column may say what belongs together: values recur, and name or values are an id's."""
    return _groups_something(cells) and (
        _LIKE_A_GROUP.fullmatch(plain_name(name)) is not None or _are_codes(set(cells) - {""})
    )


def _are_codes(values: set[str]) -> bool:
    return len(values) >= _FEWEST_CODES and all(map(_CODE.fullmatch, values))


def _groups_something(cells: Sequence[str]) -> bool:
    """Return whether there are several values, and some of them more than once."""
    return 1 < len(set(cells)) < len(cells)
