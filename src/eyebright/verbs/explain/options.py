"""The options of `eyebright explain`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from eyebright.options.base import Config
from eyebright.options.fields import MessageLang
from eyebright.options.marks import Metavar


class ExplainConfig(Config):
    """What `eyebright explain` can be told; every field is also a command-line option and a TOML key."""

    model: Path = Field(description="Model to look into: a model.onnx, or the run directory that holds one.")
    images: list[str] = Field(
        min_length=1,
        description="Images: files, folders or glob patterns; - reads a list of paths from standard input.",
    )
    class_: Annotated[str | None, Metavar("NAME")] = Field(
        None, description="Class whose evidence is shown (default: the one that is answered)."
    )
    method: Literal["auto", "exact", "gradcam", "rollout"] = Field(
        "auto",
        description="exact takes the linear head apart, gradcam follows gradients, rollout follows "
        "attention; auto takes exact where it can be had.",
    )
    out: Path | None = Field(None, description="Directory to write (default: explanations/NAME-TIME).")
    lang: MessageLang = "en"
