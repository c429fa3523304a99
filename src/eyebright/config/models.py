"""The options of `eyebright models`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from eyebright.config.base import Config


class ModelsConfig(Config):
    """What `eyebright models` can be told."""

    json_: bool = Field(False, description="Print JSON instead of a table.")
    lang: Literal["en", "zh"] = Field("en", description="Language of messages.")
