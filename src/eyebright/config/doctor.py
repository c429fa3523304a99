"""The options of `eyebright doctor`."""

from __future__ import annotations

from pydantic import Field

from eyebright.config.base import Config
from eyebright.config.fields import MessageLang


class DoctorConfig(Config):
    """What `eyebright doctor` can be told."""

    json_: bool = Field(False, description="Print JSON instead of a table.")
    lang: MessageLang = "en"
