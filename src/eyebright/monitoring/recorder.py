"""Keep the log of a model while it answers: one call a batch, one window an hour."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock

import numpy as np

from eyebright.errors import StorageError
from eyebright.monitoring.log import Log
from eyebright.monitoring.sketch import Batch, OpenSketch

HOUR = 3600.0
# Recording an image whole takes about a tenth of the model's time. With one in 16 of those beyond the first
# few hundred, a service under load loses less than a hundredth.
_WHOLE, _EVERY = 256, 16


class Recorder:
    """Count what a model answers, from several threads, and write the log at the end of each window.

    Args:
        path: of the log; a new one begins where there is none. None keeps it in memory.
        model_sha256: of the sealed model.
        labels: its K classes.
        window_seconds: how long a window lasts.
        clock: returns seconds since 1970.

    Raises:
        DataError: the file is no log, or one of another model.
    """

    def __init__(
        self,
        path: Path | None,
        model_sha256: str,
        labels: tuple[str, ...],
        window_seconds: float = HOUR,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path = path
        self._seconds = window_seconds
        self._clock = clock
        self._lock = Lock()
        self._log = Log(model_sha256, labels)
        if path is not None and path.exists():
            self._log = self._log.merged(Log.read(path))
        self._random = np.random.default_rng([int(model_sha256, 16), self._log.images])
        self._open = self._begun()

    @property
    def wanted(self) -> bool:
        """Return whether the next batch should be recorded whole: the first of a window, and then some."""
        return self._open.batches < _WHOLE or self._open.batches % _EVERY == 0

    def observe(self, batch: Batch) -> None:
        """Count a batch of predictions; a window that has ended is written first."""
        with self._lock:
            now = self._clock()
            if now >= self._open.start + self._seconds:
                with suppress(StorageError):  # a full disk costs the file, not the answers
                    self._end(self._open.start + self._seconds)
            self._open.add(batch)

    def snapshot(self) -> Log:
        """Return the log with the window that is still open."""
        with self._lock:
            return self._whole(self._clock())

    def close(self) -> None:
        """Write the log with what was counted since its last window.

        Raises:
            StorageError: the disk is full or must not be written.
        """
        with self._lock:
            self._end(self._clock())

    def _begun(self) -> OpenSketch:
        return OpenSketch(len(self._log.labels), self._clock(), self._random)

    def _whole(self, end: float) -> Log:
        if not self._open.images:
            return self._log
        return self._log.followed_by([self._open.closed(max(end, self._open.start))])

    def _end(self, end: float) -> None:
        self._log = self._whole(end)
        self._open = self._begun()
        if self._path is not None:
            self._log.write(self._path)
