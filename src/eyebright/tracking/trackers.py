"""Several trackers as one; none of them can stop a running training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from eyebright.runtime.context import say
from eyebright.tracking.base import EpochMetrics, Tracker
from eyebright.tracking.mlflow import MLflowTracker
from eyebright.tracking.tensorboard import TensorBoardTracker
from eyebright.tracking.wandb import WandbTracker


class Trackers:
    """Pass everything on to each tracker; one that fails is dropped with a message."""

    name = "trackers"

    def __init__(self, trackers: Sequence[Tracker]) -> None:
        self._trackers = list(trackers)

    def start(self, run: str, params: Mapping[str, object]) -> None:
        """Start all.

        Raises:
            EyebrightError: one of them cannot be reached or written.
        """
        for tracker in self._trackers:
            tracker.start(run, params)

    def epoch(self, number: int, metrics: EpochMetrics) -> None:
        """Log one epoch to each."""
        self._each(lambda tracker: tracker.epoch(number, metrics))

    def finish(self, metrics: EpochMetrics) -> None:
        """Close all."""
        self._each(lambda tracker: tracker.finish(metrics))

    def _each(self, call: Callable[[Tracker], None]) -> None:
        for tracker in tuple(self._trackers):
            try:
                call(tracker)
            except Exception as error:  # an unreachable server must not cost hours of training
                self._trackers.remove(tracker)
                say(
                    "Logging to {name} failed ({reason}). Later epochs are not logged there; "
                    "history.csv has all of them.",
                    name=tracker.name,
                    reason=type(error).__name__,
                )


def trackers(names: Sequence[str], directory: Path) -> Trackers:
    """Return the trackers called ``names``, such as ``mlflow``, for the run in ``directory``.

    Raises:
        MissingExtraError: the package of one of them is not installed.
    """
    makers: dict[str, Callable[[], Tracker]] = {
        "tensorboard": lambda: TensorBoardTracker(directory / "tensorboard"),
        "mlflow": lambda: MLflowTracker(directory / "mlflow-run"),
        "wandb": lambda: WandbTracker(directory / "wandb-run"),
    }
    return Trackers([makers[name]() for name in dict.fromkeys(names)])
