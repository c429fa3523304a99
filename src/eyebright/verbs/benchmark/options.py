"""The options of `eyebright benchmark`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from eyebright.options.base import Config
from eyebright.options.marks import Metavar, Several


class BenchmarkConfig(Config):
    """Options of `eyebright benchmark`; every field is also a command-line option and a TOML key."""

    models: list[Path] = Field(min_length=1, description="One or more runs, sealed models or export folders.")
    threads: Annotated[list[Annotated[int, Field(ge=0)]], Several(), Metavar("N …")] = Field(
        [1, 0], min_length=1, description="Threads per call; 0: all cores."
    )
    batch: Annotated[list[Annotated[int, Field(ge=1)]], Several(), Metavar("N …")] = Field(
        [1, 8, 32], min_length=1, description="Images per call, where the format supports batches."
    )
    seconds: float = Field(60, gt=0, description="Seconds to measure, without loading.")
    image: Path | None = Field(None, description="Image to measure with (default: 500 × 375 px of noise).")
    out: Path | None = Field(None, description="Directory to write (default: benchmarks/NAME-TIME).")
    seed: int = Field(0, ge=0, description="Random seed for the order of measurements.")
    lang: Literal["en", "zh"] = Field("en", description="Language of the page and of messages.")
