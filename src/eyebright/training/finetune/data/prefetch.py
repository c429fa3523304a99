"""Batches that a thread makes while the device works."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

from eyebright.runtime.parallel import in_context

Wanted = TypeVar("Wanted")
Made = TypeVar("Made")

_AHEAD = 2


class Prefetcher(Generic[Wanted, Made]):
    """What will be needed, made ahead by one thread, in order.

    Args:
        plans: what is to be made, from a position on.
        make: makes one; runs in the thread.
        ahead: False makes each only when it is taken, in the caller's thread.
    """

    def __init__(
        self, plans: Callable[[], Iterator[Wanted]], make: Callable[[Wanted], Made], ahead: bool = True
    ) -> None:
        self._waited = 0.0
        self._ahead = ahead
        self._plans = plans
        self._make = make
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="eyebright-feed")
        self._coming: deque[tuple[Wanted, Future[Made] | None]] = deque()
        self.restart()

    def __enter__(self) -> Prefetcher[Wanted, Made]:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown(wait=True, cancel_futures=True)
        self._coming.clear()

    def restart(self) -> None:
        """Discard what was made, and begin again with ``plans()``."""
        while self._coming:
            _, future = self._coming.popleft()
            if future is not None and not future.cancel():
                future.exception()  # waits for the one that is being made
            del future
        self._left = self._plans()
        self._top_up()

    def peek(self) -> Wanted:
        """Return the plan of what :meth:`take` gives next."""
        return self._coming[0][0]

    def take(self) -> Made:
        """Return the next one; an error of its making is raised here."""
        began = time.monotonic()
        plan, future = self._coming.popleft()
        try:
            return self._make(plan) if future is None else future.result()
        finally:
            self._waited += time.monotonic() - began
            self._top_up()

    def collect_waited(self) -> float:
        """Return the seconds that :meth:`take` had to wait since the last call."""
        waited, self._waited = self._waited, 0.0
        return waited

    def _top_up(self) -> None:
        while len(self._coming) < _AHEAD and (plan := next(self._left, None)) is not None:
            future = self._thread.submit(in_context(self._make), plan) if self._ahead else None
            self._coming.append((plan, future))
