"""Options of how images are split, beside those of the data."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from eyebright.options.base import Config
from eyebright.options.marks import Heading


class SplitConfig(Config):
    """How images are split."""

    folds: Annotated[Annotated[int, Field(ge=2, le=20)] | None, Heading("Splits")] = Field(
        None,
        description=(
            "Cross-validate in so many folds: every image is evaluated, by a model that did not see it; the "
            "final model learns from all."
        ),
    )
