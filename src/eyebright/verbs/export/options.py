"""The options of `eyebright export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from eyebright.errors import ConfigError
from eyebright.options.base import Config
from eyebright.options.columns import ColumnsConfig
from eyebright.options.fields import ImagesNow
from eyebright.options.marks import Several

FormatName = Literal[
    "onnx",
    "openvino",
    "triton",
    "html",
    "torchscript",
    "pt2",
    "executorch",
    "coreml",
    "ncnn",
    "litert",
]


class ExportedConfig(Config):
    """Which model is exported, to what, and on which images it is checked."""

    model: Path = Field(description="Model to export: a run directory, or its model.onnx.")
    to: Annotated[list[FormatName], Several(), Field(min_length=1)] = Field(
        description="Formats to write, one or more."
    )
    plain: bool = Field(False, description="For onnx: take normalised floats as input instead of raw pixels.")
    int8: bool = Field(False, description="Quantise to int8, calibrated on training images.")
    fp16: bool = Field(False, description="Convert to float16, for GPUs and phones.")
    data: ImagesNow = None
    out: Path | None = Field(None, description="Folder to write (default: exports/ beside the model).")
    max_images: int = Field(500, ge=1, description="Maximum number of validation images to compare on.")
    min_agreement: float = Field(
        0.999,
        ge=0,
        le=1,
        description="Minimum share of images on which a float export must give the same answer.",
    )
    max_loss: float = Field(
        0.5, ge=0, le=100, description="Maximum accuracy loss of an int8 export, in percentage points."
    )
    seed: int = Field(0, ge=0, description="Random seed for sampling images.")
    lang: Literal["en", "zh"] = Field("en", description="Language of messages.")


# Fields come in the order of the bases read from the right: columns come last.
class ExportConfig(ColumnsConfig, ExportedConfig):
    """Options of `eyebright export`; every field is also a command-line option and a TOML key."""

    @model_validator(mode="after")
    def _plain_is_for_onnx(self) -> Self:
        if self.plain and "onnx" not in self.to:
            raise ConfigError(
                "--plain applies to onnx only, so --to must include onnx. Got {formats}. Add onnx to "
                "--to, or remove --plain.",
                formats=", ".join(self.to),
            )
        return self

    @model_validator(mode="after")
    def _one_precision(self) -> Self:
        if self.int8 and self.fp16:
            raise ConfigError(
                "An export has one precision. Got --int8 and --fp16. Export twice, once with each."
            )
        return self
