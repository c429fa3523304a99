"""The feature cache keeps what was flushed, whatever happens to the process or the disk."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cache_material import CARD, filled, numbers_of, opened
from unix import UNIX

from eyebright.errors import StorageError
from eyebright.training.cache.store import SUMS, FeatureSpace
from eyebright.training.cache.usage import trim, usage

# What the writing processes share with the tests that read after them, as in `cache_material`.
WRITER = """
import resource, sys
from pathlib import Path
import numpy as np
from eyebright.errors import StorageError
from eyebright.training.cache.store import FeatureSpace

CARD = {"backbone": "efficientnet_lite0", "size": 96, "precision": "float32", "view": 0}
WIDTH = 2000
space = FeatureSpace(Path(sys.argv[1]), CARD, WIDTH)

def add(first, count):
    for number in range(first, first + count):
        space.add(number.to_bytes(16, "little"), np.full(WIDTH, number % 1000, np.float16))
"""


def started(program: str, root: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER + program, str(root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )


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


def one_bit_flipped(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[-7] ^= 1
    file.write_bytes(data)


@pytest.mark.parametrize("kind", ["rows", "keys"])
@pytest.mark.parametrize("damage", [truncated, garbage, emptied, os.unlink, one_bit_flipped])
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


@UNIX
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


@UNIX
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


def test_what_a_killed_writer_left_is_swept_once_it_is_old(tmp_path: Path) -> None:
    space = filled(tmp_path, range(3))
    fresh, stale = space.folder / ".a.rows.npy.1.tmp", space.folder / ".b.rows.npy.2.tmp"
    orphan, sums = space.folder / "c.rows.npy", space.folder / f"d.0.{SUMS}"
    for file in (fresh, stale, orphan, sums):
        file.write_bytes(b"half")
    for file in set(space.folder.iterdir()) - {fresh}:
        os.utime(file, (1000, 1000))
    usage(tmp_path)
    assert fresh.exists()
    assert not stale.exists()
    assert not orphan.exists()
    assert not sums.exists()
    assert numbers_of(opened(tmp_path), 5) == [0, 1, 2]


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
