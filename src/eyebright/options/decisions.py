"""The options that say what a mistake costs, and so when a class is answered."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from eyebright.options.base import Config
from eyebright.options.marks import Heading, Metavar


class DecisionConfig(Config):
    """Targets and costs, which training and evaluation share."""

    target: Annotated[list[str], Heading("Decisions"), Metavar("TARGET")] = Field(
        [],
        description='What a class must keep to, such as "recall(defective) >= 0.95"; recall, precision, '
        "specificity or false_positive_rate. May be given several times.",
    )
    cost: Path | None = Field(
        None,
        description="CSV of what mistakes cost: a row for each true class, a column for each answer.",
    )
