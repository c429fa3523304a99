"""Drawn splits: near duplicates, groups and times stay on the side where they belong."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from eyebright.data.manifest import Manifest, Sample
from eyebright.data.manifest_file import read_manifest, write_manifest
from eyebright.data.source import scan
from eyebright.data.splits.by_time import assign_by_time
from eyebright.data.splits.capture_time import capture_time, read_time
from eyebright.data.splits.drawing import Drawing, draw
from eyebright.data.splits.units import joined
from eyebright.errors import DataError

DAY = datetime(2024, 1, 1)


def image(number: int, group: str = "", time: str = "", label: str = "") -> Sample:
    name = label or f"c{number % 2}"
    return Sample(f"{name}/{number}.png", name, "train", f"{number:032x}", 9, 9, group=group, time=time)


def sides(samples: Sequence[Sample]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for sample in samples:
        found[sample.together].add(sample.split)
    return found


@pytest.mark.parametrize("seed", range(8))
def test_what_belongs_together_lies_in_one_split(seed: int) -> None:
    random = np.random.default_rng(seed)
    near = [random.choice(60, random.integers(2, 5), replace=False).tolist() for _ in range(seed)]
    samples = tuple(image(i, group=f"g{i // 4}" if i < 20 else "") for i in range(60))
    drawn = draw(Manifest(Path("."), samples), {"val": 0.2, "test": 0.2}, seed, Drawing(lambda *_: near))
    assert all(len(found) == 1 for found in sides(drawn.samples).values())
    together = [s.together for s in drawn.samples]
    for group in near:
        assert len({together[i] for i in group}) == 1
    for i in range(20):
        assert together[i] == together[i - i % 4], "groups stay whole where a near duplicate joins two"


def test_only_what_is_joined_gets_a_unit() -> None:
    samples = [image(0, "a"), image(1, "a"), image(2, "b"), image(3), image(4)]
    assert [s.unit for s in joined(samples, [])] == [""] * 5
    units = [s.unit for s in joined(samples, [[1, 3]])]
    assert units[0] == units[1] == units[3] != ""
    assert units[2] == units[4] == ""


def test_near_duplicates_in_splits_of_the_data_are_named_and_not_moved() -> None:
    samples = [image(i) for i in range(8)]
    given_splits = ("train", "train", "val", "train", "test", "train", "train", "val")
    placed = tuple(
        Sample(s.path, s.label, split, s.sha, 9, 9) for s, split in zip(samples, given_splits, strict=True)
    )
    drawn = draw(Manifest(Path("."), placed), {}, 0, Drawing(lambda *_: [[0, 4], [1, 3]]))
    assert [s.split for s in drawn.samples] == list(given_splits)
    assert drawn.facts is not None
    assert drawn.facts.leaks == ((samples[4].path, samples[0].path),)
    assert (drawn.facts.near_duplicates, drawn.facts.near_groups) == (2, 1)
    assert [w.path for w in drawn.warnings] == [samples[4].path]


def test_groups_that_the_data_divides_are_named() -> None:
    samples = tuple(
        replace(image(i, group=f"P{i // 2}"), split="test" if i > 4 else "train") for i in range(8)
    )
    (warning,) = draw(Manifest(Path("."), samples), {}, 0, Drawing()).warnings
    assert warning.reason_values == {"count": 1, "groups": "P2"}


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 8)), min_size=6, max_size=60))
def test_nothing_is_learned_from_a_time_that_is_evaluated(rows: list[tuple[int, int]]) -> None:
    samples = [
        image(i, group=f"g{group}" if group < 5 else "", time=(DAY + timedelta(days=day)).isoformat())
        for i, (day, group) in enumerate(rows)
    ]
    newest: dict[str, str] = {}
    for s in samples:
        newest[s.together] = max(s.time, newest.get(s.together, ""))
    if len(set(newest.values())) < 3:
        with pytest.raises(DataError, match="different times"):
            assign_by_time(samples, {"val": 0.2, "test": 0.2})
        return
    splits = assign_by_time(samples, {"val": 0.2, "test": 0.2})
    times: dict[str, list[str]] = defaultdict(list)
    groups: dict[str, set[str]] = defaultdict(set)
    for s, split in zip(samples, splits, strict=True):
        times[split].append(newest[s.together])
        groups[s.together].add(split)
    assert all(len(found) == 1 for found in groups.values())
    assert max(times["train"]) < min(times["val"]) <= max(times["val"]) < min(times["test"])


def test_each_split_gets_about_its_share_of_the_time() -> None:
    samples = [image(i, time=(DAY + timedelta(hours=i)).isoformat()) for i in range(100)]
    splits = assign_by_time(samples[::-1], {"val": 0.2, "test": 0.1})
    assert splits == ["test"] * 10 + ["val"] * 20 + ["train"] * 70


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2024:05:01 12:30:05", "2024-05-01T12:30:05"),
        ("2024-05-01T12:30:05+02:00", "2024-05-01T12:30:05"),
        ("2024-05-01", "2024-05-01T00:00:00"),
        ("2024/5/1 12:30", "2024-05-01T12:30:00"),
        ("0000:00:00 00:00:00", ""),
        ("0001:01:01 00:00:00", ""),
        ("yesterday", ""),
        ("", ""),
    ],
)
def test_times_as_people_and_cameras_write_them(text: str, time: str) -> None:
    assert read_time(text) == time


@pytest.fixture
def photos(tmp_path: Path, scenes: list[Image.Image]) -> Path:
    """Thirty photographs of two classes, each a day newer than the one before; none has a copy."""
    for i in range(30):
        folder = tmp_path / "photos" / f"c{i % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0x9003] = (DAY + timedelta(days=i)).strftime("%Y:%m:%d %H:%M:%S")
        scenes[0].crop((10 * i, 0, 10 * i + 64, 64)).save(folder / f"{i:02}.jpg", exif=exif)
    return tmp_path / "photos"


def test_the_oldest_photographs_train_and_the_report_knows_the_dates(photos: Path, tmp_path: Path) -> None:
    assert capture_time(photos / "c1/03.jpg") == "2024-01-04T00:00:00"
    manifest = scan(photos, test=0.2, drawing=Drawing(by="time"))
    days = {
        split: sorted(int(Path(s.path).stem) for s in manifest.of(split))
        for split in ("train", "val", "test")
    }
    assert days == {"train": list(range(18)), "val": list(range(18, 24)), "test": list(range(24, 30))}
    assert manifest.facts is not None
    assert manifest.facts.periods["test"].last == "2024-01-30T00:00:00"
    write_manifest(manifest, tmp_path / "m.parquet")
    assert read_manifest(tmp_path / "m.parquet") == manifest


def test_photographs_without_a_time_are_named_or_refused(photos: Path, scenes: list[Image.Image]) -> None:
    scenes[1].crop((0, 0, 64, 64)).save(photos / "c0" / "timeless.jpg")
    manifest = scan(photos, drawing=Drawing(by="time"))
    assert [(s.path, "not known when" in s.reason) for s in manifest.skipped] == [("c0/timeless.jpg", True)]
    for i in range(40):
        scenes[1].crop((8 * i, 64, 8 * i + 64, 128)).save(photos / "c1" / f"x{i}.jpg")
    with pytest.raises(DataError, match="Of 41 of 71 images it is not known"):
        scan(photos, drawing=Drawing(by="time"))


def test_a_class_that_is_all_new_is_refused() -> None:
    samples = tuple(
        image(i, time=(DAY + timedelta(days=i)).isoformat(), label="new" if i > 15 else "old")
        for i in range(20)
    )
    with pytest.raises(DataError, match="All are newer of: new"):
        draw(Manifest(Path("."), samples), {"val": 0.25}, 0, Drawing(by="time"))


@pytest.mark.parametrize("by", ["time", "folds"])
def test_data_with_splits_of_its_own_is_refused(by: Literal["time", "folds"]) -> None:
    samples = tuple(Sample(f"{i}.png", "c", "test" if i else "train", f"{i:032x}", 9, 9) for i in range(3))
    with pytest.raises(DataError, match="has 0 validation images and 2 test images"):
        draw(Manifest(Path("."), samples), {"val": 0.2}, 0, Drawing(by=by))


def test_folds_hold_nothing_out(photos: Path) -> None:
    manifest = scan(photos, drawing=Drawing(by="folds"))
    assert len(manifest.of("train")) == 30
    assert manifest.facts is not None
    assert manifest.facts.by == "folds"
    assert np.all([not manifest.of(split) for split in ("val", "test")])
