"""Options of how images are split, beside those of the data."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator

from eyebright.errors import ConfigError
from eyebright.options.base import Config
from eyebright.options.marks import Heading, Metavar


class SplitConfig(Config):
    """How images are split."""

    folds: Annotated[Annotated[int, Field(ge=2, le=20)] | None, Heading("Splits")] = Field(
        None,
        description=(
            "Cross-validate in so many folds: every image is evaluated, by a model that did not see it; the "
            "final model learns from all."
        ),
    )
    split_by: Literal["chance", "time"] = Field(
        "chance",
        description=(
            "How images are held out: by chance, or by the time they were taken (EXIF), the newest for "
            "testing."
        ),
    )
    group_from: Annotated[str | None, Metavar("REGEX")] = Field(
        None,
        description=(
            "Regular expression that finds in a file's name what its group is (patient, product, burst); "
            "groups stay in one split."
        ),
    )

    @field_validator("group_from")
    @classmethod
    def _is_pattern(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except (re.error, OverflowError, RecursionError) as error:
            raise ConfigError(
                "--group-from must be a regular expression. Got {pattern}: {reason}. Correct it.",
                pattern=value,
                reason=error,
            ) from None
        return value
