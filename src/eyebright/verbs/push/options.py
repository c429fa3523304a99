"""The options of `eyebright push`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from eyebright.options.base import Config
from eyebright.options.fields import MessageLang


class PushConfig(Config):
    """Options of `eyebright push`; every field is also a command-line option and a TOML key."""

    run: Path = Field(description="Run directory of a training.")
    destination: str = Field(
        description="Where it goes: hf://OWNER/NAME on the Hugging Face hub, s3://BUCKET/FOLDER, or a folder."
    )
    include: list[Literal["predictions", "manifest", "exports"]] = Field(
        [],
        description=(
            "Also push predictions.csv, manifest.parquet (both name every image) or the exports; may be "
            "given several times."
        ),
    )
    report: bool = Field(True, description="Push report.html, which shows and names some of the images.")
    public: bool = Field(
        False, description="Make a new repository on the hub public; by default it is private."
    )
    overwrite: bool = Field(False, description="Replace another run, or other files, at the destination.")
    lang: MessageLang = "en"
