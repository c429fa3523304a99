"""The options of `eyebright models`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from eyebright.options.base import Config
from eyebright.options.fields import MessageLang
from eyebright.options.marks import CommandLineOnly


class ModelsConfig(Config):
    """Options of `eyebright models`."""

    search: str | None = Field(None, description="List backbones of all libraries whose name contains TEXT.")
    limit: int = Field(20, ge=1, description="Maximum number of backbones to list.")
    speed: bool = Field(
        False, description="Measure the throughput of each backbone on this machine, in images per second."
    )
    json_: Annotated[bool, CommandLineOnly()] = Field(False, description="Print JSON instead of a table.")
    lang: MessageLang = "en"
