"""Columns of a table that the user names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

#: In place of a column's name: no column is to be used.
NO_COLUMN = "none"


@dataclass(frozen=True)
class Columns:
    """The names of columns as the user gives them; those that are None or empty are looked for.

    Attributes:
        path: of the images.
        label: one column of classes or lists, or several of 0 and 1.
        group: of images that stay together; `none` for no column.
        split: `none` for no column.
    """

    path: str | None = None
    label: Sequence[str] = ()
    group: str | None = None
    split: str | None = None

    def __bool__(self) -> bool:
        """Return whether the user names any."""
        return any((self.path, self.label, self.group, self.split))


#: Where the user names no column.
ANY_COLUMNS = Columns()
