"""The cluster that an address names, for as long as a stage runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from eyebright.cluster.base import Launcher
from eyebright.cluster.cluster import Cluster
from eyebright.cluster.local import LocalLauncher
from eyebright.errors import ConfigError

_LOCAL = re.compile(r"local:([1-9]\d{0,3})")
_RAY = re.compile(r"ray(://[^/\s]+:\d{1,5})?")
_in_use: ContextVar[Cluster | None] = ContextVar("cluster", default=None)


def check_address(address: str) -> str:
    """Return an address that :func:`on_cluster` can use.

    Raises:
        ConfigError: it names no kind of cluster.
    """
    if not (_LOCAL.fullmatch(address) or _RAY.fullmatch(address)):
        raise ConfigError(
            "--cluster must be local:N with the number of processes, ray, or ray://HOST:PORT. Got {address}. "
            "Correct it.",
            address=address,
        )
    return address


def cluster_in_use() -> Cluster | None:
    """Return the cluster that surrounds the call; None where this process works alone."""
    return _in_use.get()


@contextmanager
def on_cluster(address: str | None) -> Iterator[Cluster | None]:
    """Start workers, and let all that the block computes of many images be computed by them.

    Args:
        address: `local:N`, `ray` or `ray://HOST:PORT`; None for what surrounds the block.

    Raises:
        ClusterError: the cluster cannot be reached.
        MissingExtraError: Ray is not installed.
    """
    if address is None:
        yield _in_use.get()
        return
    cluster = open_cluster(address)
    try:
        with using(cluster):
            yield cluster
    finally:
        cluster.close()


@contextmanager
def using(cluster: Cluster) -> Iterator[None]:
    """Let all that the block computes of many images be computed by a cluster."""
    token = _in_use.set(cluster)
    try:
        yield
    finally:
        _in_use.reset(token)


def open_cluster(address: str) -> Cluster:
    """Return the cluster that an address names; whoever opens it closes it.

    Raises:
        ConfigError: it names no kind of cluster.
        ClusterError: the cluster cannot be reached.
        MissingExtraError: Ray is not installed.
    """
    return Cluster(_launcher(check_address(address)))


def _launcher(address: str) -> Launcher:
    if local := _LOCAL.fullmatch(address):
        return LocalLauncher(int(local[1]))
    from eyebright.cluster.ray_nodes import RayLauncher

    return RayLauncher(None if address == "ray" else address)
