"""Options of prediction sets and of the out-of-distribution score."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from eyebright.options.base import Config
from eyebright.options.marks import Heading


class UncertaintyConfig(Config):
    """Coverage of prediction sets and rejection of out-of-distribution images."""

    coverage: Annotated[float, Heading("Uncertainty")] = Field(
        0.9,
        gt=0,
        lt=1,
        description="Target coverage: share of images whose prediction set is to contain the true class.",
    )
    coverage_per_class: bool = Field(
        False,
        description="Guarantee the coverage for each class separately, which makes prediction sets larger.",
    )
    false_rejection: float = Field(
        0.05, gt=0, lt=1, description="Share of in-distribution images that may be rejected as unknown."
    )
