"""The options of `eyebright runs`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from eyebright.options.base import Config
from eyebright.options.fields import MessageLang
from eyebright.options.marks import CommandLineOnly, Metavar, Positional


class RunsConfig(Config):
    """Options of `eyebright runs`."""

    folder: Annotated[Path, Positional()] = Field(
        Path("runs"), description="Folder that the runs are in, at any depth; also s3://BUCKET/FOLDER."
    )
    where: Annotated[list[str], Metavar("CONDITION")] = Field(
        [],
        description=(
            'Only runs that meet a condition, such as "accuracy > 0.9" or "backbone ~ lite"; may be given '
            "several times."
        ),
    )
    sort: Annotated[str, Metavar("NAME")] = Field(
        "date", description="Column or metric to sort by: numbers and dates downwards, texts by the alphabet."
    )
    reverse: bool = Field(False, description="Sort the other way round.")
    format: Annotated[Literal["table", "csv", "jsonl"], CommandLineOnly()] = Field(
        "table", description="Print a table, CSV or JSON lines."
    )
    lang: MessageLang = "en"
