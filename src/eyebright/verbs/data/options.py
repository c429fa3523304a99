"""The options of `eyebright data`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from eyebright.options.base import Config
from eyebright.options.fields import (
    DataPath,
    FixesFile,
    GroupColumn,
    LabelColumns,
    MessageLang,
    PathColumn,
    SplitColumn,
)
from eyebright.options.marks import CommandLineOnly


class DataConfig(Config):
    """Options of `eyebright data`; every field is also a command-line option."""

    action: Annotated[Literal["convert"], CommandLineOnly()] = Field(description="What to do: convert.")
    data: DataPath
    to: Literal["folder", "csv", "parquet", "hf", "coco", "webdataset"] = Field(
        "csv",
        description=(
            "Format: class folders, labels.csv, Parquet with the images inside, a Hugging Face folder, COCO, "
            "or WebDataset shards."
        ),
    )
    out: Path | None = Field(None, description="Folder to write (default: data/NAME-TIME).")
    fixes: FixesFile = None
    path: PathColumn = None
    label: LabelColumns = Field([])
    group: GroupColumn = None
    split: SplitColumn = None
    lang: MessageLang = "en"
