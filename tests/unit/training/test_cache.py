"""The feature cache: what was flushed is read again, whatever happened to the process or the disk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eyebright.errors import StorageError
from eyebright.training import cache
from eyebright.training.cache import FeatureSpace, Rows, Space, default_folder
from eyebright.training.cache_usage import ExportsUsage, clear, exports_usage, trim, usage

CARD: dict[str, Any] = {"backbone": "efficientnet_lite0", "size": 96, "precision": "float32", "view": 0}
WIDTH = 2000
# What the writing processes share with the tests that read after them.
WRITER = """
import resource, sys
from pathlib import Path
import numpy as np
from eyebright.errors import StorageError
from eyebright.training.cache import FeatureSpace

CARD = {"backbone": "efficientnet_lite0", "size": 96, "precision": "float32", "view": 0}
WIDTH = 2000
space = FeatureSpace(Path(sys.argv[1]), CARD, WIDTH)

def add(first, count):
    for number in range(first, first + count):
        space.add(number.to_bytes(16, "little"), np.full(WIDTH, number % 1000, np.float16))
"""


def key(number: int) -> bytes:
    return number.to_bytes(16, "little")


def row(number: int) -> Rows:
    """As the writers below make them."""
    return np.full(WIDTH, number % 1000, np.float16)


def opened(root: Path) -> FeatureSpace:
    return FeatureSpace(root, CARD, WIDTH)


def filled(root: Path, *flushes: range, card: dict[str, Any] = CARD) -> FeatureSpace:
    """A space with one segment for each range of numbers."""
    space = FeatureSpace(root, card, WIDTH)
    for numbers in flushes:
        for number in numbers:
            space.add(key(number), row(number))
        space.flush()
    return space


def numbers_of(space: FeatureSpace, upto: int) -> list[int]:
    """Which numbers the space holds; their rows are checked."""
    held = [n for n in range(upto) if key(n) in space]
    if held:
        np.testing.assert_array_equal(space.read([key(n) for n in held])[:, 0], [n % 1000 for n in held])
        np.testing.assert_array_equal(space.read([key(held[-1])])[0], row(held[-1]))
    return held


def started(program: str, root: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER + program, str(root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )


def test_rows_come_in_the_order_asked_for(tmp_path: Path) -> None:
    space = filled(tmp_path, range(5), range(5, 9), range(9, 10))
    asked = [7, 0, 9, 1, 2, 8, 0, 6, 7]
    for reader in (space, opened(tmp_path)):
        np.testing.assert_array_equal(reader.read([key(n) for n in asked]), np.stack([row(n) for n in asked]))


def test_columns_are_cut_out_of_each_row(tmp_path: Path) -> None:
    space = FeatureSpace(tmp_path, CARD, 6)
    rows = np.arange(24, dtype=np.float16).reshape(4, 6)
    for number in range(4):
        space.add(key(number), rows[number])
    space.flush()
    places = np.array([5, 0, 3])
    np.testing.assert_array_equal(space.read([key(3), key(1)], places), rows[[3, 1]][:, places])
    np.testing.assert_array_equal(space.read([key(2)], slice(1, 3)), rows[[2], 1:3])
    assert space.read([]).shape == (0, 6)


def test_rows_are_there_after_a_flush_and_not_before(tmp_path: Path) -> None:
    space = opened(tmp_path)
    space.add(key(1), row(1))
    assert key(1) not in space
    assert key(1) not in opened(tmp_path)
    space.flush()
    assert key(1) in space
    assert numbers_of(opened(tmp_path), 3) == [1]
    with pytest.raises(KeyError):
        space.read([key(2)])


def test_a_flush_of_nothing_writes_nothing(tmp_path: Path) -> None:
    space = filled(tmp_path, range(3))
    before = sorted(space.folder.iterdir())
    space.flush()
    assert sorted(space.folder.iterdir()) == before


def test_a_row_that_was_written_twice_is_read_once(tmp_path: Path) -> None:
    filled(tmp_path, range(4), range(2, 6))
    assert numbers_of(opened(tmp_path), 10) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "change", [{"size": 128}, {"view": 1}, {"precision": "bfloat16"}, {"backbone": "other"}]
)
def test_another_card_is_another_space(tmp_path: Path, change: dict[str, Any]) -> None:
    filled(tmp_path, range(4))
    other = FeatureSpace(tmp_path, CARD | change, WIDTH)
    assert key(0) not in other
    assert other.folder != opened(tmp_path).folder


def test_the_cards_order_does_not_matter(tmp_path: Path) -> None:
    filled(tmp_path, range(4))
    assert key(0) in FeatureSpace(tmp_path, dict(reversed(CARD.items())), WIDTH)


def test_two_processes_may_write_at_once(tmp_path: Path) -> None:
    program = """
print("ready")
sys.stdin.readline()
for start in range(int(sys.stdin.readline()), 400, 20):
    add(start, 40)
    space.flush()
"""
    writers = [started(program, tmp_path) for _ in range(2)]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer, first in zip(writers, (0, 10), strict=True):
        writer.stdin.write(f"\n{first}\n")
    for writer in writers:
        writer.communicate()
        assert writer.returncode == 0
    assert numbers_of(opened(tmp_path), 1000) == list(range(430))


@pytest.mark.parametrize("flushes", [1, 2, 3, 5])
def test_a_writer_that_is_killed_leaves_what_it_had_flushed(tmp_path: Path, flushes: int) -> None:
    program = """
for start in range(0, 100_000, 50):
    add(start, 50)
    space.flush()
    print(start, flush=True)
"""
    writer = started(program, tmp_path)
    for _ in range(flushes):
        assert writer.stdout.readline()
    writer.kill()
    writer.communicate()
    held = numbers_of(opened(tmp_path), 100_000)
    assert len(held) >= 50 * flushes
    assert held == list(range(len(held)))
    assert len(held) % 50 == 0
    assert usage(tmp_path)[0].images == len(held)


def truncated(file: Path) -> None:
    os.truncate(file, file.stat().st_size - 100)


def garbage(file: Path) -> None:
    file.write_bytes(b"not an array")


def emptied(file: Path) -> None:
    file.write_bytes(b"")


@pytest.mark.parametrize("kind", ["rows", "keys"])
@pytest.mark.parametrize("damage", [truncated, garbage, emptied, os.unlink])
def test_a_damaged_segment_counts_as_absent(tmp_path: Path, kind: str, damage) -> None:
    space = filled(tmp_path, range(5))
    (victim,) = space.folder.glob(f"*.{kind}.npy")
    filled(tmp_path, range(5, 8))
    damage(victim)
    assert numbers_of(opened(tmp_path), 10) == [5, 6, 7]
    # ...so that it is computed again, and can be shown and trimmed.
    filled(tmp_path, range(5))
    assert numbers_of(opened(tmp_path), 10) == list(range(8))
    (shown,) = usage(tmp_path)
    assert shown.images >= 8
    trim(tmp_path, 0)
    assert usage(tmp_path) == []


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    space = filled(tmp_path, range(5))
    (keys,) = space.folder.glob("*.keys.npy")
    np.save(keys, np.array([{"an": "object"}] * 5, dtype=object), allow_pickle=True)
    assert numbers_of(opened(tmp_path), 5) == []


def test_rows_of_another_width_count_as_absent(tmp_path: Path) -> None:
    filled(tmp_path, range(3))
    assert key(0) not in FeatureSpace(tmp_path, CARD, WIDTH + 1)


@pytest.mark.parametrize("limit", [10_000, 200_000])
def test_a_full_disk_keeps_earlier_rows(tmp_path: Path, limit: int) -> None:
    """The limit on file sizes fails in the same place: early, and when most of a segment is written."""
    program = f"""
add(0, 10)
space.flush()
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
add(10, 100)
try:
    space.flush()
except StorageError as error:
    print(error)
"""
    writer = started(program, tmp_path)
    told, _ = writer.communicate()
    assert writer.returncode == 0
    assert "finished work is kept" in told
    space = opened(tmp_path)
    assert numbers_of(space, 200) == list(range(10))
    assert not list(space.folder.glob(".*.tmp"))


def test_rows_that_found_no_room_are_written_by_the_next_flush(tmp_path: Path) -> None:
    program = """
resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, resource.RLIM_INFINITY))
add(0, 20)
try:
    space.flush()
except StorageError:
    print("full")
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
space.flush()
"""
    writer = started(program, tmp_path)
    assert writer.communicate()[0] == "full\n"
    assert numbers_of(opened(tmp_path), 30) == list(range(20))


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
        told = space.folder / "space.json"
        told.write_text(json.dumps(json.loads(told.read_text()) | {"used": 100 + number}))
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


def test_what_a_killed_writer_left_is_swept_once_it_is_old(tmp_path: Path) -> None:
    space = filled(tmp_path, range(3))
    fresh, stale = space.folder / ".a.rows.npy.1.tmp", space.folder / ".b.rows.npy.2.tmp"
    orphan = space.folder / "c.rows.npy"
    for file in (fresh, stale, orphan):
        file.write_bytes(b"half")
    for file in set(space.folder.iterdir()) - {fresh}:
        os.utime(file, (1000, 1000))
    usage(tmp_path)
    assert fresh.exists()
    assert not stale.exists()
    assert not orphan.exists()
    assert numbers_of(opened(tmp_path), 5) == [0, 1, 2]


def test_the_folder_is_the_one_that_the_environment_names(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("EYEBRIGHT_CACHE", str(tmp_path))
    assert default_folder() == tmp_path
    monkeypatch.delenv("EYEBRIGHT_CACHE")
    assert default_folder().is_absolute()
    assert "eyebright" in default_folder().parts[-1]


def test_a_segment_that_goes_while_it_is_in_use_is_told(tmp_path: Path) -> None:
    space = FeatureSpace(tmp_path, CARD, 4)
    space.add(b"\1" * 16, np.ones(4, np.float16))
    space.flush()
    (rows,) = space.folder.glob("*.rows.npy")
    rows.write_bytes(rows.read_bytes()[:-2])
    with pytest.raises(StorageError, match="Run again"):
        space.read([b"\1" * 16])
    rows.unlink()
    with pytest.raises(StorageError, match="Run again"):
        space.read([b"\1" * 16])


def test_rows_of_bytes_have_a_space_of_their_own_type(tmp_path: Path) -> None:
    rows = np.arange(24, dtype=np.uint8).reshape(4, 6)
    space = Space(tmp_path, CARD, 6, np.uint8)
    space.keep((key(n), rows[n]) for n in range(4))
    read = Space(tmp_path, CARD, 6, np.uint8).read([key(3), key(0)])
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, rows[[3, 0]])
    assert key(0) not in Space(tmp_path, CARD, 6, np.float16)  # never read as another type


def test_rows_that_are_kept_are_on_disk_by_and_by(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(cache, "_FLUSH_BYTES", 5 * 2 * WIDTH)
    seen = []

    def made():
        for number in range(12):
            seen.append(len(numbers_of(opened(tmp_path), 20)))
            yield key(number), row(number)
        raise KeyboardInterrupt

    space = opened(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        space.keep(made())
    assert seen == [0] * 5 + [5] * 5 + [10] * 2
    assert numbers_of(opened(tmp_path), 20) == list(range(12))


def test_room_is_checked_to_the_byte(tmp_path: Path, monkeypatch) -> None:
    space = opened(tmp_path)
    monkeypatch.setattr(cache, "disk_free_bytes", lambda path: 10 * 2 * WIDTH)
    space.check_room(10)
    with pytest.raises(StorageError, match="EYEBRIGHT_CACHE"):
        space.check_room(11)
