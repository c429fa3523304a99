"""The options of `eyebright predict`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from eyebright.options.base import Config
from eyebright.options.fields import MessageLang


class PredictConfig(Config):
    """What `eyebright predict` can be told; every field is also a command-line option and a TOML key."""

    model: Path = Field(description="Model to use: a model.onnx, or the run directory that holds one.")
    images: list[str] = Field(
        min_length=1,
        description="Images: files, folders or glob patterns; - reads a list of paths from standard input.",
    )
    top: int = Field(1, ge=1, description="How many of the likeliest classes to give for each image.")
    format: Literal["table", "csv", "jsonl"] = Field(
        "table", description="How to print: aligned text, CSV, or one JSON object a line."
    )
    null: bool = Field(
        False, description="Paths on standard input end with a NUL, as find -print0 writes them."
    )
    lang: MessageLang = "en"
