from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from eyebright.data.manifest import Manifest, Sample
from eyebright.data.manifest_file import read_manifest, write_manifest
from eyebright.errors import DataError, NotFoundError
from eyebright.types import Skipped, Split


def sample(path: str, label: str, split: Split = "train", sha: str = "00" * 16) -> Sample:
    return Sample(path, label, split, sha, 640, 480)


@pytest.fixture
def manifest() -> Manifest:
    samples = (
        sample("b/1.png", "b", sha="11" * 16),
        sample("a/1.png", "a", sha="22" * 16),
        sample("a/a name\nwith 空格.png", "a", "val", "33" * 16),
        sample("c/1.png", "c", "test", "44" * 16),
    )
    skipped = (Skipped("a/2.png", "Broken ({reason}).", {"reason": "cut"}),)
    return Manifest(Path("/data"), samples, skipped, (Skipped(".", "{count} files.", {"count": 3}),))


def test_labels_are_sorted_and_parts_keep_their_order(manifest: Manifest) -> None:
    assert manifest.labels == ("a", "b", "c")
    assert [s.path for s in manifest.of("train")] == ["b/1.png", "a/1.png"]
    assert [s.split for s in manifest.of("test")] == ["test"]


def test_counts_name_every_class_in_every_part(manifest: Manifest) -> None:
    assert manifest.counts() == {
        "train": {"a": 1, "b": 1, "c": 0},
        "val": {"a": 1, "b": 0, "c": 0},
        "test": {"a": 0, "b": 0, "c": 1},
    }


def test_without_drops_samples_and_keeps_all_reasons(manifest: Manifest) -> None:
    less = manifest.without(iter([Skipped("b/1.png", "Cut off.")]))
    assert [s.path for s in less.skipped] == ["a/2.png", "b/1.png"]
    assert len(less.samples) == 3
    assert less.of("train") == manifest.of("train")[1:]
    assert less.warnings == manifest.warnings


def test_digest_tells_images_labels_and_parts_but_not_places_or_order(manifest: Manifest) -> None:
    moved = tuple(replace(s, path=f"elsewhere/{s.path}") for s in reversed(manifest.samples))
    assert Manifest(Path("/other"), moved).digest == manifest.digest
    for change in ({"sha": "55" * 16}, {"label": "b"}, {"split": "val"}):
        other = (*manifest.samples[:3], replace(manifest.samples[3], **change))
        assert replace(manifest, samples=other).digest != manifest.digest
    assert manifest.without([Skipped("c/1.png", "Gone.")]).digest != manifest.digest


def test_written_and_read_is_the_same(manifest: Manifest, tmp_path: Path) -> None:
    write_manifest(manifest, tmp_path / "m.parquet")
    assert read_manifest(tmp_path / "m.parquet") == manifest
    assert [f.name for f in tmp_path.iterdir()] == ["m.parquet"]


def test_more_rows_than_one_batch_come_back_in_order(tmp_path: Path) -> None:
    rows = tuple(Sample(f"{i}.png", f"c{i % 3}", "train", f"{i:032x}", i, 1) for i in range(70_000))
    write_manifest(Manifest(tmp_path, rows), tmp_path / "m.parquet")
    again = read_manifest(tmp_path / "m.parquet")
    assert again.samples == rows
    assert len({id(s.label) for s in again.samples}) == 3, "class names are shared, not one string a row"


def test_no_samples_is_a_table_too(tmp_path: Path) -> None:
    write_manifest(Manifest(tmp_path, ()), tmp_path / "m.parquet")
    assert read_manifest(tmp_path / "m.parquet").samples == ()


def test_other_tools_read_the_columns(manifest: Manifest, tmp_path: Path) -> None:
    write_manifest(manifest, tmp_path / "m.parquet")
    table = pq.read_table(tmp_path / "m.parquet")
    assert table.column_names == [
        "path",
        "label",
        "split",
        "sha",
        "width",
        "height",
        "group",
        "white_level",
        "content",
        "unit",
        "time",
        "weight",
        "text",
    ]
    assert table.column("path").to_pylist()[2] == "a/a name\nwith 空格.png"


def test_what_is_no_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="does not"):
        read_manifest(tmp_path / "none.parquet")
    (tmp_path / "text.parquet").write_text("path,label")
    pq.write_table(pa.table({"path": ["a"]}), tmp_path / "other.parquet")
    for name in ("text", "other"):
        with pytest.raises(DataError, match=f"{name}.parquet is not"):
            read_manifest(tmp_path / f"{name}.parquet")


@pytest.mark.parametrize("seed", range(2))
def test_a_damaged_manifest_is_told_and_never_read_as_another(
    seed: int, manifest: Manifest, tmp_path: Path
) -> None:
    write_manifest(manifest, tmp_path / "m.parquet")
    whole = (tmp_path / "m.parquet").read_bytes()
    rng = np.random.default_rng(seed)
    refused = 0
    for _ in range(80):
        data = bytearray(whole)
        for place in rng.integers(0, len(data), rng.integers(1, 4)):
            data[place] ^= 1 << int(rng.integers(8))
        (tmp_path / "d.parquet").write_bytes(data)
        try:
            assert read_manifest(tmp_path / "d.parquet") == manifest
        except DataError as error:
            refused += "\n" not in str(error)
    assert refused > 40


@pytest.mark.parametrize(
    "lacking",
    [
        ["weight", "text"],
        ["unit", "time", "weight", "text"],
        ["group", "white_level", "content", "unit", "time", "weight", "text"],
    ],
)
def test_a_manifest_without_checksums_is_still_read(
    lacking: list[str], manifest: Manifest, tmp_path: Path
) -> None:
    write_manifest(manifest, tmp_path / "m.parquet")
    table = pq.read_table(tmp_path / "m.parquet")
    about = {b"eyebright": table.schema.metadata[b"eyebright"]}
    pq.write_table(
        table.drop_columns(lacking).replace_schema_metadata(about),
        tmp_path / "old.parquet",
    )
    assert read_manifest(tmp_path / "old.parquet") == manifest


def test_a_pipe_is_no_manifest(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "m.parquet")
    with pytest.raises(DataError, match="not a regular file"):
        read_manifest(tmp_path / "m.parquet")
