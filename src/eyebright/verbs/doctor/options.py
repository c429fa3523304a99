"""The options of `eyebright doctor`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from eyebright.options.base import Config
from eyebright.options.fields import MessageLang
from eyebright.options.marks import CommandLineOnly


class DoctorConfig(Config):
    """Options of `eyebright doctor`."""

    json_: Annotated[bool, CommandLineOnly()] = Field(False, description="Print JSON instead of a table.")
    lang: MessageLang = "en"
