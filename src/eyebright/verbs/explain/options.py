"""The options of `eyebright explain`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from eyebright.options.base import Config
from eyebright.options.columns import PathInTables, TextInTables
from eyebright.options.fields import MessageLang
from eyebright.options.marks import Metavar


class ExplainConfig(Config):
    """Options of `eyebright explain`; every field is also a command-line option and a TOML key."""

    model: Path = Field(description="Model to explain: a model.onnx, or the run directory that contains it.")
    images: list[str] = Field(
        min_length=1,
        description=(
            "Image files, folders, archives, Parquet files of images, tables, s3:// places or glob "
            "patterns; - reads a list of paths from standard input."
        ),
    )
    path: PathInTables = None
    text: TextInTables = Field([])
    class_: Annotated[str | None, Metavar("NAME")] = Field(
        None, description="Class to explain (default: the predicted class)."
    )
    method: Literal["auto", "exact", "gradcam", "rollout"] = Field(
        "auto",
        description=(
            "exact decomposes the linear head, gradcam uses gradients, rollout uses attention; auto "
            "uses exact where possible."
        ),
    )
    out: Path | None = Field(None, description="Directory to write (default: explanations/NAME-TIME).")
    lang: MessageLang = "en"
