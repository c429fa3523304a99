"""A cluster: workers that each do one shard of the work at a time, whatever starts them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from eyebright.types import JsonObject, ShardJson

#: What a worker does with the content of a shard: a function of a module, which every worker can import. What
#: it makes it writes itself, atomically and under a name that follows from the content; what it returns is
#: small.
ShardTask: TypeAlias = Callable[[ShardJson], JsonObject]


@dataclass(frozen=True)
class Shard:
    """A part of the work, as it travels to a worker.

    Attributes:
        name: follows from the content, so that a shard that is done twice is written once.
        content: what the task is given.
    """

    name: str
    content: JsonObject


class WorkerLostError(Exception):
    """A worker ended before it answered: its process, its machine or the network failed."""


class Worker(Protocol):
    """One process on some machine that does one shard at a time."""

    def run(self, task: str, shard: Shard) -> ShardJson:
        """Do a shard, and return the answer of :func:`eyebright.cluster.worker.answer`.

        Args:
            task: its module and name, as :func:`eyebright.cluster.worker.name_of` gives them.
            shard: to do.

        Raises:
            WorkerLostError: the worker ended meanwhile.
        """

    def end(self) -> None:
        """End the worker, also in the middle of a shard: a call of :meth:`run` in another thread raises."""


class Launcher(Protocol):
    """What starts workers: this machine, or Ray.

    Attributes:
        workers: how many there can be at once.
    """

    workers: int

    def start(self, number: int, wanted: Callable[[], bool]) -> Worker:
        """Start the worker of a number from 0 on, and return once it can be given a shard.

        Args:
            number: of the worker.
            wanted: is asked now and then while a machine is waited for.

        Raises:
            WorkerLostError: it cannot be started now, or is no longer wanted.
        """

    def close(self) -> None:
        """Let go of the machines, after all workers have ended."""
