"""Options that say what the columns of a table of images are."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import BeforeValidator, Field

from eyebright.options.base import Config
from eyebright.options.marks import Heading, Metavar


def comma_separated(value: object) -> object:
    """Return the names in a text, or in several, which commas separate; anything else as it is."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
        return value
    return [name.strip() for text in texts for name in text.split(",") if name.strip()]


_Column: TypeAlias = Annotated[str | None, Metavar("COLUMN")]


PathInTables: TypeAlias = Annotated[
    _Column,
    Field(description="Of tables among the images: the column with the paths (default: found by its name)."),
]
TextInTables: TypeAlias = Annotated[
    list[str],
    Metavar("COLUMN,…"),
    BeforeValidator(comma_separated),
    Field(
        description=(
            "Of tables among the images: columns with texts; txt: the text of name.jpg lies in name.txt "
            "(default: as in training)."
        )
    ),
]


class PathColumnConfig(Config):
    """The column that says which images there are."""

    path: Annotated[_Column, Heading("Columns of a table")] = Field(
        None, description="Column of the table with the images (default: found by its name)."
    )


class ImageColumnsConfig(PathColumnConfig):
    """The columns that say which images there are, and what they show."""

    label: Annotated[list[str], Metavar("COLUMN")] = Field(
        [],
        description=(
            "Column of the table with the label; repeated for several columns of 0 and 1 (default: found by "
            "its name)."
        ),
    )
    group: _Column = Field(
        None,
        description=(
            "Column of the table whose equal values stay in one split, such as a patient; none: no column "
            "(default: found by its name)."
        ),
    )
    text: Annotated[list[str], Metavar("COLUMN,…"), BeforeValidator(comma_separated)] = Field(
        [],
        description=(
            "Columns of the table with texts that are read beside each image; txt: the text of name.jpg "
            "lies in name.txt (default: none)."
        ),
    )


class ColumnsConfig(ImageColumnsConfig):
    """All columns that a training may use."""

    split: _Column = Field(
        None,
        description="Column of the table with the split; none: no column (default: found by its name).",
    )
    weight: _Column = Field(
        None,
        description=(
            "Column of the table with the weight of each image in training, 0 or more; none: no column "
            "(default: found by its name)."
        ),
    )
    time: _Column = Field(
        None,
        description=(
            "Column of the table with the time at which each image was taken, for --split-by time; after "
            "COLUMN, :dmy or :mdy says whether 5/3/2024 begins with the day; none: no column (default: "
            "found by its name)."
        ),
    )
