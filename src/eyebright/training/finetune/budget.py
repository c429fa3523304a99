"""Wall-clock time: how much is gone, and when training must end so that the model is finished in time."""

from __future__ import annotations

import time

_EVALUATION_MARGIN = 1.1
_SMOOTHING = 0.3


class Budget:
    """The time of one training, over all its continuations.

    Evaluations are part of it: time is kept in reserve for the last ones.

    Args:
        seconds: within which training and evaluation end; None for no limit.
        spent_seconds: what earlier parts of the same run took.
        evaluation_seconds: what an evaluation took in them.
        last_evaluations: how many follow the last step.
    """

    def __init__(
        self,
        seconds: float | None,
        spent_seconds: float = 0.0,
        evaluation_seconds: float = 0.0,
        last_evaluations: int = 1,
    ) -> None:
        self._seconds = seconds
        self._started = time.monotonic() - spent_seconds
        self._elapsed = spent_seconds
        self._last_evaluations = last_evaluations
        self._reserve = last_evaluations * evaluation_seconds * _EVALUATION_MARGIN
        self._step = 0.0

    def elapsed(self) -> float:
        """Return seconds on this process's clock since the run began, pauses between its parts left out."""
        return time.monotonic() - self._started

    def stepped(self, elapsed: float, previous: float) -> None:
        """Count a step from ``previous`` to ``elapsed``, on the clock that all processes share."""
        self._elapsed = elapsed
        step = elapsed - previous
        self._step = step if not self._step else (1 - _SMOOTHING) * self._step + _SMOOTHING * step

    def evaluated(self, elapsed: float, seconds: float) -> None:
        """Count an evaluation that ended at ``elapsed`` and took ``seconds``."""
        self._elapsed = elapsed
        self._reserve = self._last_evaluations * seconds * _EVALUATION_MARGIN

    def share(self) -> float:
        """Return share of the time for training that is gone, 0 … 1; always 0 without a limit."""
        if self._seconds is None:
            return 0.0
        return min(1.0, self._elapsed / max(self._seconds - self._reserve, 1e-9))

    def over(self) -> bool:
        """Return whether another step would leave too little time for the last evaluation."""
        return self._seconds is not None and self._elapsed + self._step + self._reserve > self._seconds
