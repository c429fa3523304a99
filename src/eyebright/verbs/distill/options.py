"""The options of `eyebright distill`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from eyebright.options.base import Config
from eyebright.options.columns import ColumnsConfig
from eyebright.options.fields import (
    Augment,
    Batch,
    ChosenSize,
    Device,
    Epochs,
    ImagesNow,
    Layers,
    ModelTime,
    Out,
    Overwrite,
    Patience,
    Precision,
    Rate,
    ReportLang,
    Weights,
)
from eyebright.options.marks import Heading, Metavar


class DistillationConfig(Config):
    """Which model teaches which, and how."""

    model: Path = Field(description="Teacher: a run directory, or its model.onnx.")
    student: Annotated[str, Metavar("NAME")] = Field(
        "efficientnet_lite0",
        description="Student backbone; `eyebright models --search TEXT` lists those available.",
    )
    weights: Weights = None
    data: ImagesNow = None
    out: Out = None
    overwrite: Overwrite = False
    finetune: Literal["last", "full", "auto"] = Field(
        "full",
        description=(
            "How much of the student to fine-tune: the last blocks, everything, or whichever scores "
            "best on holdout images."
        ),
    )
    # ---- the teacher
    share: Annotated[float, Heading("Teacher")] = Field(
        0.7, ge=0, le=1, description="Weight of the distillation loss; the labels get the rest."
    )
    temperature: Annotated[float, Metavar("NUMBER")] = Field(
        2.0, gt=0, description="Temperature that softens the teacher's predictions."
    )
    features: Annotated[float, Metavar("NUMBER")] = Field(
        0.0, ge=0, description="Weight of the feature distillation loss; 0 disables it."
    )
    views: int = Field(
        8, ge=1, le=100, description="Augmented views of each image that the teacher is run on, once."
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
    seed: int = Field(0, ge=0, description="Random seed.")
    lang: ReportLang = "en"


# Fields come in the order of the bases read from the right: columns come last.
class DistillConfig(ColumnsConfig, DistillationConfig):
    """Options of `eyebright distill`; every field is also a command-line option and a TOML key."""
