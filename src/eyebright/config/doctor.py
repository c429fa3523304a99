"""The options of `eyebright doctor`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from eyebright.config.base import Config


class DoctorConfig(Config):
    """What `eyebright doctor` can be told."""

    json_: bool = Field(False, description="Print JSON instead of a table.")
    lang: Literal["en", "zh"] = Field("en", description="Language of messages.")
