"""One way to read the data, and what is asked where several would do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from eyebright.data.storage.places import scandir
from eyebright.data.table.chosen import Columns
from eyebright.data.table.listed import ListedImages
from eyebright.data.walk import entry_is_folder
from eyebright.errors import DataError

#: Reads the images that a source lists.
Reader: TypeAlias = Callable[[Columns, bool], ListedImages]


@dataclass(frozen=True)
class Source:
    """One way to read the data.

    Attributes:
        name: of what says so, such as `labels.csv`.
        read: reads it.
    """

    name: str
    read: Reader


def which_list(folder: Path, names: Sequence[str]) -> DataError:
    """Return the question which of several lists says what the images are."""
    return DataError(
        "One list must say what the images are. {path} holds several that could: {names}. Give the right one "
        "as the data, such as {example}, or remove the others.",
        path=folder,
        names=", ".join(names),
        example=folder / names[0],
    )


def names_in(folder: Path) -> tuple[list[str], list[str]]:
    """Return the names of the files and of the folders in a folder, sorted.

    Raises:
        DataError: the system does not let us look into it.
    """
    try:
        with scandir(folder) as entries:
            found = [
                (entry.name, entry_is_folder(entry)) for entry in entries if not entry.name.startswith(".")
            ]
    except OSError as error:
        raise DataError(
            "The data folders must be readable. {path}: {reason}. Check the permissions.",
            path=folder,
            reason=error.strerror,
        ) from None
    return sorted(n for n, inner in found if not inner), sorted(n for n, inner in found if inner)
