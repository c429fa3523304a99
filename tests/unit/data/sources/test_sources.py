"""Every source gives the manifest that the folder gives: the same images, labels and contents."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from data_images import write_classes
from source_formats import WRITERS, Images

from eyebright.data.header import read_image
from eyebright.data.manifest import Manifest
from eyebright.data.source import scan, scan_as_given, scan_part


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_classes(tmp_path_factory.mktemp("photos"), {"cat": 12, "dog": 12})


@pytest.fixture(scope="module")
def labels(images: Path) -> Images:
    paths = sorted(images.rglob("*.png"))
    return {path.relative_to(images).as_posix(): path.parent.name for path in paths}


@pytest.fixture(scope="module")
def as_folder(images: Path) -> Manifest:
    return scan(images)


@pytest.mark.parametrize("kind", WRITERS)
def test_every_source_gives_the_same_manifest(
    kind: str, images: Path, labels: Images, as_folder: Manifest, tmp_path: Path
) -> None:
    data = WRITERS[kind](images, labels, tmp_path / kind)
    manifest = scan(data)
    assert manifest.digest == as_folder.digest
    assert not manifest.skipped
    for sample in manifest.samples[::7]:
        assert read_image(manifest.root / sample.path, sample.sha)
    assert scan_as_given(data)[0].digest == scan_as_given(images)[0].digest
    assert len(scan_part(data, "auto")[0].samples) == len(labels)


@pytest.mark.parametrize("kind", ["hf_folder", "hf_parquet", "saved_to_disk", "webdataset", "coco", "cvat"])
def test_every_source_may_lie_in_an_archive(
    kind: str, images: Path, labels: Images, as_folder: Manifest, tmp_path: Path
) -> None:
    data = WRITERS[kind](images, labels, tmp_path / kind)
    archive = shutil.make_archive(str(tmp_path / "all"), "zip", tmp_path, data.relative_to(tmp_path))
    manifest = scan(Path(archive))
    assert manifest.digest == as_folder.digest
    assert not manifest.skipped
