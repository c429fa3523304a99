"""The options of `eyebright distill`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from eyebright.config.base import Config
from eyebright.config.finetune import time_seconds
from eyebright.config.marks import Heading, Metavar


class DistillConfig(Config):
    """What `eyebright distill` can be told; every field is also a command-line option and a TOML key."""

    model: Path = Field(description="Teacher: a run directory, or its model.onnx.")
    student: Annotated[str, Metavar("NAME")] = Field(
        "efficientnet_lite0",
        description="Network that learns from it; `eyebright models --search TEXT` lists them.",
    )
    weights: Path | Literal["none"] | None = Field(
        None, description="File with its weights (.safetensors, .pth); none starts from random ones."
    )
    data: Path | None = Field(None, description="Where the images are now (default: where the run saw them).")
    out: Path | None = Field(None, description="Run directory to write (default: runs/NAME-TIME).")
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
    size: Annotated[
        Annotated[int, Field(ge=64, le=1024, multiple_of=32)] | Literal["auto"], Heading("Training")
    ] = Field(
        "auto", description="Input size in pixels, a multiple of 32; auto chooses it on the training part."
    )
    layers: Literal["auto", "texture", "stages", "all"] = Field(
        "auto", description="Layers to take features from; auto compares them on the training part."
    )
    epochs: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Passes through the training images (default: chosen)."
    )
    budget: Annotated[Annotated[float, BeforeValidator(time_seconds)] | None, Metavar("TIME")] = Field(
        None, description="Time until the model is finished, such as 10m, 90s or 1h30m."
    )
    patience: int = Field(
        5, ge=0, description="Stop after so many epochs without gain and keep the best; 0: never."
    )
    batch: Annotated[int, Field(ge=1)] | Literal["auto"] = Field(
        "auto", description="Images a step; what memory cannot hold at once is added up in parts."
    )
    lr: Annotated[Annotated[float, Field(gt=0)] | Literal["auto", "find"], Metavar("NUMBER|auto|find")] = (
        Field("auto", description="Highest learning rate; find measures it first and plots what it saw.")
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
