"""The options of `eyebright monitor`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from eyebright.options.base import Config
from eyebright.options.columns import ColumnsConfig
from eyebright.options.fields import ImagesNow, ReportLang
from eyebright.options.marks import CommandLineOnly, Metavar, Named


class WatchedConfig(Config):
    """Which log is compared with which run."""

    log: Path = Field(description="Log of a model, written by `eyebright predict --log` or by a service.")
    reference: Annotated[Path, Metavar("RUN"), Named()] = Field(
        description="Run of that model, with whose validation and test images the logged ones are compared."
    )
    data: ImagesNow = None
    queue: Annotated[Path | None, Metavar("FILE")] = Field(
        None,
        description="Also write the logged images that are worth a look as CSV (path, score, reason).",
    )
    format: Annotated[Literal["text", "json", "html", "prometheus"], CommandLineOnly()] = Field(
        "text", description="Output format: text, JSON, one HTML page, or gauges for Prometheus."
    )
    seed: int = Field(0, ge=0, description="Random seed of the order of images within a window.")
    lang: ReportLang = "en"


# Fields come in the order of the bases read from the right: columns come last.
class MonitorConfig(ColumnsConfig, WatchedConfig):
    """Options of `eyebright monitor`; every field is also a command-line option and a TOML key."""
