"""What the cache holds is told, and what was not used for longest goes first."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cache_material import CARD, WIDTH, filled, key, numbers_of, opened, row

from eyebright.training.cache.store import FeatureSpace
from eyebright.training.cache.usage import ExportsUsage, clear, exports_usage, trim, usage


def aged(root: Path) -> tuple[FeatureSpace, FeatureSpace]:
    """Two spaces of three segments with ten rows each; the second was used last."""
    spaces = []
    for number, card in enumerate((CARD, CARD | {"view": 1})):
        space = filled(root, card=card)
        for segment in range(3):
            before = set(space.folder.glob("*.npy"))
            for n in range(10 * segment, 10 * segment + 10):
                space.add(key(n), row(n))
            space.flush()
            for file in set(space.folder.glob("*.npy")) - before:
                os.utime(file, (1000 + segment, 1000 + segment))
        os.utime(space.folder / "space.json", (100 + number, 100 + number))
        spaces.append(space)
    return spaces[0], spaces[1]


def test_usage_counts_images_and_bytes(tmp_path: Path) -> None:
    old, new = aged(tmp_path)
    shown = usage(tmp_path)
    assert [s.folder for s in shown] == [new.folder, old.folder]
    assert [s.images for s in shown] == [30, 30]
    assert [s.last_used for s in shown] == [101, 100]
    assert [s.name for s in shown] == [
        f"efficientnet_lite0 96 px, 2,000 x float32, view {view}" for view in (1, 0)
    ]
    for space in shown:
        assert space.bytes == sum(f.stat().st_size for f in space.folder.glob("*.npy"))
        assert 30 * WIDTH * 2 < space.bytes < 31 * WIDTH * 2


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b'{"width": "a"}', b"\xff\xfe", b"[" * 100_000])
def test_a_damaged_card_neither_hides_a_space_nor_keeps_it(tmp_path: Path, content: bytes) -> None:
    space = filled(tmp_path, range(5))
    (space.folder / "space.json").write_bytes(content)
    (shown,) = usage(tmp_path)
    assert (shown.images, shown.name) == (5, space.folder.name)
    assert clear(tmp_path) == shown.bytes
    assert list(tmp_path.iterdir()) == []


def test_trim_deletes_the_oldest_first_and_no_more_than_needed(tmp_path: Path) -> None:
    old, new = aged(tmp_path)
    total = sum(s.bytes for s in usage(tmp_path))
    segment = total // 6
    freed = trim(tmp_path, total - segment - segment // 2)
    assert freed == 2 * segment
    assert sum(s.bytes for s in usage(tmp_path)) == total - freed
    assert numbers_of(opened(tmp_path), 100) == list(range(20, 30))
    assert len(list(new.folder.glob("*.keys.npy"))) == 3
    assert old.folder.exists()


def test_trim_passes_on_to_the_next_space(tmp_path: Path) -> None:
    old, _ = aged(tmp_path)
    segment = sum(s.bytes for s in usage(tmp_path)) // 6
    assert trim(tmp_path, 2 * segment) == 4 * segment
    assert not old.folder.exists()
    assert numbers_of(FeatureSpace(tmp_path, CARD | {"view": 1}, WIDTH), 100) == list(range(10, 30))


def test_trim_within_the_limit_deletes_nothing(tmp_path: Path) -> None:
    aged(tmp_path)
    total = sum(s.bytes for s in usage(tmp_path))
    assert trim(tmp_path, total) == 0
    assert sum(s.bytes for s in usage(tmp_path)) == total


def test_trim_to_nothing_leaves_nothing(tmp_path: Path) -> None:
    aged(tmp_path)
    total = sum(s.bytes for s in usage(tmp_path))
    assert trim(tmp_path, 0) == total
    assert list(tmp_path.iterdir()) == []
    assert usage(tmp_path / "missing") == []


def network(root: Path, name: str, size: int, used: int) -> Path:
    """An exported network of ``size`` bytes that was used last at ``used``."""
    path = root / "exports" / f"{name}.onnx"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"x" * size)
    os.utime(path, (used, used))
    return path


def test_exported_networks_are_counted(tmp_path: Path) -> None:
    assert exports_usage(tmp_path) is None
    network(tmp_path, "a", 300, used=50)
    network(tmp_path, "b", 500, used=70)
    assert exports_usage(tmp_path) == ExportsUsage(networks=2, bytes=800, last_used=70)
    assert usage(tmp_path) == []


def test_exported_networks_go_in_their_turn(tmp_path: Path) -> None:
    aged(tmp_path)  # used at 100 and 101
    rows = sum(s.bytes for s in usage(tmp_path))
    first = network(tmp_path, "first", 300, used=99)
    last = network(tmp_path, "last", 300, used=102)
    assert trim(tmp_path, rows + 600) == 0
    assert trim(tmp_path, rows + 599) == 300
    assert not first.exists()
    assert trim(tmp_path, 300) == rows
    assert last.exists()
    assert usage(tmp_path) == []
    assert trim(tmp_path, 299) == 300
    assert not last.exists()


def test_clearing_leaves_nothing(tmp_path: Path) -> None:
    aged(tmp_path)
    rows = sum(s.bytes for s in usage(tmp_path))
    network(tmp_path, "a", 300, used=50)
    filled(tmp_path, card=CARD | {"view": 7})  # a space without rows
    (tmp_path / "engines").mkdir()
    assert clear(tmp_path) == rows + 300
    assert list(tmp_path.iterdir()) == []
