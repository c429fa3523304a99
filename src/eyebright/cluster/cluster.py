"""The work of a cluster: shards are given to workers, and given again where one is lost or slow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sized
from threading import Lock, Thread

from eyebright.cluster.base import Launcher, Shard, ShardTask, Worker, WorkerLostError
from eyebright.cluster.shard_queue import ShardQueue
from eyebright.cluster.worker import name_of
from eyebright.types import ShardJson

_RETRY_SECONDS = 1.0


class Cluster:
    """Does shards on many workers, each of which lives as long as this object.

    Every worker has a thread here that does nothing but wait for it, so a worker that is lost disturbs no
    other. A shard may be done twice, by two workers at once even: tasks write what they make under names that
    follow from the content, so that harms nothing.

    Args:
        launcher: starts the workers.
    """

    def __init__(self, launcher: Launcher) -> None:
        self._launcher = launcher
        self._running: dict[int, Worker] = {}
        self._lock = Lock()

    @property
    def workers(self) -> int:
        """Return how many shards can be done at once."""
        return self._launcher.workers

    def map(self, shards: Iterable[Shard], task: ShardTask) -> Iterator[tuple[Shard, ShardJson]]:
        """Yield each shard with what ``task`` returned for it, in the order in which they are finished.

        Args:
            shards: are taken one by one as workers are free, so their number does not count in memory.
            task: a function of a module.

        Raises:
            EyebrightError: the task raised it.
            ClusterError: a shard failed several times.
        """
        count = min(self.workers, len(shards)) if isinstance(shards, Sized) else self.workers
        if not count:
            return
        queue = ShardQueue(iter(shards))
        threads = [
            Thread(target=self._work, args=(number, queue, name_of(task)), daemon=True)
            for number in range(count)
        ]
        for thread in threads:
            thread.start()
        try:
            yield from queue.answers()
        finally:
            queue.stop()
            for number in queue.busy():
                self._end(number)
            for thread in threads:
                thread.join()

    def close(self) -> None:
        """End all workers."""
        for number in list(self._running):
            self._end(number)
        self._launcher.close()

    def _work(self, number: int, queue: ShardQueue, task: str) -> None:
        """Give one worker its shards, until there are none."""
        try:
            while queue.is_open():
                try:
                    worker = self._ready(number, queue.is_open)
                except WorkerLostError:
                    queue.pause(_RETRY_SECONDS)
                    continue
                shard = queue.take(number)
                if shard is None:
                    return
                try:
                    queue.answered(number, shard, worker.run(task, shard))
                except WorkerLostError:
                    self._end(number)
                    queue.lost(number, shard)
        except BaseException as error:  # the thread that waits must not wait for ever
            queue.fail(error)

    def _ready(self, number: int, wanted: Callable[[], bool]) -> Worker:
        with self._lock:
            worker = self._running.get(number)
        if worker is None:
            worker = self._launcher.start(number, wanted)
            with self._lock:
                self._running[number] = worker
        return worker

    def _end(self, number: int) -> None:
        with self._lock:
            worker = self._running.pop(number, None)
        if worker is not None:
            worker.end()
