"""Options of operating points and of the costs of errors, by which a class is predicted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from eyebright.options.base import Config
from eyebright.options.marks import Heading, Metavar


class DecisionConfig(Config):
    """Targets and costs, which training and evaluation share."""

    target: Annotated[list[str], Heading("Operating points and costs"), Metavar("TARGET")] = Field(
        [],
        description=(
            'Target for one class, such as "recall(defective) >= 0.95": recall, precision, '
            "specificity or false_positive_rate. May be repeated."
        ),
    )
    cost: Path | None = Field(
        None,
        description="CSV of the costs of errors: one row per true class, one column per predicted class.",
    )
