"""Work on many items by a few threads, in order and in constant memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from eyebright.runtime.machine import usable_cores

Item = TypeVar("Item")
Result = TypeVar("Result")


def parallel(
    work: Callable[[Item], Result], items: Iterable[Item], threads: int | None = None
) -> Iterator[Result]:
    """The results in the items' order, with a bounded number of items under way.

    Args:
        work: is done on each item.
        items: are taken as they are needed.
        threads: None for one a core.
    """
    threads = threads or usable_cores()
    waiting: deque[Future[Result]] = deque()
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
