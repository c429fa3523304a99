"""The options of `eyebright demo`."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from eyebright.options.base import Config
from eyebright.options.fields import Overwrite, ReportLang, Seed

#: The demo's own directory, which every demo writes anew.
DEMO_RUN = Path("runs/demo")


class DemoConfig(Config):
    """Options of `eyebright demo`."""

    out: Path = Field(DEMO_RUN, description="Run directory to write.")
    overwrite: Overwrite = False
    seed: Seed = 0
    lang: ReportLang = "en"
