"""The options of `eyebright doctor`."""

from __future__ import annotations

from pydantic import Field

from eyebright.options.base import Config
from eyebright.options.fields import MessageLang


class DoctorConfig(Config):
    """What `eyebright doctor` can be told."""

    json_: bool = Field(False, description="Print JSON instead of a table.")
    lang: MessageLang = "en"
