"""The options of `eyebright compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from eyebright.options.base import Config


class CompareConfig(Config):
    """Options of `eyebright compare`; every field is also a command-line option and a TOML key."""

    runs: list[Path] = Field(
        min_length=2, description="Two or more run directories, of trainings or evaluations."
    )
    out: Path | None = Field(None, description="Directory to write (default: comparisons/NAME-TIME).")
    seed: int = Field(0, ge=0, description="Random seed of the bootstrap intervals.")
    lang: Literal["en", "zh"] = Field("en", description="Language of the page and of messages.")
