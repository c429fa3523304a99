"""What a tracker is: somewhere else that a training's figures go, epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

#: A figure by its name; what was not measured is None and is not logged.
Figures = Mapping[str, float | None]


class Tracker(Protocol):
    """A place where runs are compared; it must cost nothing to go on after :meth:`start` was called again."""

    name: str

    def start(self, run: str, params: Mapping[str, object]) -> None:
        """Begins the run called ``run``, or goes on with it; ``params`` are the options by name.

        Raises:
            EyebrightError: the place cannot be reached or written.
        """

    def epoch(self, number: int, figures: Figures) -> None:
        """Logs the figures of one epoch; a number that was logged before is replaced or repeated."""

    def finish(self, figures: Figures) -> None:
        """Logs the final figures and closes the run."""


def measured(figures: Figures) -> dict[str, float]:
    """Those of ``figures`` that there are."""
    return {name: float(value) for name, value in figures.items() if value is not None}
