"""Predictions by a cluster are those of one process, in their order."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eyebright as eb
from eyebright.data.manifest import Manifest
from eyebright.errors import ConfigError
from eyebright.runs.run import Run
from eyebright.training.cache.store import CLUSTER, default_folder

pytestmark = pytest.mark.xdist_group("alone")


def left() -> list[Path]:
    return list((default_folder() / CLUSTER).glob("*.json"))


@pytest.fixture(scope="module")
def images(textile_manifest: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("predicted")
    for number, sample in enumerate(textile_manifest.samples[:80]):
        shutil.copyfile(textile_manifest.root / sample.path, folder / f"{number:03}.jpg")
    (folder / "030.jpg").write_bytes(b"no image")
    return folder


def test_rows_are_those_of_one_process(textile_run: Run, images: Path):
    one = list(eb.predict(textile_run.directory, images, top=2))
    many = list(eb.predict(textile_run.directory, images, top=2, cluster="local:2"))
    assert many == one
    assert len(many) == 80
    assert left() == []


def test_a_second_attempt_finds_the_rows_of_the_first(textile_run: Run, images: Path):
    rows: Any = eb.predict(textile_run.directory, images, cluster="local:1")
    first = next(rows)
    rows.close()
    kept = {path: path.stat().st_mtime_ns for path in left()}
    assert kept
    rows = eb.predict(textile_run.directory, images, cluster="local:1")
    assert next(rows) == first
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert len(list(rows)) == 79
    assert left() == []


def test_images_in_memory_are_refused(textile_run: Run):
    picture = np.zeros((64, 64, 3), np.uint8)
    with pytest.raises(ConfigError, match="must be files"):
        list(eb.predict(textile_run.directory, picture, cluster="local:1"))


def test_a_log_is_refused(textile_run: Run, images: Path, tmp_path: Path):
    with pytest.raises(ConfigError, match="--log"):
        eb.predict(textile_run.directory, images, log=tmp_path / "log.parquet", cluster="local:1")
