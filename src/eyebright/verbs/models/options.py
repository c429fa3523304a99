"""The options of `eyebright models`."""

from __future__ import annotations

from pydantic import Field

from eyebright.options.base import Config
from eyebright.options.fields import MessageLang


class ModelsConfig(Config):
    """What `eyebright models` can be told."""

    search: str | None = Field(None, description="Those of all libraries whose name holds TEXT.")
    limit: int = Field(20, ge=1, description="List at most so many.")
    speed: bool = Field(False, description="Measure how many images a second each of them takes in here.")
    json_: bool = Field(False, description="Print JSON instead of a table.")
    lang: MessageLang = "en"
