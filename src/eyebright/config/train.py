"""The options of `eyebright train`, for the command line, TOML files and the Python API alike."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from eyebright.config.base import Config
from eyebright.config.finetune import FinetuneConfig
from eyebright.config.marks import Positional
from eyebright.errors import ConfigError


class DataConfig(Config):
    """What is trained on and how images become features: the options that every training has."""

    data: Annotated[Path | None, Positional()] = Field(
        None, description="Folder of class folders, or with train/, val/ and optionally test/."
    )
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


def data_or_resume(resume: Path | None, info: ValidationInfo) -> Path | None:
    """``resume``, unless neither it nor the field `data` before it, nor a teacher with images, was given.

    Raises:
        ConfigError: neither was.
    """
    # Data that was given but cannot be is not among info.data, and is told of by itself.
    if resume is None and info.data.get("data", "") is None and info.data.get("teacher") is None:
        raise ConfigError(
            "data must be given. Neither it nor a run to resume was. "
            "Name a folder of images, or --resume RUN."
        )
    return resume


# Fields come in the order of the bases read from the right: the data's first.
class TrainConfig(FinetuneConfig, DataConfig):
    """What `eyebright train` can be told; every field is also a command-line option and a TOML key."""

    @field_validator("resume")
    @classmethod
    def _something_to_train_on(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        return data_or_resume(value, info)
