"""Work on many items by one thread a core, in order and in constant memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from eyebright.errors import EyebrightError
from eyebright.runtime.machine import usable_cores

Item = TypeVar("Item")
Result = TypeVar("Result")


def parallel(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """The results in the items' order, with a bounded number of items under way.

    Where ``items`` itself raises, the results of those before come first.
    """
    cores = usable_cores()
    waiting: deque[Future[Result]] = deque()
    source = iter(items)
    failure: EyebrightError | None = None
    with ThreadPoolExecutor(cores) as pool:
        try:
            while failure is None:
                try:
                    waiting.append(pool.submit(work, next(source)))
                except StopIteration:
                    break
                except EyebrightError as error:
                    failure = error
                if len(waiting) > 8 * cores:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
    if failure:
        raise failure
