"""Which column of a table holds the weights of its images in training, and what they are."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from eyebright.data.table.chosen import Columns
from eyebright.data.table.delimited import DataTable
from eyebright.data.table.label_columns import plain_name
from eyebright.data.table.named_column import certain_columns, the_only
from eyebright.errors import DataError

_SURELY = ("sample_weight", "image_weight", "权重", "样本权重")
_PERHAPS = "weight"
# Beside these, a weight is that of a body.
_OF_BODIES = frozenset(
    (
        *("age", "sex", "gender", "height", "bmi", "length", "width", "diameter", "species"),
        *("年龄", "性别", "身高", "体重指数"),
    )
)


def find_weight_column(table: DataTable, columns: Collection[str], chosen: Columns) -> str | None:
    """Return the column that holds weights in training, where that is certain.

    A column named weight is one unless another column of the table speaks of bodies.

    Args:
        table: the whole table.
        columns: its columns that have no other meaning yet.
        chosen: columns that the user names, not one of weights.

    Raises:
        DataError: several columns could.
    """
    bodies = any(plain_name(name) in _OF_BODIES for name in table.header)
    names = _SURELY if bodies else (*_SURELY, _PERHAPS)
    return the_only(table, certain_columns(columns, chosen, names), "weight")


def may_weigh(name: str) -> bool:
    """Return whether a column that was not taken may hold weights all the same."""
    return plain_name(name) == _PERHAPS


def read_weights(table: DataTable, name: str, cells: Sequence[str]) -> list[float]:
    """Return the weights in a column.

    Raises:
        DataError: one is no number of 0 or more, or all are 0.
    """
    weights = [_weight(table, name, line, cell) for line, cell in zip(table.lines, cells, strict=True)]
    if not any(weights):
        raise DataError(
            "Some weights must be more than 0. In column {name} of {path}, all are 0. Correct them, or pass "
            "`--weight none`.",
            name=name,
            path=table.source,
        )
    return weights


def _weight(table: DataTable, name: str, line: int, cell: str) -> float:
    try:
        weight = table.number(cell)
    except ValueError:
        weight = math.nan
    if not 0 <= weight < math.inf:
        raise DataError(
            "The weight of an image in training must be a number of 0 or more. Line {line} of {path} has "
            "{value} in column {name}. Correct it, or pass `--weight none`.",
            line=line,
            path=table.source,
            value=repr(cell),
            name=name,
        )
    return weight
