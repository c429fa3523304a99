"""The protocol of experiment trackers, which log a training's metrics epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

#: A figure by its name; what was not without_missing is None and is not logged.
EpochMetrics = Mapping[str, float | None]
MODEL = "model.onnx"
#: Files of a finished run that a tracker keeps, where they are there.
RUN_FILES = (MODEL, "report.html", "model_card.md", "metrics.json", "history.csv")


class Tracker(Protocol):
    """A tool in which runs are compared; :meth:`start` may be called again to resume a run."""

    name: str

    def start(self, run: str, params: Mapping[str, object]) -> None:
        """Start the run called ``run``, or resume it; ``params`` are the options by name.

        Raises:
            EyebrightError: the tracker cannot be reached or written.
        """

    def epoch(self, number: int, metrics: EpochMetrics) -> None:
        """Log the metrics of one epoch; an epoch that was logged before is replaced or repeated."""

    def finish(self, metrics: EpochMetrics) -> None:
        """Log the final metrics and close the run."""


def without_missing(metrics: EpochMetrics) -> dict[str, float]:
    """Return the metrics that were measured."""
    return {name: float(value) for name, value in metrics.items() if value is not None}
