"""The options of `eyebright prune`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from eyebright.config.base import Config
from eyebright.config.finetune import time_seconds
from eyebright.config.marks import Heading, Metavar


class PruneConfig(Config):
    """What `eyebright prune` can be told; every field is also a command-line option and a TOML key."""

    model: Path = Field(description="Model to prune: a run directory, or its model.onnx.")
    keep: float = Field(0.5, gt=0, lt=1, description="Share of the network's multiplications that may stay.")
    importance: Literal["taylor", "norm"] = Field(
        "taylor", description="What tells which channels go: the loss's slope on training images, or weights."
    )
    data: Path | None = Field(None, description="Where the images are now (default: where the run saw them).")
    out: Path | None = Field(None, description="Run directory to write (default: runs/NAME-TIME).")
    # ---- the training afterwards
    epochs: Annotated[Annotated[int, Field(ge=1)] | None, Heading("Training")] = Field(
        None, description="Passes through the training images (default: chosen)."
    )
    budget: Annotated[Annotated[float, BeforeValidator(time_seconds)] | None, Metavar("TIME")] = Field(
        None, description="Time until the model is finished, such as 10m, 90s or 1h30m."
    )
    batch: Annotated[int, Field(ge=1)] | Literal["auto"] = Field(
        "auto", description="Images a step; what memory cannot hold at once is added up in parts."
    )
    lr: Annotated[Annotated[float, Field(gt=0)] | Literal["auto", "find"], Metavar("NUMBER|auto|find")] = (
        Field("auto", description="Highest learning rate; find measures it first and plots what it saw.")
    )
    views: int = Field(
        8, ge=1, le=100, description="Augmented views of each image that the teacher is asked about, once."
    )
    augment: Literal["none", "light", "standard", "randaugment", "trivial"] = Field(
        "standard", description="How strongly training images are varied."
    )
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto", description="Number format while training; auto times those that the device has."
    )
    device: Literal["auto", "cpu", "cuda", "mps", "xla"] = Field("auto", description="Where to train.")
    seed: int = Field(0, ge=0, description="Seed of everything that is drawn.")
    lang: Literal["en", "zh"] = Field("en", description="Language of the report and of messages.")
