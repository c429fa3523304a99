"""Hugging Face's own `datasets` writes what we read, and reads what we write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from data_images import write_classes

from eyebright.data.manifest import Manifest
from eyebright.data.source import scan_as_given
from eyebright.data.writing.write import write_data

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_classes(tmp_path_factory.mktemp("photos"), {"cat": 12, "dog": 12})


@pytest.fixture
def datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    found = pytest.importorskip("datasets")
    monkeypatch.setattr(found.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    return found


def content(manifest: Manifest) -> set[tuple[str, str]]:
    return {(s.sha, s.label) for s in manifest.samples}


def test_what_datasets_writes_is_read(datasets: Any, images: Path, tmp_path: Path) -> None:
    expected = content(scan_as_given(images)[0])
    whole = datasets.load_dataset("imagefolder", data_dir=str(images), split="train")
    parts = whole.train_test_split(0.25, seed=0)
    whole.save_to_disk(tmp_path / "whole")
    parts.save_to_disk(tmp_path / "parts")
    (tmp_path / "shards").mkdir()
    for split, part in parts.items():  # of images on disk, only their paths are written
        part.to_parquet(tmp_path / "shards" / f"{split}-00000-of-00001.parquet")
    for name, splits in (("whole", {"train"}), ("parts", {"train", "test"}), ("shards", {"train", "test"})):
        manifest, given = scan_as_given(tmp_path / name)
        assert (name, content(manifest)) == (name, expected)
        assert {s.split for s in manifest.samples} == splits
        assert given == (len(splits) > 1)


def test_what_we_write_is_read_by_datasets(datasets: Any, images: Path, tmp_path: Path) -> None:
    manifest, given = scan_as_given(images)
    for kind in ("folder", "hf", "parquet", "webdataset"):
        folder = tmp_path / kind
        write_data(manifest, kind, folder, name="new", splits=given)
        if kind == "webdataset":
            found = datasets.load_dataset(kind, data_files=str(folder / "*.tar"), split="train")
            labels = [row["json"]["label"] for row in found]
        else:
            found = datasets.load_dataset(str(folder), split="train")
            kind_of = found.features["label"]
            labels = [getattr(kind_of, "int2str", str)(label) for label in found["label"]]
        assert sorted(labels) == sorted(s.label for s in manifest.samples)
        assert set(found.features) & {"image", "png"}
