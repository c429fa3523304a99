"""Work on many items by a few threads, in order and in constant memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import ParamSpec, TypeVar

from eyebright.runtime.machine import usable_cores

Item = TypeVar("Item")
Result = TypeVar("Result")
Arguments = ParamSpec("Arguments")


def in_context(work: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Return ``work`` for another thread, with the language and progress that surround it here."""
    context = copy_context()

    def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        # A context can be entered by one thread at a time, so each call gets a copy.
        return context.copy().run(work, *args, **kwargs)

    return run


def parallel(
    work: Callable[[Item], Result], items: Iterable[Item], threads: int | None = None
) -> Iterator[Result]:
    """Return the results in the items' order, with a bounded number of items under way.

    Args:
        work: is done on each item.
        items: are taken as they are needed.
        threads: None for one a core.
    """
    threads = threads or usable_cores()
    waiting: deque[Future[Result]] = deque()
    work = in_context(work)
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > 8 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
