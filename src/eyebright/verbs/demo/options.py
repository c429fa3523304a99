"""The options of `eyebright demo`."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from eyebright.options.base import Config
from eyebright.options.fields import ReportLang, Seed


class DemoConfig(Config):
    """Options of `eyebright demo`."""

    out: Path = Field(Path("runs/demo"), description="Run directory to write.")
    seed: Seed = 0
    lang: ReportLang = "en"
