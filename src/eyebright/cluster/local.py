"""Workers on this machine: processes that share its cores among them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress

from eyebright.cluster.base import Shard, WorkerLostError
from eyebright.types import ShardJson
from eyebright.version import __version__


class LocalWorker:
    """A process of this machine, which is spoken to through its standard input and output.

    Args:
        cores: numbers of the cores that it may use; none for all.
    """

    def __init__(self, cores: list[int]) -> None:
        # It finds what this process finds, wherever that was installed.
        path = os.pathsep.join(place or os.getcwd() for place in sys.path)
        threads = {"OMP_NUM_THREADS": str(len(cores))} if cores else {}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "eyebright.cluster.worker", *map(str, cores)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **threads, "PYTHONPATH": path},
            text=True,
            encoding="utf-8",
        )

    @property
    def pid(self) -> int:
        """Return the number of its process."""
        return self._process.pid

    def run(self, task: str, shard: Shard) -> ShardJson:
        """Do a shard, and return the answer.

        Raises:
            WorkerLostError: the process ended meanwhile.
        """
        given = json.dumps({"task": task, "version": __version__, "content": shard.content})
        to, back = self._process.stdin, self._process.stdout
        if to is None or back is None:
            raise WorkerLostError
        try:
            to.write(given + "\n")
            to.flush()
            answered: ShardJson = json.loads(back.readline())
        except (OSError, ValueError) as error:  # a broken pipe, a closed one, half an answer
            raise WorkerLostError from error
        return answered

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):  # what was not read any more
                    pipe.close()


class LocalLauncher:
    """Starts processes on this machine.

    Args:
        workers: how many; each has its share of the cores.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        # macOS and Windows bind no process to cores.
        self._cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []

    def start(self, number: int, wanted: Callable[[], bool]) -> LocalWorker:
        """Start the worker of a number."""
        share = self._cores[number % max(1, len(self._cores)) :: self.workers]
        return LocalWorker(share)

    def close(self) -> None:
        """Do nothing: the processes were ended one by one."""
