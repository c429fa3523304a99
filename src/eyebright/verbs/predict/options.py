"""The options of `eyebright predict`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from eyebright.options.base import Config
from eyebright.options.cluster import ClusterConfig
from eyebright.options.columns import PathInTables, TextInTables
from eyebright.options.fields import MessageLang
from eyebright.options.images import image_list
from eyebright.options.marks import CommandLineOnly, Metavar


class PredictedConfig(Config):
    """Which model answers which images."""

    model: Path = Field(description="Model to use: a model.onnx, or the run directory that contains it.")
    images: Annotated[list[Any], BeforeValidator(image_list)] = Field(
        min_length=1,
        description=(
            "Image files, folders, archives, Parquet files of images, tables, s3:// places or glob "
            "patterns; - reads a list of paths from standard input."
        ),
    )
    path: PathInTables = None
    text: TextInTables = Field([])
    log: Annotated[Path | None, Metavar("FILE")] = Field(
        None,
        description="Log to add what `eyebright monitor` needs of these images, such as monitor.parquet.",
    )
    top: int = Field(1, ge=1, description="Number of most probable classes to output for each image.")
    format: Annotated[Literal["table", "csv", "jsonl"], CommandLineOnly()] = Field(
        "table", description="Output format: aligned text, CSV, or one JSON object per line."
    )
    null: Annotated[bool, CommandLineOnly()] = Field(
        False, description="Paths on standard input are NUL-terminated, as written by find -print0."
    )
    lang: MessageLang = "en"


# Fields come in the order of the bases read from the right.
class PredictConfig(ClusterConfig, PredictedConfig):
    """Options of `eyebright predict`; every field is also a command-line option and a TOML key."""
