"""The options of `eyebright suggest`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from eyebright.options.base import Config
from eyebright.options.columns import PathColumnConfig
from eyebright.options.fields import ReportLang
from eyebright.options.marks import CommandLineOnly, Short


class SuggestionConfig(Config):
    """What to suggest, from which images."""

    run: Path = Field(description="Run of `eyebright train` whose model is to become better.")
    folder: Path = Field(description="Images without labels: a folder, an archive or a table.")
    count: Annotated[int, Short("-n")] = Field(50, ge=1, le=10_000, description="How many images to suggest.")
    format: Annotated[Literal["text", "csv", "html"], CommandLineOnly()] = Field(
        "text",
        description="Output format: text, a CSV with path, score and reason, or one HTML page with pictures.",
    )
    seed: int = Field(0, ge=0, description="Random seed.")
    lang: ReportLang = "en"


class SuggestConfig(PathColumnConfig, SuggestionConfig):
    """Options of `eyebright suggest`; every field is also a command-line option and a TOML key."""
