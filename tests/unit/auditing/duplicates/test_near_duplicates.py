"""Near duplicates for splits: copies of photographs are found, other photographs are not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from eyebright.auditing.duplicates import near_duplicates as module
from eyebright.auditing.duplicates.near_duplicates import alike_within, may_be_copies, near_duplicates
from eyebright.auditing.planting import planted_copy
from eyebright.data.folder import scan_as_given
from eyebright.data.header import read_header
from eyebright.data.manifest import Manifest, Sample
from eyebright.data.source import scan
from eyebright.data.splits.drawing import Drawing

KINDS = ("resize", "jpeg", "brightness", "mirror", "rotation", "crop")
SIDE = 120


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, scenes: list[Image.Image], textile: Path) -> Path:
    """Parts of two photographs and woven cloth, six of them with a copy each."""
    root = tmp_path_factory.mktemp("near")
    (root / "scene").mkdir()
    (root / "cloth").mkdir()
    parts = [
        scene.crop((SIDE * x, SIDE * y, SIDE * (x + 1), SIDE * (y + 1)))
        for scene in scenes
        for x in range(5)
        for y in range(3)
    ]
    for number, part in enumerate(parts):
        part.save(root / "scene" / f"{number:02}.png")
    for number, kind in enumerate(KINDS):
        planted_copy(parts[4 * number], kind, f"{number:032x}").save(
            root / "scene" / f"{4 * number:02}-{kind}.png"
        )
    for number, path in enumerate(sorted(textile.rglob("*.jpg"))[:40]):
        Image.open(path).save(root / "cloth" / f"{number:02}.png")
    return root


@pytest.fixture(scope="module")
def manifest(folder: Path) -> Manifest:
    return scan_as_given(folder)[0]


def test_copies_are_found_and_nothing_else(manifest: Manifest) -> None:
    found = near_duplicates(manifest.root, manifest.samples)
    names = [sorted(Path(manifest.samples[place].path).stem for place in group) for group in found]
    assert sorted(names) == [[f"{4 * n:02}", f"{4 * n:02}-{kind}"] for n, kind in enumerate(KINDS)]


def test_groups_are_remembered_whatever_the_order(
    manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def paths(samples: list[Sample]) -> list[set[str]]:
        return sorted(
            ({samples[i].path for i in g} for g in near_duplicates(manifest.root, samples)), key=min
        )

    first = paths(list(manifest.samples))
    monkeypatch.setattr(module, "_groups", lambda squares: pytest.fail("nothing is compared again"))
    assert paths(list(manifest.samples)[::-1]) == first


def test_files_that_cannot_be_read_are_in_no_group(manifest: Manifest, tmp_path: Path) -> None:
    gone = [replace(s, sha=f"{i:032x}", content="") for i, s in enumerate(manifest.samples[:3])]
    samples = [*gone, *manifest.samples]
    found = near_duplicates(manifest.root, samples)
    assert len(found) == len(KINDS)
    assert min(place for group in found for place in group) >= len(gone)
    assert near_duplicates(tmp_path, gone) == []


def test_only_images_that_look_alike_may_be_copies(manifest: Manifest, tmp_path: Path) -> None:
    near_duplicates(manifest.root, manifest.samples)  # takes the fingerprints
    original, *_ = manifest.samples
    path = tmp_path / "again.png"
    Image.open(manifest.root / original.path).save(path, compress_level=1)
    again = replace(original, path=str(path), sha=read_header(str(path)).sha, content="")
    assert again.sha != original.sha
    found = may_be_copies(manifest.root, manifest.samples, [again])
    assert original in found
    assert len(found) < len(manifest.samples) / 2
    without_fingerprint = replace(original, sha="f" * 32, content="")
    assert may_be_copies(manifest.root, [without_fingerprint], [again]) == [without_fingerprint]


def test_a_drawn_split_keeps_them_together(folder: Path) -> None:
    for seed in range(4):
        drawn = scan(folder, val=0.4, seed=seed, drawing=Drawing(near_duplicates))
        split = {Path(s.path).stem: s.split for s in drawn.samples if "scene" in s.path}
        assert all(split[f"{4 * n:02}"] == split[f"{4 * n:02}-{kind}"] for n, kind in enumerate(KINDS))
        assert drawn.facts is not None
        assert (drawn.facts.near_duplicates, drawn.facts.near_groups, drawn.facts.leaks) == (12, 6, ())


def test_images_of_a_group_are_more_alike_than_others(manifest: Manifest) -> None:
    groups = near_duplicates(manifest.root, manifest.samples)
    within, across = alike_within(manifest.samples, groups)
    assert within > across + 0.02
    assert np.isnan(alike_within(manifest.samples, groups[:1])).all(), "one pair has no other beside it"
