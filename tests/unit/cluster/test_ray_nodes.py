"""A real Ray cluster of two nodes on this machine, one of which is lost in the middle of the work."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cluster_tasks
import pytest
from cluster_material import computed, rows

from eyebright.cluster.base import Shard
from eyebright.cluster.choose import on_cluster, open_cluster
from eyebright.cluster.ray_nodes import RayLauncher
from eyebright.data.manifest import Manifest
from eyebright.errors import ClusterError

cluster_utils = pytest.importorskip("ray.cluster_utils", reason="needs eyebright[ray]")

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("alone")]
STORE = 80 * 2**20


@pytest.fixture(scope="module")
def client_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def nodes(client_port: int) -> Iterator[Any]:
    """Two nodes that compute, under a head that does not and serves clients."""
    import ray

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))  # for the tasks of these tests
        head = {
            "num_cpus": 0,
            "object_store_memory": STORE,
            "include_dashboard": False,
            "ray_client_server_port": client_port,
        }
        found = cluster_utils.Cluster(initialize_head=True, head_node_args=head)
        for _ in range(2):
            found.add_node(num_cpus=1, object_store_memory=STORE)
        ray.init(found.address, log_to_driver=False)
        yield found
        ray.shutdown()
        found.shutdown()


def shards(count: int, folder: Path, seconds: float = 0.0) -> list[Shard]:
    return [
        Shard(str(number), {"number": number, "folder": str(folder), "seconds": seconds})
        for number in range(count)
    ]


def test_there_is_a_worker_for_every_node(nodes: Any):
    assert RayLauncher(None).workers == 2


def test_features_are_those_of_one_process(nodes: Any, textile_manifest: Manifest, tmp_path: Path):
    root, samples = textile_manifest.root, textile_manifest.samples
    with on_cluster("ray"):
        assert computed(tmp_path / "many", root, samples) == []
    computed(tmp_path / "one", root, samples)
    assert rows(tmp_path / "many", samples).tobytes() == rows(tmp_path / "one", samples).tobytes()


def test_a_node_that_is_lost_costs_its_shard_the_other_node(nodes: Any, tmp_path: Path):
    from ray._private.test_utils import get_other_nodes

    cluster = open_cluster("ray")
    try:
        answers = cluster.map(shards(12, tmp_path, seconds=0.5), cluster_tasks.recorded)
        names = {next(answers)[0].name}
        other = get_other_nodes(nodes, exclude_head=True)[-1]  # not the one that this process speaks to
        nodes.remove_node(other, allow_graceful=False)
        names |= {shard.name for shard, _ in answers}
    finally:
        cluster.close()
    assert names == {str(number) for number in range(12)}
    begun = [path.name.partition(".")[0] for path in tmp_path.iterdir()]
    assert len(begun) <= 12 + 1


def test_features_are_those_of_one_process_through_a_client(
    nodes: Any, client_port: int, textile_manifest: Manifest, tmp_path: Path
):
    import ray

    ray.shutdown()
    root, samples = textile_manifest.root, textile_manifest.samples
    with on_cluster(f"ray://127.0.0.1:{client_port}") as cluster:
        assert cluster is not None
        assert ray.util.client.ray.is_connected()
        assert cluster.workers >= 1
        assert computed(tmp_path / "many", root, samples) == []
    assert not ray.is_initialized()
    computed(tmp_path / "one", root, samples)
    assert rows(tmp_path / "many", samples).tobytes() == rows(tmp_path / "one", samples).tobytes()


def test_an_address_where_no_cluster_is_says_so(nodes: Any):
    import ray

    ray.shutdown()
    with pytest.raises(ClusterError, match="must be reachable"):
        open_cluster("ray://127.0.0.1:9")
