"""The options of `eyebright demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from eyebright.config.base import Config


class DemoConfig(Config):
    """What `eyebright demo` can be told."""

    out: Path = Field(Path("runs/demo"), description="Run directory to write.")
    seed: int = Field(0, ge=0, description="Seed of the split and of everything else that is drawn.")
    lang: Literal["en", "zh"] = Field("en", description="Language of the report and of messages.")
