"""The options of `eyebright tune`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from eyebright.config.base import Config
from eyebright.config.finetune import time_seconds
from eyebright.config.marks import Metavar, Positional
from eyebright.config.train import data_or_resume


class TuneConfig(Config):
    """What `eyebright tune` can be told; every field is also a command-line option and a TOML key."""

    data: Annotated[Path | None, Positional()] = Field(
        None, description="Folder of class folders, or with train/, val/ and optionally test/."
    )
    trials: int = Field(20, ge=1, description="How many settings to try.")
    epochs: int = Field(6, ge=1, description="Passes of each trial, and of the training at the end, at most.")
    budget: Annotated[Annotated[float, BeforeValidator(time_seconds)] | None, Metavar("TIME")] = Field(
        None, description="Time after which no new trial begins, such as 30m or 2h."
    )
    out: Path | None = Field(None, description="Run directory to write (default: runs/NAME-TIME).")
    val: Path | float | None = Field(
        None, description="Validation part: a folder, or the share of images to hold out (default: 0.2)."
    )
    test: Path | float | None = Field(
        None, description="Test part: a folder, or the share of images to hold out (default: none)."
    )
    seed: int = Field(0, ge=0, description="Seed of the split and of everything else that is drawn.")
    backbone: Annotated[str, Metavar("NAME")] = Field(
        "efficientnet_lite0",
        description="Network to start from; `eyebright models --search TEXT` lists them.",
    )
    weights: Path | Literal["none"] | None = Field(
        None, description="File with its weights (.safetensors, .pth); none starts from random ones."
    )
    tune: Literal["last", "full", "auto"] = Field(
        "auto", description="What learns: the last units, everything, or both in turn."
    )
    size: Annotated[int, Field(ge=64, le=1024, multiple_of=32)] | Literal["auto"] = Field(
        "auto", description="Input size in pixels, a multiple of 32; auto tries several where it can."
    )
    batch: Annotated[int, Field(ge=1)] | Literal["auto"] = Field(
        "auto", description="Images a step; what memory cannot hold at once is added up in parts."
    )
    device: Literal["auto", "cpu", "cuda", "mps", "xla"] = Field("auto", description="Where to train.")
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto", description="Number format while training; auto times those that the device has."
    )
    lang: Literal["en", "zh"] = Field("en", description="Language of the report and of messages.")
    resume: Path | None = Field(
        None,
        validate_default=True,
        description="Run directory of a search to go on with; DATA may be left out.",
    )

    @field_validator("resume")
    @classmethod
    def _something_to_train_on(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        return data_or_resume(value, info)
