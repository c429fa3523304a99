"""Shards on local processes: each is done once for whoever waits, whatever happens to the workers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cluster_tasks
import pytest

from eyebright.cluster import worker
from eyebright.cluster.base import Shard
from eyebright.cluster.choose import cluster_in_use, on_cluster
from eyebright.cluster.cluster import Cluster
from eyebright.cluster.local import LocalLauncher
from eyebright.cluster.shard_queue import _MOST_UNREAD
from eyebright.errors import ClusterError, ConfigError, DataError

pytestmark = pytest.mark.xdist_group("alone")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    workers = Cluster(LocalLauncher(2))
    yield workers
    workers.close()


def shards(count: int, **content: str) -> list[Shard]:
    return [Shard(str(number), {"number": number, **content}) for number in range(count)]


def test_every_shard_is_answered_once_by_processes_that_stay(cluster: Cluster):
    answers = [*cluster.map(shards(9), cluster_tasks.square), *cluster.map(shards(3), cluster_tasks.square)]
    assert sorted(answer["square"] for _, answer in answers) == sorted([0, 1, 4, *(n**2 for n in range(9))])
    assert len({answer["pid"] for _, answer in answers}) <= 2


def test_shards_are_taken_as_workers_are_free_and_answers_are_read(cluster: Cluster):
    taken = []

    def endless() -> Iterator[Shard]:
        for number in range(1_000_000):
            taken.append(number)
            yield Shard(str(number), {"number": number})

    answers: Any = cluster.map(endless(), cluster_tasks.square)
    assert len({shard.name for shard, _ in (next(answers) for _ in range(5))}) == 5
    time.sleep(1)  # in which two workers do hundreds
    assert len(taken) <= 5 + _MOST_UNREAD + 2 * cluster.workers
    answers.close()


def test_a_worker_that_dies_costs_its_shard_another_worker(cluster: Cluster, tmp_path: Path):
    content = {"mark": str(tmp_path / "mark")}
    answers = list(cluster.map(shards(8, **content), cluster_tasks.dies_at_first))
    assert sorted(answer["square"] for _, answer in answers) == [n**2 for n in range(8)]


def test_a_shard_that_hangs_is_given_to_a_second_worker(cluster: Cluster, tmp_path: Path):
    content = {"mark": str(tmp_path / "mark")}
    answers = list(cluster.map(shards(4, **content), cluster_tasks.slow_at_first))
    assert sorted(answer["square"] for _, answer in answers) == [0, 1, 4, 9]


def test_a_shard_that_ends_every_worker_is_told(cluster: Cluster):
    with pytest.raises(ClusterError, match="Shard 0 failed each time: the worker ended"):
        list(cluster.map(shards(1), cluster_tasks.always_dies))


def test_a_failure_is_told_with_its_reason(cluster: Cluster):
    with pytest.raises(ClusterError, match="ZeroDivisionError: shard 0"):
        list(cluster.map(shards(1), cluster_tasks.fails))


def test_an_error_of_the_work_is_raised_here(cluster: Cluster):
    with pytest.raises(DataError, match=r"a.b\.jpg is not") as caught:
        list(cluster.map(shards(1), cluster_tasks.refuses))
    assert caught.value.template.startswith("Images must be there")


def test_what_a_task_prints_is_no_answer(cluster: Cluster):
    assert [answer for _, answer in cluster.map(shards(2), cluster_tasks.prints)] == [{}, {}]


def test_shards_that_cannot_be_cut_are_told(cluster: Cluster):
    def damaged() -> Iterator[Shard]:
        yield Shard("0", {"number": 0})
        raise OSError("the list ends here")

    with pytest.raises(OSError, match="the list ends here"):
        list(cluster.map(damaged(), cluster_tasks.square))


def test_no_shards_need_no_worker(cluster: Cluster):
    assert list(cluster.map([], cluster_tasks.square)) == []


def test_another_version_is_refused():
    answer: Any = worker.answer("cluster_tasks:square", "0.0.1", {"number": 2})
    assert answer["error"] == "EyebrightError"
    assert answer["values"]["here"] == "0.0.1"


def test_a_cluster_surrounds_its_block_alone():
    assert cluster_in_use() is None
    with on_cluster("local:3") as cluster:
        assert cluster is cluster_in_use()
        assert cluster.workers == 3
        with on_cluster(None) as same:
            assert same is cluster
    assert cluster_in_use() is None


@pytest.mark.parametrize("address", ["local", "local:0", "ray://", "ray://host", "spark", "LOCAL:2"])
def test_an_address_that_names_no_cluster_is_refused(address: str):
    with pytest.raises(ConfigError, match="local:N"), on_cluster(address):
        pass
