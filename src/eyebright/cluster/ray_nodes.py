"""Workers on the machines of a Ray cluster: one on each, which has all of its cores.

Ray starts the workers, and tells when one is lost. Images and features do not pass through it: a shard is
some hundred kilobytes of paths and hashes, its answer some hundred bytes.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from typing import Any

from eyebright.cluster.base import Shard, WorkerLostError
from eyebright.cluster.worker import answer
from eyebright.errors import ClusterError, MissingExtraError
from eyebright.runtime.install import install_command
from eyebright.runtime.machine import usable_cores
from eyebright.types import JsonObject, ShardJson
from eyebright.version import __version__

# Ray would set aside 30 % of the memory for objects that are never made here.
_OBJECT_STORE_BYTES = 100 * 2**20
_LOOK_SECONDS = 0.5
_MOST_FAILURES = 5  # of one worker to start, one after another


class ShardActor:
    """What Ray keeps running on a machine: it does one shard at a time."""

    def ready(self) -> bool:
        """Return True, once it runs."""
        return True

    def answer(self, task: str, version: str, content: ShardJson) -> JsonObject:
        """Do a shard, as :func:`eyebright.cluster.worker.answer` does."""
        return answer(task, version, content)


class RayWorker:
    """An actor on one machine.

    Args:
        ray: the package.
        actor: the handle of a :class:`ShardActor`.
        leave: is called once when it ends.
    """

    def __init__(self, ray: Any, actor: Any, leave: Callable[[], None]) -> None:
        self._ray = ray
        self._actor = actor
        self._leave = leave

    def run(self, task: str, shard: Shard) -> ShardJson:
        """Do a shard, and return the answer.

        Raises:
            WorkerLostError: the actor, its machine or the way to it failed.
        """
        try:
            answered: ShardJson = self._ray.get(self._actor.answer.remote(task, __version__, shard.content))
        except (self._ray.exceptions.RayError, ConnectionError) as error:
            raise WorkerLostError(str(error)) from error
        return answered

    def end(self) -> None:
        """End the actor."""
        with suppress(Exception):  # of a machine or a cluster that is gone
            self._ray.kill(self._actor)
        self._leave()


class RayLauncher:
    """Starts an actor on every machine of a Ray cluster.

    Args:
        address: such as `ray://host:10001`; None for the cluster that this machine belongs to, or else one
            that is started here, for this machine alone.

    Raises:
        MissingExtraError: Ray is not installed.
        ClusterError: the cluster cannot be reached, or has no machine that computes.
    """

    def __init__(self, address: str | None) -> None:
        self._ray: Any = _loaded()
        self._connected = not self._ray.is_initialized()
        if self._connected:
            _connect(self._ray, address)
        self._lock = Lock()
        self._taken: dict[int, str] = {}
        self._failures: dict[int, int] = {}
        self.workers = len(self._machines())
        if not self.workers:
            self.close()
            raise ClusterError(
                "A Ray cluster must have a machine with processors (num_cpus). {address} has none. Start a "
                "worker node.",
                address=address or "ray",
            )

    def start(self, number: int, wanted: Callable[[], bool]) -> RayWorker:
        """Start an actor on a machine that has none, and wait for it.

        Raises:
            WorkerLostError: there is no such machine now, it was lost, or the actor is no longer wanted.
            ClusterError: actors cannot be started at all, such as where Eyebright is not installed.
        """
        machine, cores = self._take(number)
        affinity = self._ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(machine, soft=False)
        actor = (
            self._ray.remote(ShardActor)
            .options(num_cpus=cores, max_restarts=0, scheduling_strategy=affinity)
            .remote()
        )
        worker = RayWorker(self._ray, actor, lambda: self._leave(number))
        try:
            ready = actor.ready.remote()
            while wanted():
                done, _ = self._ray.wait([ready], timeout=_LOOK_SECONDS)
                if done:
                    self._ray.get(ready)
                    self._failures.pop(number, None)
                    return worker
        except (self._ray.exceptions.RayError, ConnectionError) as error:
            worker.end()
            self._count_failure(number, error)
            raise WorkerLostError(str(error)) from error
        worker.end()
        raise WorkerLostError

    def close(self) -> None:
        """Leave the cluster; one that was started here ends."""
        if self._connected:
            self._ray.shutdown()

    def _machines(self) -> dict[str, float]:
        """Return the machines that are there now, with their cores."""
        return {
            node["NodeID"]: node["Resources"]["CPU"]
            for node in self._ray.nodes()
            if node["Alive"] and node["Resources"].get("CPU", 0) >= 1
        }

    def _take(self, number: int) -> tuple[str, float]:
        with self._lock:
            try:
                machines = self._machines()
            except (self._ray.exceptions.RayError, ConnectionError) as error:
                raise WorkerLostError(str(error)) from error
            free = [machine for machine in machines if machine not in self._taken.values()]
            if not free:
                raise WorkerLostError
            self._taken[number] = free[0]
            return free[0], machines[free[0]]

    def _leave(self, number: int) -> None:
        with self._lock:
            self._taken.pop(number, None)

    def _count_failure(self, number: int, error: Exception) -> None:
        self._failures[number] = self._failures.get(number, 0) + 1
        if self._failures[number] >= _MOST_FAILURES:
            raise ClusterError(
                "Ray must be able to start workers. It failed {count} times: {reason}. Install Eyebright on "
                "every machine of the cluster.",
                count=_MOST_FAILURES,
                reason=str(error).strip().rpartition("\n")[2],
            ) from error


def _loaded() -> Any:
    """Import Ray, which then tells nobody that it is used.

    Raises:
        MissingExtraError: it is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        import ray.util.scheduling_strategies
    except ImportError:
        raise MissingExtraError(
            "--cluster ray needs Ray. It is not installed. Run: {command}", command=install_command("ray")
        ) from None
    return ray


def _connect(ray: Any, address: str | None) -> None:
    """Join the cluster at an address; start one on this machine where none is named and none runs.

    Raises:
        ClusterError: there is none at the address, or it has another version of Python or Ray.
    """
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    try:
        ray.init(address or "auto", **quiet)
        return
    except (ConnectionError, RuntimeError, ValueError) as error:
        if address is not None:
            raise ClusterError(
                "The Ray cluster must be reachable, with the same versions of Python and Ray. {address} is "
                "not ({reason}). Check the address.",
                address=address,
                reason=str(error).partition("\n")[0],
            ) from error
    ray.init(
        address="local",
        num_cpus=usable_cores(),
        include_dashboard=False,
        object_store_memory=_OBJECT_STORE_BYTES,
        _node_ip_address="127.0.0.1",
        **quiet,
    )
