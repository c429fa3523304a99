"""Which shards are to be done, are being done, and are done."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from queue import SimpleQueue
from statistics import median
from threading import Condition, Lock
from typing import Any

from eyebright import errors
from eyebright.cluster.base import Shard
from eyebright.errors import ClusterError, EyebrightError
from eyebright.types import ShardJson

#: So often a shard may end its worker, or fail there, before it is held to be at fault itself.
MOST_TRIES = 4
# A shard that takes so many times the median is given to a second worker, where nothing else is left to do.
_SLOW = 2.0
_LEAST_SLOW_SECONDS = 1.0
_RECENT = 101
_LOOK_SECONDS = 0.5
# While so many answers wait to be read, no further shard is begun: they would fill the memory.
_MOST_UNREAD = 8


@dataclass
class _InWork:
    """A shard that is being done, since when, and by which workers."""

    shard: Shard
    since: float
    workers: list[int] = field(default_factory=list)


class ShardQueue:
    """The shards of one piece of work; all methods are safe from several threads.

    Args:
        shards: are taken one by one.
    """

    def __init__(self, shards: Iterator[Shard]) -> None:
        self._shards = shards
        self._taking = Lock()
        self._exhausted = False
        self._again: deque[Shard] = deque()
        self._in_work: dict[str, _InWork] = {}
        self._busy: set[int] = set()
        self._seconds: deque[float] = deque(maxlen=_RECENT)
        self._tries: Counter[str] = Counter()
        self._stopped = False
        self._changed = Condition()
        self._answers: SimpleQueue[tuple[Shard, ShardJson] | BaseException | None] = SimpleQueue()

    def answers(self) -> Iterator[tuple[Shard, ShardJson]]:
        """Yield each shard once with its answer, until all are done.

        Raises:
            BaseException: what :meth:`fail` was given.
        """
        while (answer := self._answers.get()) is not None:
            if isinstance(answer, BaseException):
                raise answer
            with self._changed:
                self._changed.notify_all()
            yield answer

    def take(self, worker: int) -> Shard | None:
        """Return a shard for a free worker, as soon as there is one; None when all is done."""
        while self.is_open():
            with self._changed:
                self._changed.wait_for(lambda: self._stopped or self._answers.qsize() < _MOST_UNREAD)
            shard = self._next(worker)
            if shard is not None:
                return shard
            with self._changed:
                if (slow := self._slowest()) is not None:
                    return self._given(slow, worker)
                if not self._finish():
                    self._changed.wait(_LOOK_SECONDS)
        return None

    def is_open(self) -> bool:
        """Return whether the work goes on."""
        return not self._stopped

    def pause(self, seconds: float) -> None:
        """Wait, but no longer than the work goes on."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped, seconds)

    def answered(self, worker: int, shard: Shard, answer: ShardJson) -> None:
        """Take a worker's answer; that of the second worker of a shard is dropped."""
        if "failure" in answer:
            self.lost(worker, shard, answer["failure"])
            return
        with self._changed:
            self._busy.discard(worker)
            work = self._in_work.pop(shard.name, None)
            if work is None:
                return
            self._seconds.append(time.monotonic() - work.since)
            if "error" in answer:
                self._end(_error(answer))
                return
            self._answers.put((shard, answer["done"]))
            self._finish()

    def lost(self, worker: int, shard: Shard, reason: str = "") -> None:
        """Give a shard to another worker, unless one has it already."""
        with self._changed:
            self._busy.discard(worker)
            work = self._in_work.get(shard.name)
            if work is None:
                return
            work.workers.remove(worker)
            self._tries[shard.name] += 1
            if self._tries[shard.name] >= MOST_TRIES:
                self._end(_failed(shard, reason))
            elif not work.workers:
                del self._in_work[shard.name]
                self._again.append(shard)
            self._changed.notify_all()

    def fail(self, error: BaseException) -> None:
        """End the work with an error."""
        with self._changed:
            self._end(error)

    def stop(self) -> None:
        """End the work, whatever is left."""
        with self._changed:
            self._end(None)

    def busy(self) -> list[int]:
        """Return the workers that are doing a shard now, also one that another has finished meanwhile."""
        with self._changed:
            return list(self._busy)

    def _next(self, worker: int) -> Shard | None:
        """Return a shard that nobody does: one that was lost, or the next."""
        # Whoever finds that there is no further shard must see those that others were given as in work.
        with self._taking:
            with self._changed:
                if self._again:
                    return self._begun(self._again.popleft(), worker)
            shard = None if self._exhausted else next(self._shards, None)
            with self._changed:
                self._exhausted = shard is None
                return None if shard is None else self._begun(shard, worker)

    def _begun(self, shard: Shard, worker: int) -> Shard:
        work = self._in_work[shard.name] = _InWork(shard, time.monotonic())
        return self._given(work, worker)

    def _given(self, work: _InWork, worker: int) -> Shard:
        work.workers.append(worker)
        self._busy.add(worker)
        return work.shard

    def _slowest(self) -> _InWork | None:
        """Return the shard that one worker has done for longest, where that is suspiciously long."""
        if not self._seconds:
            return None
        late = time.monotonic() - max(_SLOW * median(self._seconds), _LEAST_SLOW_SECONDS)
        alone = [work for work in self._in_work.values() if len(work.workers) == 1 and work.since < late]
        return min(alone, key=lambda work: work.since, default=None)

    def _finish(self) -> bool:
        """End the work if nothing is left of it; return whether it has ended."""
        if self._exhausted and not self._in_work and not self._again:
            self._end(None)
        return self._stopped

    def _end(self, last: BaseException | None) -> None:
        if not self._stopped:
            self._stopped = True
            self._answers.put(last)
        self._changed.notify_all()


def _error(answer: ShardJson) -> EyebrightError:
    """Return the error that a task raised, of its own class."""
    kind: Any = getattr(errors, answer["error"], EyebrightError)
    found: EyebrightError = kind(answer["template"], **answer["values"])
    return found


def _failed(shard: Shard, reason: str) -> ClusterError:
    return ClusterError(
        "A shard must succeed within {count} attempts. Shard {name} failed each time: {reason}. See the "
        "workers' logs; their memory may be too small.",
        count=MOST_TRIES,
        name=shard.name,
        reason=reason.strip().rpartition("\n")[2] or "the worker ended",
    )
