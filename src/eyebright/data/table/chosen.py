"""Columns of a table that the user names, or that an earlier run has learned from."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, TypeAlias

from eyebright.options.columns import ColumnsConfig, ImageColumnsConfig

#: In place of a column's name: no column is to be used.
NO_COLUMN = "none"
#: In place of a column of texts: the text lies in `name.txt` beside `name.jpg`.
BESIDE = "txt"
#: Whether the day or the month comes first in a date such as 5/3/2024.
Order: TypeAlias = Literal["dmy", "mdy"]
_ORDERS: Mapping[str, Order] = {"dmy": "dmy", "mdy": "mdy"}


@dataclass(frozen=True)
class Columns:
    """The names of columns as the user gives them; those that are None or empty are looked for.

    Attributes:
        path: of the images.
        label: one column of classes or lists, or several of 0 and 1.
        group: of images that stay together; `none` for no column.
        split: `none` for no column.
        weight: of the images in training; `none` for no column.
        time: when the images were taken, perhaps with the order of its dates after a colon; `none` for no
            column.
        text: of texts beside the images, which are joined; `txt` for a file beside each image.
        remembered: those of an earlier run, which count where the user names none and the table has them.
        needs_time: whether times are needed, so that a column of times that cannot be read is refused.
    """

    path: str | None = None
    label: tuple[str, ...] = ()
    group: str | None = None
    split: str | None = None
    weight: str | None = None
    time: str | None = None
    text: tuple[str, ...] = ()
    remembered: Columns | None = None
    needs_time: bool = False

    def __bool__(self) -> bool:
        """Return whether the user names any."""
        return any(getattr(self, role) for role in ROLES)

    def completed(self, header: Collection[str]) -> Columns:
        """Return these columns, and those of the earlier run that the user leaves open and the table has.

        Args:
            header: the names of the table's columns.
        """
        if self.remembered is None:
            return self
        taken = {name for names in self.named(header).values() for name in names}
        known = self.remembered.named(header)
        missing: dict[str, Any] = {
            role: getattr(self.remembered, role)
            for role in ROLES
            if not getattr(self, role) and set(known.get(role, ())) <= set(header) - taken
        }
        return replace(self, remembered=None, **missing)

    def named(self, header: Collection[str]) -> dict[str, tuple[str, ...]]:
        """Return the columns that are named, by their roles, without the order of dates.

        Args:
            header: the names of the table's columns, in which a colon may stand.
        """
        given = {role: getattr(self, role) for role in ROLES}
        given |= {"label": tuple(self.label)}
        given |= {"text": tuple(name for name in self.text if name in header or name != BESIDE)}
        if self.time is not None:
            given["time"] = dated(self.time, header)[0]
        return {
            role: (names,) if isinstance(names, str) else names
            for role, names in given.items()
            if names and names != NO_COLUMN
        }


def dated(name: str, header: Collection[str]) -> tuple[str, Order | None]:
    """Return a column of times, and the order of its dates where `:dmy` or `:mdy` after its name says it."""
    column, _, order = name.rpartition(":")
    return (name, None) if name in header or order not in _ORDERS else (column, _ORDERS[order])


#: The names of the roles that a column may have.
ROLES = tuple(f.name for f in fields(Columns) if f.name not in ("remembered", "needs_time"))
#: Where the user names no column.
ANY_COLUMNS = Columns()


def named_columns(config: ImageColumnsConfig, remembered: Columns | None = None) -> Columns:
    """Return the columns that options name, and besides those of an earlier run.

    Args:
        config: the options.
        remembered: the columns of the manifest that the run learned from; None where there is no run.
    """
    text = tuple(config.text)
    named = Columns(config.path, tuple(config.label), config.group, text=text, remembered=remembered)
    if isinstance(config, ColumnsConfig):
        named = replace(named, split=config.split, weight=config.weight, time=config.time)
    return named
