"""The options of `eyebright evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from eyebright.options.base import Config
from eyebright.options.decisions import DecisionConfig
from eyebright.options.fields import ReportLang


class EvaluatedConfig(Config):
    """Which model is measured on what."""

    model: Path = Field(description="Model to evaluate: a model.onnx, or the run directory that holds one.")
    data: Path = Field(
        description="Folder of class folders, with test/, val/ or train/ in it, or with labels.csv."
    )
    out: Path | None = Field(None, description="Directory to write (default: evaluations/NAME-TIME).")
    split: Literal["auto", "train", "val", "test"] = Field(
        "auto", description="Which part to evaluate; auto takes test, else val, else all images."
    )
    seed: int = Field(0, ge=0, description="Seed of the bootstrap that gives the intervals.")
    format: Literal["table", "json"] = Field(
        "table", description="How to print the figures: aligned text, or what metrics.json holds."
    )
    columns: Path | None = Field(
        None,
        description="CSV with a column path and others; each is a property by which the figures are split.",
    )
    robustness: bool = Field(
        False,
        description="Also ask about 200 images with noise, blur and the like, and about parts of them.",
    )
    lang: ReportLang = "en"


# Fields come in the order of the bases read from the right: what is measured first.
class EvaluateConfig(DecisionConfig, EvaluatedConfig):
    """What `eyebright evaluate` can be told; every field is also a command-line option and a TOML key."""

    foreign: Path | None = Field(
        None, description="Folder of images of something else, which the model should call unknown."
    )
