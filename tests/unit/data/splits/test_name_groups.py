"""Groups in file names: what names mean is known, and so is what must not be proposed."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

import pytest

from eyebright.data.manifest import Sample
from eyebright.data.splits.name_groups import propose_groups, with_name_groups
from eyebright.errors import DataError


def samples(names: list[str]) -> list[Sample]:
    """Images of three classes in turn."""
    return [
        Sample(f"c{i % 3}/{name}", f"c{i % 3}", "train", f"{i:032x}", 9, 9) for i, name in enumerate(names)
    ]


def digest(number: int) -> str:
    return f"{number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128:032x}"


#: Names, and how many of them in a row show the same subject.
MEANT = {
    "burst": ([f"IMG_{1000 + i}_{j}.jpg" for i in range(40) for j in (1, 2, 3)], 3),
    "patient": ([f"P{i:03}_{view}.png" for i in range(30) for view in ("front", "left", "x1")], 3),
    "patient in words": ([f"patient-{i:02}-scan-{j}.png" for i in range(20) for j in range(4)], 4),
    "product": ([f"{48213 + 7 * i}_{j}.jpg" for i in range(50) for j in range(3)], 3),
    "augmented": ([f"DSC_{i:04}_jpg.rf.{digest(3 * i + j)}.jpg" for i in range(40) for j in range(3)], 3),
    "video": ([f"clip{i:02}_frame{j:05}.jpg" for i in range(8) for j in range(20)], 20),
    "downloaded again": ([f"IMG_{i:04} ({j}).jpg" for i in range(30) for j in (1, 2, 3)], 3),
    "serial number": ([f"SN-{i:05}-{side}.png" for i in range(30) for side in ("top", "side")], 2),
}
NOT_MEANT = {
    "running number": [f"IMG_{i:04}.jpg" for i in range(120)],
    "hash": [f"{digest(i)}.jpg" for i in range(120)],
    "UUID": [
        f"{digest(i)[:8]}-{digest(i)[8:12]}-4f3a-{digest(i)[12:16]}-{digest(i)[:12]}.jpg" for i in range(300)
    ],
    "class": [f"glass_{i}.jpg" for i in range(120)],
    "class with a digit": [f"c{i % 3}_{i}.jpg" for i in range(120)],
    "synset": [f"n0{1440764 + i % 3}_{i}.JPEG" for i in range(120)],
    "day": [
        f"IMG_2024{1 + i // 20:02}{1 + i % 20:02}_{100000 + 37 * i + j}.jpg"
        for i in range(60)
        for j in range(3)
    ],
    "number": [f"{i}.png" for i in range(120)],
    "one image each": [f"P{i:03}_{i % 9}.png" for i in range(90)],
    "few hundreds": [f"a{i // 40}-{i}.png" for i in range(120)],
}


@pytest.mark.parametrize("kind", MEANT)
def test_groups_are_proposed_with_the_pattern_that_finds_them(kind: str) -> None:
    names, size = MEANT[kind]
    found = propose_groups(samples(names))
    assert found is not None
    assert found.count == len(found.members) == len(names) // size
    assert all(re.search(found.pattern, PurePosixPath(name).stem) for name in names)
    groups = [s.group for s in with_name_groups(samples(names), found.pattern)]
    assert [groups.index(group) // size for group in groups] == [i // size for i in range(len(names))]
    assert set(found.examples[0]) <= set(names)


@pytest.mark.parametrize("kind", NOT_MEANT)
def test_other_names_are_left_alone(kind: str) -> None:
    assert propose_groups(samples(NOT_MEANT[kind])) is None


def test_the_group_is_what_the_pattern_names() -> None:
    named = with_name_groups(samples(["lot7-A-001.png", "lot7-B-002.png", "other.png"]), r"^lot(\d+)-([AB])")
    assert [s.group for s in named] == ["7_A", "7_B", ""]


def test_a_pattern_that_matches_nothing_is_refused() -> None:
    with pytest.raises(DataError, match="matches none of 2 names, such as a1"):
        with_name_groups(samples(["a1.png", "a2.png"]), "^patient")
