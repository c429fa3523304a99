"""Sums over features: the same bits by one process and by workers, whatever happens to them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from cluster_material import EndableWorkers, extractor

from eyebright.cluster import worker
from eyebright.cluster.base import Shard
from eyebright.cluster.choose import using
from eyebright.cluster.cluster import Cluster
from eyebright.cluster.worker import name_of
from eyebright.data.manifest import Manifest, Sample
from eyebright.errors import ClusterError
from eyebright.runtime.atomic import write_bytes
from eyebright.runtime.progress import SILENT, Task
from eyebright.training.cache.store import SUMS
from eyebright.training.linear_probe import feature_sums
from eyebright.training.linear_probe.class_statistics import FeatureStatistics
from eyebright.training.linear_probe.feature_sums import sums_of_folds
from eyebright.training.linear_probe.features import FeatureExtractor
from eyebright.training.linear_probe.folds import groups_of
from eyebright.training.linear_probe.streaming_lda import fit_large
from eyebright.training.linear_probe.targets import truth_of
from eyebright.types import JsonObject, ShardJson
from eyebright.version import __version__

pytestmark = pytest.mark.xdist_group("alone")


class InThisProcess:
    """A worker that does its shards here, as one of a cluster does them there.

    Args:
        spoil: is done to each shard before.
    """

    workers = 2

    def __init__(self, spoil: Callable[[Shard], None] = lambda shard: None) -> None:
        self._spoil = spoil

    def start(self, number: int, wanted: Callable[[], bool]) -> InThisProcess:
        return self

    def run(self, task: str, shard: Shard) -> ShardJson:
        self._spoil(shard)
        return worker.answer(task, __version__, shard.content)

    def end(self) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def workers() -> EndableWorkers:
    return EndableWorkers()


@pytest.fixture(scope="module")
def cluster(workers: EndableWorkers) -> Iterator[Cluster]:
    cluster = Cluster(workers)
    yield cluster
    cluster.close()


@pytest.fixture(scope="module")
def samples(textile_manifest: Manifest) -> Sequence[Sample]:
    return textile_manifest.of("train")


@pytest.fixture(scope="module")
def filled(
    tmp_path_factory: pytest.TempPathFactory, textile_manifest: Manifest, samples: Sequence[Sample]
) -> FeatureExtractor:
    """Two views of each image."""
    made = extractor(tmp_path_factory.mktemp("cache"), views=2)
    with SILENT.task("") as task:
        assert made.compute(textile_manifest.root, samples, task) == []
    return made


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_sums, "PART_ROWS", 7)


class Killing:
    """Kill a worker at the first sign of progress."""

    def __init__(self, workers: EndableWorkers) -> None:
        self._workers = workers
        self.killed = False

    def advance(self, count: int = 1) -> None:
        if count and not self.killed:
            self.killed = True
            os.kill(self._workers.started[-1].pid, signal.SIGKILL)


def summed(
    filled: FeatureExtractor,
    manifest: Manifest,
    cluster: Cluster | None = None,
    weights: np.ndarray | None = None,
    task: Task | None = None,
) -> list[bytes]:
    samples = manifest.of("train")
    folds = np.arange(len(samples)) % 3
    with ExitStack() as stack:
        if cluster is not None:
            stack.enter_context(using(cluster))
        task = task or stack.enter_context(SILENT.task(""))
        truth = truth_of(samples, manifest)
        return [sums.to_bytes() for sums in sums_of_folds(filled, samples, truth, weights, folds, task)]


def left(filled: FeatureExtractor) -> list[Path]:
    return [path for space in filled.spaces for path in space.folder.glob(f"*.{SUMS}")]


def test_workers_give_the_bits_of_one_process_and_leave_nothing(
    filled: FeatureExtractor, textile_manifest: Manifest, cluster: Cluster
):
    alone = summed(filled, textile_manifest)
    assert len(alone) == 3
    assert summed(filled, textile_manifest, cluster) == alone
    assert left(filled) == []


def test_a_worker_that_is_killed_costs_nothing(
    filled: FeatureExtractor, textile_manifest: Manifest, cluster: Cluster, workers: EndableWorkers
):
    killing = Killing(workers)
    assert summed(filled, textile_manifest, cluster, task=killing) == summed(filled, textile_manifest)
    assert killing.killed


def test_weights_count_for_workers_too(filled: FeatureExtractor, textile_manifest: Manifest, samples):
    weights = np.linspace(0.5, 1.5, len(samples), dtype=np.float32)
    alone = summed(filled, textile_manifest, weights=weights)
    assert alone != summed(filled, textile_manifest)
    assert summed(filled, textile_manifest, Cluster(InThisProcess()), weights) == alone


def test_the_head_is_the_same_byte_for_byte(filled: FeatureExtractor, textile_manifest: Manifest, samples):
    heads = []
    for surrounding in (None, Cluster(InThisProcess())):
        with ExitStack() as stack, SILENT.task("") as task:
            if surrounding is not None:
                stack.enter_context(using(surrounding))
            truth = truth_of(samples, textile_manifest)
            fit, _ = fit_large(filled, samples, truth, groups_of(samples), task)
        heads.append((fit.head.weights.tobytes(), fit.head.bias.tobytes(), fit.l2, fit.held_out.tobytes()))
    assert heads[0] == heads[1]


def test_sums_of_a_driver_that_was_killed_are_found(
    filled: FeatureExtractor, textile_manifest: Manifest, monkeypatch: pytest.MonkeyPatch
):
    asked: list[JsonObject] = []
    first = Cluster(InThisProcess(lambda shard: asked.append(shard.content)))
    with monkeypatch.context() as patch:
        patch.setattr(FeatureStatistics, "__iadd__", interrupted)
        with pytest.raises(KeyboardInterrupt):
            summed(filled, textile_manifest, first)
    kept = {path.name.partition(".")[0] for path in left(filled)}
    assert kept
    monkeypatch.setattr(feature_sums, "write_bytes", written := Written())
    assert summed(filled, textile_manifest, Cluster(InThisProcess())) == summed(filled, textile_manifest)
    assert not kept & written.names
    assert written.names
    assert left(filled) == []


def test_sums_that_a_slow_worker_writes_once_more_are_removed(
    filled: FeatureExtractor, textile_manifest: Manifest
):
    done: list[Shard] = []

    def also_the_first(shard: Shard) -> None:
        done.append(shard)
        worker.answer(name_of(feature_sums.sums_shard), __version__, done[0].content)

    summed(filled, textile_manifest, Cluster(InThisProcess(also_the_first)))
    assert len(done) > 2
    assert left(filled) == []


def interrupted(self: FeatureStatistics, other: FeatureStatistics) -> FeatureStatistics:
    raise KeyboardInterrupt


class Written:
    """Writes files and remembers the parts that they are of."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def __call__(self, path: Path, data: bytes) -> None:
        self.names.add(path.name.partition(".")[0])
        write_bytes(path, data)


def test_sums_that_are_damaged_are_told_and_made_anew(
    filled: FeatureExtractor, textile_manifest: Manifest, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(feature_sums, "write_bytes", lambda path, data: write_bytes(path, data[:-8]))
    with pytest.raises(ClusterError, match="missing or damaged"):
        summed(filled, textile_manifest, Cluster(InThisProcess()))
    monkeypatch.setattr(feature_sums, "write_bytes", write_bytes)
    assert summed(filled, textile_manifest, Cluster(InThisProcess())) == summed(filled, textile_manifest)
    assert left(filled) == []


def test_a_worker_without_the_rows_is_told(
    filled: FeatureExtractor, textile_manifest: Manifest, tmp_path: Path
):
    def elsewhere(shard: Shard) -> None:
        shard.content["cache"] = str(tmp_path)

    with pytest.raises(ClusterError, match="EYEBRIGHT_CACHE"):
        summed(filled, textile_manifest, Cluster(InThisProcess(elsewhere)))
