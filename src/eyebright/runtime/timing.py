"""How long each stage of a run takes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stopwatch:
    """Adds up wall-clock seconds by stage, in the order in which the stages began."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self._stages: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Times a block as part of the stage ``name``."""
        self._stages.setdefault(name, 0.0)
        start = time.perf_counter()
        try:
            yield
        finally:
            self._stages[name] += time.perf_counter() - start

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds by stage, and the ``total`` since the watch was made."""
        return {**self._stages, "total": time.perf_counter() - self._start}
