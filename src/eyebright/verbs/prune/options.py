"""The options of `eyebright prune`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from eyebright.options.base import Config
from eyebright.options.columns import ColumnsConfig
from eyebright.options.fields import (
    Augment,
    Batch,
    Device,
    Epochs,
    ImagesNow,
    ModelTime,
    Out,
    Overwrite,
    Precision,
    Rate,
    ReportLang,
)
from eyebright.options.marks import Heading


class PruningConfig(Config):
    """Which model is pruned, and how it is trained afterwards."""

    model: Path = Field(description="Model to prune: a run directory, or its model.onnx.")
    keep: float = Field(0.5, gt=0, lt=1, description="Share of the backbone's multiply-adds to keep.")
    importance: Literal["taylor", "norm"] = Field(
        "taylor",
        description=(
            "Channel importance: effect on the loss over training images (taylor), or weight norm (norm)."
        ),
    )
    data: ImagesNow = None
    out: Out = None
    overwrite: Overwrite = False
    # ---- the training afterwards
    epochs: Annotated[Epochs, Heading("Training")] = None
    budget: ModelTime = None
    batch: Batch = "auto"
    lr: Rate = "auto"
    views: int = Field(
        8, ge=1, le=100, description="Augmented views of each image that the teacher is run on, once."
    )
    augment: Augment = "auto"
    precision: Precision = "auto"
    device: Device = "auto"
    seed: int = Field(0, ge=0, description="Random seed.")
    lang: ReportLang = "en"


# Fields come in the order of the bases read from the right: columns come last.
class PruneConfig(ColumnsConfig, PruningConfig):
    """Options of `eyebright prune`; every field is also a command-line option and a TOML key."""
