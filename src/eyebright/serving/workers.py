"""The threads that decode images and run models, and whether one more image can be answered in time."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from eyebright.serving.errors import OverloadedError

Result = TypeVar("Result")

# How much the newest image counts in the mean time of an image.
_NEWEST = 0.05
# A thread that works on one image for so long will not come back.
_HANGING_SECONDS = 60.0


@dataclass(frozen=True)
class _Job:
    work: Callable[[], Any]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]


class Workers:
    """A few threads, each of which carries one image at a time all the way.

    They are daemons: an engine that hangs must not keep the process alive. Everything but the work itself
    happens in the event loop's thread.

    Args:
        count: of threads.
        seconds: that one image takes, as a first guess.
        deadline_seconds: within which an admitted image is to be answered.
    """

    def __init__(self, count: int, seconds: float, deadline_seconds: float) -> None:
        self.count = count
        self.seconds = seconds
        self.deadline_seconds = deadline_seconds
        #: Images that wait or are worked on.
        self.pending = 0
        #: Whether the service is ending: it answers what still comes, and is not ready any more.
        self.closing = False
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._started: list[float | None] = [None] * count
        self._threads = [
            Thread(target=self._work, args=(number,), name=f"worker-{number}", daemon=True)
            for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def admit(self) -> None:
        """Refuse a request that would wait longer than it may, before anything of it is read.

        Raises:
            OverloadedError: with the time after which there is room.
        """
        wait = self.wait_seconds
        if self.pending < self.count or wait <= self.deadline_seconds:  # the first ones wait for nothing
            return
        refused = OverloadedError(
            "An image must be answered within {deadline} s. {pending:image is|images are} waiting, which "
            "takes {wait} s. Try again later.",
            deadline=f"{self.deadline_seconds:g}",
            pending=self.pending,
            wait=f"{wait:.1f}",
        )
        refused.retry_after_seconds = max(1, math.ceil(wait - self.deadline_seconds / 2))
        raise refused

    @property
    def wait_seconds(self) -> float:
        """Return after how many seconds an image that came now would be answered, by the measured rate."""
        return (self.pending // self.count + 1) * self.seconds

    @property
    def hanging(self) -> bool:
        """Return whether a thread has worked on one image for a minute."""
        now = time.monotonic()
        return any(start is not None and now - start > _HANGING_SECONDS for start in self._started)

    async def run(self, work: Callable[[], Result]) -> Result:
        """Run ``work`` in one of the threads, and return its result."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        self.pending += 1
        self._jobs.put(_Job(work, loop, future))
        return await future

    def close(self, seconds: float) -> None:
        """End the threads, after what they work on; one that hangs is left behind."""
        for _ in self._threads:
            self._jobs.put(None)
        until = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _work(self, number: int) -> None:
        while (job := self._jobs.get()) is not None:
            start = self._started[number] = time.monotonic()
            result, error = None, None
            try:
                result = job.work()
            except Exception as raised:  # it is raised again where the request waits
                error = raised
            self._started[number] = None
            seconds = time.monotonic() - start
            with suppress(RuntimeError):  # the loop has ended, and nobody waits any more
                job.loop.call_soon_threadsafe(self._done, job.future, result, error, seconds)

    def _done(
        self, future: asyncio.Future[Any], result: Any, error: Exception | None, seconds: float
    ) -> None:
        self.pending -= 1
        if future.cancelled():
            return
        if error is not None:
            future.set_exception(error)
            return
        self.seconds += _NEWEST * (seconds - self.seconds)
        future.set_result(result)
