"""The options of `eyebright shrink`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from eyebright.options.base import Config
from eyebright.options.fields import time_seconds
from eyebright.options.marks import Heading, Metavar, Several
from eyebright.verbs.shrink.targets import checked_target

_Size = Annotated[int, Field(ge=64, le=1024, multiple_of=32)]


class ShrinkConfig(Config):
    """What `eyebright shrink` can be told; every field is also a command-line option and a TOML key."""

    model: Path = Field(description="Model to find a smaller one for: a run directory, or its model.onnx.")
    target: Annotated[
        list[Annotated[str, AfterValidator(checked_target)]],
        Metavar("TARGET"),
        Field(min_length=1),
        Several(),
    ] = Field(description='What must be kept to, between quotes: "latency<=10ms", "size<=5MB"; one or more.')
    data: Path | None = Field(None, description="Where the images are now (default: where the run saw them).")
    out: Path | None = Field(None, description="Run directory to write (default: runs/NAME-TIME).")
    # ---- what is tried
    backbone: Annotated[
        list[str], Metavar("NAME …"), Several(), Field(min_length=1), Heading("What is tried")
    ] = Field(["efficientnet_lite0"], description="Frozen networks, each with every size and its layers.")
    size: Annotated[list[_Size], Metavar("N …"), Several(), Field(min_length=1)] = Field(
        [96, 160, 224, 288], description="Input sizes in pixels, multiples of 32."
    )
    also: Annotated[list[Path], Metavar("RUN …"), Several()] = Field(
        [], description="Further models of the same classes, such as distilled or pruned ones."
    )
    int8: bool = Field(True, description="Leave out what int8 makes of the best that were found.")
    budget: Annotated[Annotated[float, BeforeValidator(time_seconds)] | None, Metavar("TIME")] = Field(
        None, description="Time after which nothing new is tried, such as 10m or 1h."
    )
    images: int = Field(500, ge=1, description="How many validation images to compare on, at most.")
    seed: int = Field(0, ge=0, description="Of the draw of images and of the heads' folds.")
    lang: Literal["en", "zh"] = Field("en", description="Language of the report and of messages.")
