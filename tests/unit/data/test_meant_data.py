"""Data whose meaning is known, in many writings: read right or refused with a sentence, never misread."""

from __future__ import annotations

from pathlib import Path

import pytest
from data_images import write_image
from meant_data import MeantData, write_folders, write_table

from eyebright.data.manifest import Manifest
from eyebright.data.source import scan
from eyebright.errors import DataError

FEW, MANY = range(20), range(20, 200)
# Where it is open what is meant, a question is right; but most data must be read.
MOST_REFUSED = {"table": 0.35, "folders": 0.65}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("meant")
    for i in range(36):
        write_image(folder / "images" / f"{i:02}.png", i)
    return folder


def misread(meant: MeantData, manifest: Manifest) -> str:
    """What of the meaning was lost; nothing of data that was read right."""
    several = manifest.label_set is not None
    found = {s.path: frozenset(s.labels if several else [s.label]) for s in manifest.samples}
    if found != meant.labels:
        return f"labels {dict(list(found.items())[:3])}"
    if several != meant.several:
        return "another task"
    given = {s.path: s.split for s in manifest.samples}
    if meant.splits and "val" in meant.splits.values() and given != meant.splits:
        return "other splits"
    return ""


def tables(folder: Path, seeds: range) -> tuple[list[object], int]:
    wrong, refused = list[object](), 0
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.png"))
    for seed in seeds:
        meant = write_table(folder, names, seed)
        try:
            lost = misread(meant, scan(folder))
        except DataError:
            refused += 1
        else:
            wrong += [(seed, lost, meant.recipe)] * bool(lost)
    return wrong, refused


def folders(top: Path, seeds: range) -> tuple[list[object], int]:
    wrong, refused = list[object](), 0
    number = iter(range(100_000))
    for seed in seeds:
        meant = write_folders(top / str(seed), lambda path: write_image(path, next(number)), seed)
        try:
            lost = misread(meant, scan(top / str(seed)))
        except DataError:
            refused += 1
        else:
            wrong += [(seed, lost, meant.recipe)] * bool(lost)
    return wrong, refused


@pytest.mark.parametrize("seeds", [FEW, pytest.param(MANY, marks=pytest.mark.slow)], ids=["few", "many"])
def test_no_table_is_misread(seeds: range, images: Path) -> None:
    wrong, refused = tables(images, seeds)
    assert wrong == []
    assert refused <= MOST_REFUSED["table"] * len(seeds)


@pytest.mark.parametrize("seeds", [FEW, pytest.param(MANY, marks=pytest.mark.slow)], ids=["few", "many"])
def test_no_folders_are_misread(seeds: range, tmp_path: Path) -> None:
    wrong, refused = folders(tmp_path, seeds)
    assert wrong == []
    assert refused <= MOST_REFUSED["folders"] * len(seeds)
