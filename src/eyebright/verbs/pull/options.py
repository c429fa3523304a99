"""The options of `eyebright pull`."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from eyebright.options.base import Config
from eyebright.options.fields import MessageLang


class PullConfig(Config):
    """Options of `eyebright pull`; every field is also a command-line option and a TOML key."""

    source: str = Field(
        description=(
            "Where a run was pushed to: hf://OWNER/NAME, perhaps with @REVISION; s3://BUCKET/FOLDER; or a "
            "folder."
        )
    )
    directory: Path = Field(description="Run directory to write.")
    overwrite: bool = Field(False, description="Replace the run, or other files, in that directory.")
    lang: MessageLang = "en"
