"""The options of `eyebright audit`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator

from eyebright.auditing.findings import KINDS
from eyebright.errors import ConfigError, nearest
from eyebright.options.base import Config
from eyebright.options.cluster import ClusterConfig
from eyebright.options.columns import ColumnsConfig
from eyebright.options.fields import (
    DataPath,
    FixesFile,
    ReportLang,
)
from eyebright.options.marks import Metavar, Several

_ANY = "any"


class ExaminationConfig(Config):
    """Which images are examined, and how."""

    data: DataPath
    out: Path | None = Field(None, description="Directory to write (default: audits/NAME-TIME).")
    fixes: FixesFile = None
    fail_on: Annotated[list[str], Metavar("KIND …"), Several()] = Field(
        [], description="Kinds of findings for which the exit status is 1, such as leak; any stands for all."
    )
    size: int = Field(
        224,
        ge=64,
        le=1024,
        multiple_of=32,
        description="Input size in pixels of the features that are compared.",
    )
    seed: int = Field(0, ge=0, description="Random seed of everything that is drawn.")
    lang: ReportLang = "en"


# Fields come in the order of the bases read from the right: columns come last.
class AuditConfig(ClusterConfig, ColumnsConfig, ExaminationConfig):
    """Options of `eyebright audit`; every field is also a command-line option and a TOML key."""

    @field_validator("fail_on")
    @classmethod
    def _known_kinds(cls, value: list[str]) -> list[str]:
        words = [word for part in value for word in part.replace(",", " ").split()]
        for word in words:
            if word not in (*KINDS, _ANY):
                raise ConfigError(
                    "--fail-on must name kinds of findings. There is no kind {word}; the closest are: "
                    "{nearest}. "
                    "Use one of: {known}.",
                    word=word,
                    nearest=nearest(word, KINDS),
                    known=", ".join((*KINDS, _ANY)),
                )
        return list(KINDS) if _ANY in words else words
