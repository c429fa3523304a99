"""The options of `eyebright tune`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from eyebright.options.base import Config
from eyebright.options.columns import ColumnsConfig
from eyebright.options.fields import (
    BackboneName,
    Batch,
    Data,
    Device,
    Out,
    Overwrite,
    Precision,
    ReportLang,
    Seed,
    Size,
    Test,
    Time,
    Val,
    Weights,
)
from eyebright.verbs.train.options import data_or_resume


class SearchConfig(Config):
    """Which images, and how settings are searched."""

    data: Data = None
    trials: int = Field(20, ge=1, description="Number of trials, each with its own settings.")
    epochs: int = Field(
        6, ge=1, description="Maximum number of epochs of each trial and of the final training."
    )
    budget: Time = Field(None, description="Time after which no new trial starts, such as 30m or 2h.")
    out: Out = None
    overwrite: Overwrite = False
    val: Val = None
    test: Test = None
    seed: Seed = 0
    backbone: BackboneName = "efficientnet_lite0"
    weights: Weights = None
    finetune: Literal["last", "full", "auto"] = Field(
        "auto",
        description="How much of the backbone to fine-tune: the last blocks, everything, or both in turn.",
    )
    size: Size = Field(
        "auto", description="Input size in pixels, a multiple of 32; auto tries several where possible."
    )
    batch: Batch = "auto"
    device: Device = "auto"
    precision: Precision = "auto"
    lang: ReportLang = "en"
    resume: Path | None = Field(
        None,
        validate_default=True,
        description="Run directory of the search to resume; DATA may be omitted.",
    )


# Fields come in the order of the bases read from the right: columns come last.
class TuneConfig(ColumnsConfig, SearchConfig):
    """Options of `eyebright tune`; every field is also a command-line option and a TOML key."""

    @field_validator("resume")
    @classmethod
    def _something_to_train_on(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        return data_or_resume(value, info)
