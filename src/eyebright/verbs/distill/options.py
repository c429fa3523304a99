"""The options of `eyebright distill`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from eyebright.options.base import Config
from eyebright.options.fields import (
    Augment,
    Batch,
    ChosenSize,
    Device,
    Epochs,
    Layers,
    ModelTime,
    Out,
    Patience,
    Precision,
    Rate,
    ReportLang,
    Weights,
)
from eyebright.options.marks import Heading, Metavar


class DistillConfig(Config):
    """What `eyebright distill` can be told; every field is also a command-line option and a TOML key."""

    model: Path = Field(description="Teacher: a run directory, or its model.onnx.")
    student: Annotated[str, Metavar("NAME")] = Field(
        "efficientnet_lite0",
        description="Network that learns from it; `eyebright models --search TEXT` lists them.",
    )
    weights: Weights = None
    data: Path | None = Field(None, description="Where the images are now (default: where the run saw them).")
    out: Out = None
    tune: Literal["last", "full", "auto"] = Field(
        "full", description="What learns: the last units, everything, or what proves best."
    )
    # ---- the teacher
    share: Annotated[float, Heading("Teacher")] = Field(
        0.7, ge=0, le=1, description="Share of the loss that asks for the teacher's answers, not the labels."
    )
    temperature: Annotated[float, Metavar("NUMBER")] = Field(
        2.0, gt=0, description="How much the teacher's answers are softened."
    )
    features: Annotated[float, Metavar("NUMBER")] = Field(
        0.0, ge=0, description="Weight of guessing the teacher's features as well; 0: they are not guessed."
    )
    views: int = Field(
        8, ge=1, le=100, description="Augmented views of each image that the teacher is asked about, once."
    )
    # ---- the training
    size: Annotated[ChosenSize, Heading("Training")] = "auto"
    layers: Layers = "auto"
    epochs: Epochs = None
    budget: ModelTime = None
    patience: Patience = 5
    batch: Batch = "auto"
    lr: Rate = "auto"
    augment: Augment = "auto"
    precision: Precision = "auto"
    device: Device = "auto"
    seed: int = Field(0, ge=0, description="Seed of everything that is drawn.")
    lang: ReportLang = "en"
