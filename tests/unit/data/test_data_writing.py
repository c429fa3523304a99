"""Data that is written in another format and read again is the same data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from data_images import write_classes

from eyebright.data.fixes import Fix, Fixes
from eyebright.data.manifest import Manifest
from eyebright.data.source import scan_as_given
from eyebright.data.table.chosen import Columns
from eyebright.data.writing.write import WRITERS, write_data
from eyebright.errors import ConfigError, DataError

COUNT = 12


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders in splits; every class has images of the same names."""
    root = tmp_path_factory.mktemp("folders")
    for number, split in enumerate(("train", "val", "test")):
        write_classes(root / split, {"cat": COUNT, "a dog": COUNT}, first=100 * number)
    return root


@pytest.fixture(scope="module")
def table(folders: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of images with several labels, or none, and groups."""
    lines = ["path,labels,patient"]
    for i, path in enumerate(sorted(folders.rglob("*.png"))):
        labels = ["", "x", '"y, z"', 'x;"y, z"'][i % 4].replace('"', "")
        lines.append(f'{path},"{labels}",p{i // 2}')
    file = tmp_path_factory.mktemp("table") / "t.csv"
    file.write_text("\n".join(lines))
    return file


def content(manifest: Manifest) -> set[tuple[str, str, str, str]]:
    return {(s.sha, s.label, s.split, s.group) for s in manifest.samples}


@pytest.mark.parametrize("kind", WRITERS)
def test_labels_splits_and_bytes_survive(kind: str, folders: Path, tmp_path: Path) -> None:
    manifest, given = scan_as_given(folders)
    assert write_data(manifest, kind, tmp_path / "new", name="new", splits=given) == []
    again, splits = scan_as_given(tmp_path / "new")
    assert splits
    assert content(again) == content(manifest)
    assert again.labels == manifest.labels == ("a dog", "cat")
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


@pytest.mark.parametrize("kind", [kind for kind in WRITERS if kind != "folder"])
def test_several_labels_and_groups_survive(kind: str, table: Path, tmp_path: Path) -> None:
    manifest, given = scan_as_given(table)
    assert (given, manifest.label_set) == (False, ("x", "y, z"))
    write_data(manifest, kind, tmp_path / "new", name="new", splits=False)
    again, splits = scan_as_given(tmp_path / "new")
    assert not splits
    assert content(again) == content(manifest)
    assert again.label_set == manifest.label_set


@pytest.mark.parametrize("kind", [kind for kind in WRITERS if kind != "folder"])
def test_texts_weights_and_times_survive(kind: str, folders: Path, tmp_path: Path) -> None:
    lines = ["path,label,description,weight,time"]
    for i, path in enumerate(sorted(folders.rglob("*.png"))):
        lines.append(
            f'{path},{path.parent.name},"seen, {i} times",{1 + i % 3},2024-03-{1 + i % 28:02}T10:00:00'
        )
    file = tmp_path / "t.csv"
    file.write_text("\n".join(lines))
    manifest, _ = scan_as_given(file, columns=Columns(text=("description",)))
    assert {s.weight for s in manifest.samples} == {1, 2, 3}
    write_data(manifest, kind, tmp_path / "new", name="new", splits=False)
    again, _ = scan_as_given(tmp_path / "new", columns=Columns(text=("text",)))
    assert further(again) == further(manifest)


def further(manifest: Manifest) -> set[tuple[str, str, float, str]]:
    return {(s.sha, s.text, s.weight, s.time) for s in manifest.samples}


def test_folders_cannot_hold_everything(table: Path, folders: Path, tmp_path: Path) -> None:
    manifest, _ = scan_as_given(table)
    with pytest.raises(DataError, match="labels, group"):
        write_data(manifest, "folder", tmp_path / "new", name="new", splits=False)
    manifest, _ = scan_as_given(folders)
    names = [Fix(s.path, "relabel", "a/b") for s in manifest.samples[:2]]
    with pytest.raises(DataError, match="names of folders"):
        write_data(Fixes(names).applied(manifest), "folder", tmp_path / "new", name="new", splits=True)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="must not exist"):
        write_data(manifest, "csv", tmp_path, name="new", splits=True)


def test_croissant_names_every_file(folders: Path, tmp_path: Path) -> None:
    manifest, _ = scan_as_given(folders)
    for kind in WRITERS:
        write_data(manifest, kind, tmp_path / kind, name="new", splits=True)
        found = json.loads((tmp_path / kind / "croissant.json").read_text())
        assert found["conformsTo"] == "http://mlcommons.org/croissant/1.1"
        assert {"@context", "@type", "name", "description", "distribution", "recordSet"} <= found.keys()
        objects = {o["@id"] for o in found["distribution"] if o["@type"] == "cr:FileObject"}
        files = {
            p.relative_to(tmp_path / kind).as_posix() for p in (tmp_path / kind).rglob("*") if p.is_file()
        }
        assert objects == {f for f in files if not f.endswith((".png", "croissant.json"))}


@pytest.mark.slow
@pytest.mark.parametrize("kind", WRITERS)
def test_croissant_is_valid(kind: str, folders: Path, tmp_path: Path) -> None:
    mlcroissant = pytest.importorskip("mlcroissant")
    manifest, _ = scan_as_given(folders)
    write_data(manifest, kind, tmp_path / kind, name="new", splits=True)
    dataset = mlcroissant.Dataset(jsonld=str(tmp_path / kind / "croissant.json"))
    assert not dataset.metadata.ctx.issues.errors
    for records in dataset.metadata.record_sets:
        first = next(iter(dataset.records(records.uuid)))
        assert len(first) == len(records.fields)
