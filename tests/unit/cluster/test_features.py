"""What a cluster writes into the cache is, bit for bit, what one process would have written."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cluster_material import EndableWorkers, computed, extractor, rows

from eyebright.auditing.measuring import RecordSpace
from eyebright.cluster.choose import using
from eyebright.cluster.cluster import Cluster
from eyebright.data.manifest import Manifest
from eyebright.data.read_headers import read_headers
from eyebright.errors import ClusterError
from eyebright.runs.run import Run
from eyebright.runtime.progress import SILENT
from eyebright.sealed.image_statistics import ImageStatistics
from eyebright.sealed.inference import predict_blocks
from eyebright.sealed.model import SealedModel
from eyebright.training.cache.fill import LEAST_IMAGES, Cut, cut, shard_size

pytestmark = pytest.mark.xdist_group("alone")


@pytest.fixture(scope="module")
def workers() -> EndableWorkers:
    return EndableWorkers()


@pytest.fixture(scope="module")
def cluster(workers: EndableWorkers) -> Iterator[Cluster]:
    cluster = Cluster(workers)
    yield cluster
    cluster.close()


def stored(cache: Path) -> list[Path]:
    return sorted(cache.rglob("*.keys.npy"))


@pytest.fixture(scope="module")
def alone(textile_manifest: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache of one process."""
    cache = tmp_path_factory.mktemp("alone")
    computed(cache, textile_manifest.root, textile_manifest.samples)
    return cache


def test_features_are_those_of_one_process(
    cluster: Cluster, alone: Path, textile_manifest: Manifest, tmp_path: Path
):
    samples = textile_manifest.samples
    with using(cluster):
        assert computed(tmp_path, textile_manifest.root, samples) == []
    assert rows(tmp_path, samples).tobytes() == rows(alone, samples).tobytes()
    names = {shard.name for shard in shards_of(tmp_path, textile_manifest)}
    assert {path.name.partition(".")[0] for path in stored(tmp_path)} == names


def shards_of(cache: Path, manifest: Manifest) -> Cut:
    return cut(manifest.root, manifest.samples, 2, {}, extractor(cache).spaces)


def test_a_worker_that_is_killed_loses_and_doubles_nothing(
    workers: EndableWorkers, cluster: Cluster, alone: Path, textile_manifest: Manifest, tmp_path: Path
):
    class Killing:
        """Kill a worker at the first sign of progress, while the other shard is in work."""

        killed = False

        def advance(self, count: int = 1) -> None:
            if count and not self.killed:
                self.killed = True
                os.kill(workers.started[-1].pid, signal.SIGKILL)

    samples, killing = textile_manifest.samples, Killing()
    with using(cluster):
        extractor(tmp_path).compute(textile_manifest.root, samples, killing)
    assert killing.killed
    keys = np.concatenate([np.load(path) for path in stored(tmp_path)])
    assert len(np.unique(keys, axis=0)) == len(keys) == len({sample.key for sample in samples})
    assert rows(tmp_path, samples).tobytes() == rows(alone, samples).tobytes()


def test_a_second_driver_computes_the_rest_alone(
    cluster: Cluster, textile_manifest: Manifest, tmp_path: Path
):
    samples = textile_manifest.samples
    first = sorted(samples, key=lambda sample: sample.place)[:LEAST_IMAGES]
    with using(cluster):
        computed(tmp_path, textile_manifest.root, first)
        before = stored(tmp_path)
        computed(tmp_path, textile_manifest.root, samples)
    assert set(before) < set(stored(tmp_path))
    assert sum(len(np.load(path)) for path in stored(tmp_path)) == len({s.key for s in samples})


def test_all_views_are_computed(cluster: Cluster, textile_manifest: Manifest, tmp_path: Path):
    samples = textile_manifest.samples[:LEAST_IMAGES]
    with using(cluster):
        computed(tmp_path / "many", textile_manifest.root, samples, views=2)
    computed(tmp_path / "one", textile_manifest.root, samples, views=2)
    both = [extractor(tmp_path / name, 2) for name in ("many", "one")]
    assert np.array_equal(*(there.read(samples, there.taps, 1) for there in both))


def test_images_that_cannot_be_read_are_told_as_ever(
    cluster: Cluster, textile_manifest: Manifest, tmp_path: Path
):
    root = tmp_path / "images"
    shutil.copytree(textile_manifest.root, root)
    gone, changed = textile_manifest.samples[3].path, textile_manifest.samples[7].path
    (root / gone).unlink()
    (root / changed).write_bytes(b"not the image that was listed")
    with using(cluster):
        found = computed(tmp_path / "many", root, textile_manifest.samples)
    assert found == computed(tmp_path / "one", root, textile_manifest.samples)
    assert {skipped.path for skipped in found} == {gone, changed}


def test_records_of_an_audit_are_those_of_one_process(
    cluster: Cluster, textile_manifest: Manifest, tmp_path: Path
):
    root, samples = textile_manifest.root, textile_manifest.samples
    many, one = RecordSpace(tmp_path / "many"), RecordSpace(tmp_path / "one")
    with using(cluster):
        assert many.compute(root, samples) == []
    one.compute(root, samples)
    keys = [sample.key for sample in samples]
    assert many.read(keys).tobytes() == one.read(keys).tobytes()


def test_a_sealed_models_features_and_looks_are_those_of_one_process(
    cluster: Cluster, textile_run: Run, textile_manifest: Manifest, tmp_path: Path
):
    root, samples = textile_manifest.root, textile_manifest.samples
    model = SealedModel(textile_run.directory, threads=1)
    with using(cluster):
        many = list(predict_blocks(model, root, samples, tmp_path / "many"))
    one = list(predict_blocks(model, root, samples, tmp_path / "one"))
    for found, wanted in zip(many, one, strict=True):
        assert np.array_equal(found.features, wanted.features)
        assert np.array_equal(found.probabilities, wanted.probabilities)
    looks = [
        ImageStatistics(tmp_path / name, model.size, model.white_level).table(root, samples)
        for name in ("many", "one")
    ]
    assert np.array_equal(*looks)


def test_headers_are_those_of_one_process(cluster: Cluster, textile_manifest: Manifest, tmp_path: Path):
    root = textile_manifest.root
    (tmp_path / "none.jpg").write_bytes(b"no image")
    files = [(sample.label, sample.path) for sample in textile_manifest.samples] * 3
    files.insert(100, ("none", str(tmp_path / "none.jpg")))
    with using(cluster):
        many = [header for _, headers in read_headers(root, files) for header in headers]
    one = [header for _, headers in read_headers(root, files) for header in headers]
    assert [str(header) for header in many] == [str(header) for header in one]


def test_workers_that_see_no_images_are_told(
    cluster: Cluster, textile_manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    elsewhere = replace(textile_manifest, root=tmp_path / "elsewhere")
    monkeypatch.setattr("eyebright.training.cache.fill.is_file", lambda path: True)
    with using(cluster), pytest.raises(ClusterError, match="see the images under the same path"):
        computed(tmp_path / "cache", elsewhere.root, elsewhere.samples)


def test_workers_that_write_elsewhere_are_told(
    cluster: Cluster, textile_manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    there = extractor(tmp_path)
    graphs = tmp_path / "cluster"
    monkeypatch.setattr("eyebright.training.cache.fill.write_bytes", lambda path, data: graphs.mkdir())
    with using(cluster), SILENT.task("") as task, pytest.raises(ClusterError, match="EYEBRIGHT_CACHE"):
        there.compute(textile_manifest.root, textile_manifest.samples, task)


def test_shards_leave_no_worker_idle_and_are_not_too_small():
    assert shard_size(1_000_000, 8) == 5000
    assert shard_size(100_000, 8) == 1563
    assert shard_size(100, 8) == LEAST_IMAGES
