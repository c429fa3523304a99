"""The options of `eyebright prune`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from eyebright.options.base import Config
from eyebright.options.fields import (
    Augment,
    Batch,
    Device,
    Epochs,
    ModelTime,
    Out,
    Overwrite,
    Precision,
    Rate,
    ReportLang,
)
from eyebright.options.marks import Heading


class PruneConfig(Config):
    """Options of `eyebright prune`; every field is also a command-line option and a TOML key."""

    model: Path = Field(description="Model to prune: a run directory, or its model.onnx.")
    keep: float = Field(0.5, gt=0, lt=1, description="Share of the backbone's multiply-adds to keep.")
    importance: Literal["taylor", "norm"] = Field(
        "taylor",
        description=(
            "Channel importance: effect on the loss over training images (taylor), or weight norm (norm)."
        ),
    )
    data: Path | None = Field(
        None, description="Folder that holds the images now (default: the path recorded in the run)."
    )
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
