"""The options of `eyebright shrink`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from eyebright.options.base import Config
from eyebright.options.columns import ColumnsConfig
from eyebright.options.fields import ImagesNow, Overwrite, time_seconds
from eyebright.options.marks import Heading, Metavar, Several
from eyebright.verbs.shrink.targets import checked_target

_Size = Annotated[int, Field(ge=64, le=1024, multiple_of=32)]


class SmallerModelConfig(Config):
    """Which model is shrunk, to what, and what is tried."""

    model: Path = Field(description="Model to shrink: a run directory, or its model.onnx.")
    target: Annotated[
        list[Annotated[str, AfterValidator(checked_target)]],
        Metavar("TARGET"),
        Field(min_length=1),
        Several(),
    ] = Field(description='Target to meet, in quotes: "latency<=10ms", "size<=5MB"; one or more.')
    data: ImagesNow = None
    out: Path | None = Field(None, description="Run directory to write (default: runs/NAME-TIME).")
    overwrite: Overwrite = False
    # ---- what is tried
    backbone: Annotated[
        list[str], Metavar("NAME …"), Several(), Field(min_length=1), Heading("Candidates")
    ] = Field(
        ["efficientnet_lite0"],
        description="Frozen backbones, each tried at every size with its feature layers.",
    )
    size: Annotated[list[_Size], Metavar("N …"), Several(), Field(min_length=1)] = Field(
        [96, 160, 224, 288], description="Input sizes to try, in pixels; multiples of 32."
    )
    candidates: Annotated[list[Path], Metavar("RUN …"), Several()] = Field(
        [], description="More candidates with the same classes, such as distilled or pruned models."
    )
    int8: bool = Field(True, description="Skip int8 versions of the best candidates.")
    budget: Annotated[Annotated[float, BeforeValidator(time_seconds)] | None, Metavar("TIME")] = Field(
        None, description="Time after which no new candidate starts, such as 10m or 1h."
    )
    max_images: int = Field(500, ge=1, description="Maximum number of validation images to compare on.")
    seed: int = Field(
        0, ge=0, description="Random seed for sampling images and for the cross-validation folds."
    )
    lang: Literal["en", "zh"] = Field("en", description="Language of the report and of messages.")


# Fields come in the order of the bases read from the right: columns come last.
class ShrinkConfig(ColumnsConfig, SmallerModelConfig):
    """Options of `eyebright shrink`; every field is also a command-line option and a TOML key."""
