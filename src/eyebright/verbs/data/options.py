"""The options of `eyebright data`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from eyebright.options.base import Config
from eyebright.options.columns import ColumnsConfig
from eyebright.options.fields import (
    DataPath,
    FixesFile,
    MessageLang,
)
from eyebright.options.marks import CommandLineOnly


class ConversionConfig(Config):
    """Which images are written, and as what."""

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
    lang: MessageLang = "en"


# Fields come in the order of the bases read from the right: columns come last.
class DataConfig(ColumnsConfig, ConversionConfig):
    """Options of `eyebright data`; every field is also a command-line option."""
