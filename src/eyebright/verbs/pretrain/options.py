"""The options of `eyebright pretrain`, for the command line, TOML files and the Python API alike."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from eyebright.errors import ConfigError
from eyebright.options.base import Config
from eyebright.options.columns import PathColumnConfig
from eyebright.options.fields import BackboneName, Device, Epochs, MessageLang, ModelTime, Weights
from eyebright.options.marks import CommandLineOnly, Heading, Metavar, Positional

_LARGEST_BATCH = 65_536


class PretrainingConfig(Config):
    """On which images a backbone is pretrained, and how."""

    data: Annotated[Path | None, Positional()] = Field(
        None,
        description=(
            "Images: a folder, with any folders below it, an archive or a table. Labels are not needed, and "
            "not learned from."
        ),
    )
    out: Path | None = Field(
        None, description="Directory to write the backbone to (default: backbones/NAME-TIME)."
    )
    overwrite: bool = Field(False, description="Replace the finished backbone in the directory of --out.")
    backbone: BackboneName = "efficientnet_lite0"
    weights: Weights = None
    size: Annotated[int, Field(ge=64, le=1024, multiple_of=32)] | Literal["auto"] = Field(
        "auto", description="Input size in pixels, a multiple of 32 (default: the backbone's own)."
    )
    unfreeze: Annotated[int, Field(ge=1)] | Literal["auto", "all"] = Field(
        "auto",
        description=(
            "Number of last blocks to train; auto trains half of them on a CPU, over cached "
            "activations, and all on an accelerator."
        ),
    )
    # ---- how long
    epochs: Annotated[Epochs, Heading("Duration")] = None
    budget: ModelTime = None
    # ---- what is learned
    method: Annotated[Literal["auto", "simclr", "vicreg", "barlow"], Heading("Learning")] = Field(
        "auto",
        description="Loss: simclr, or vicreg or barlow for small batches; auto takes the one that fits.",
    )
    batch: Annotated[int, Field(ge=2, le=_LARGEST_BATCH)] | Literal["auto"] = Field(
        "auto", description="Images per step; what does not fit in memory at once passes in parts."
    )
    views: int = Field(4, ge=2, le=16, description="Augmented views of each image in a step.")
    temperature: Annotated[float, Metavar("NUMBER")] = Field(
        0.2, gt=0, description="Temperature of the simclr loss."
    )
    lr: Annotated[float, Field(gt=0)] | Literal["auto"] = Field(
        "auto", description="Peak learning rate of the backbone's last block."
    )
    augment: Literal["auto", "colour", "gentle", "light", "upright", "standard"] = Field(
        "auto",
        description="Augmentation of the views; auto selects the strongest that leaves images recognisable.",
    )
    # ---- machine
    device: Annotated[Device, Heading("Hardware")] = "auto"
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="Numeric precision; auto is bf16 on CUDA devices and fp32 elsewhere."
    )
    processes: int = Field(1, ge=1, description="Number of training processes, one per device.")
    # ---- the run
    seed: Annotated[int, Heading("Run")] = Field(0, ge=0, description="Random seed.")
    resume: Path | None = Field(
        None,
        validate_default=True,
        description="Directory of the pretraining to resume; DATA may be omitted.",
    )
    lang: MessageLang = "en"

    @field_validator("resume")
    @classmethod
    def _something_to_learn_from(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is None and info.data.get("data", "") is None:
            raise ConfigError(
                "Images or a pretraining to resume must be given. Neither was. Give a folder, an archive "
                "or a table, or --resume DIRECTORY."
            )
        return value


class PretrainConfig(PathColumnConfig, PretrainingConfig):
    """Options of `eyebright pretrain`; every field is also a command-line option and a TOML key."""

    dry_run: Annotated[bool, CommandLineOnly()] = Field(
        False, description="Train nothing: try an epoch on a few images, and say how long all would take."
    )
