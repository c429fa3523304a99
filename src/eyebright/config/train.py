"""The options of `eyebright train`, for the command line, TOML files and the Python API alike."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from eyebright.config.base import Config


class TrainConfig(Config):
    """What `eyebright train` can be told; every field is also a command-line option and a TOML key."""

    data: Path = Field(description="Folder of class folders, or with train/, val/ and optionally test/.")
    out: Path | None = Field(None, description="Run directory to write (default: runs/NAME-TIME).")
    val: Path | float | None = Field(
        None, description="Validation part: a folder, or the share of images to hold out (default: 0.2)."
    )
    test: Path | float | None = Field(
        None, description="Test part: a folder, or the share of images to hold out (default: none)."
    )
    seed: int = Field(0, ge=0, description="Seed of the split and of everything else that is drawn.")
    size: Annotated[int, Field(ge=64, le=1024, multiple_of=32)] | Literal["auto"] = Field(
        "auto", description="Input size in pixels, a multiple of 32; auto chooses it on the training part."
    )
    layers: Literal["auto", "texture", "stages", "all"] = Field(
        "auto", description="Layers to take features from; auto compares them on the training part."
    )
    views: int = Field(1, ge=1, le=16, description="How many augmented views of each image enter the cache.")
    lang: Literal["en", "zh"] = Field("en", description="Language of the report and of messages.")
