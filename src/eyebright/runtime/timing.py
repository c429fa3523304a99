"""How long each stage of a run takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import median


class Stopwatch:
    """Adds up wall-clock seconds by stage, in the order in which the stages began."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self._stages: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a block as part of the stage ``name``."""
        self._stages.setdefault(name, 0.0)
        start = time.perf_counter()
        try:
            yield
        finally:
            self._stages[name] += time.perf_counter() - start

    @property
    def seconds(self) -> dict[str, float]:
        """Return seconds by stage, and the ``total`` since the watch was made."""
        return {**self._stages, "total": time.perf_counter() - self._start}


def interleaved_ms(calls: Sequence[Callable[[], object]], runs: int = 30, warm_up: int = 3) -> list[float]:
    """Return median milliseconds of each call, made in turn, so that a noisy moment meets all of them alike.

    Args:
        calls: what is timed.
        runs: of each that count.
        warm_up: of each before these.
    """
    times: list[list[float]] = [[] for _ in calls]
    for run in range(warm_up + runs):
        for call, found in zip(calls, times, strict=True):
            start = time.perf_counter()
            call()
            if run >= warm_up:
                found.append(1000 * (time.perf_counter() - start))
    return [median(found) for found in times]
