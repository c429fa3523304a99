"""The options of `eyebright inspect`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from eyebright.options.base import Config
from eyebright.options.marks import CommandLineOnly


class InspectConfig(Config):
    """Options of `eyebright inspect`."""

    path: Path = Field(
        description="A run directory, a model.onnx, an export folder, or a file in one of them."
    )
    json_: Annotated[bool, CommandLineOnly()] = Field(False, description="Print JSON instead of a table.")
    lang: Literal["en", "zh"] = Field("en", description="Language of messages.")
