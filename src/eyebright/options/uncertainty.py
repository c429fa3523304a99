"""The options that say how a model tells what it does not know."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from eyebright.options.base import Config
from eyebright.options.marks import Heading


class KnowingConfig(Config):
    """Sets of classes, and images that are unlike all that was trained on."""

    coverage: Annotated[float, Heading("What it does not know")] = Field(
        0.9,
        gt=0,
        lt=1,
        description="Share of images whose set of classes is to hold the true one.",
    )
    coverage_per_class: bool = Field(
        False, description="Keep to the coverage for each class by itself, which makes sets larger."
    )
    false_rejection: float = Field(
        0.05, gt=0, lt=1, description="Share of the model's own images that may be called unknown."
    )
