"""What a killed process left is removed, and nothing that another is writing."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from eyebright.runtime.leftovers import locked, sweep


def aged(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no locks on folders")
def test_a_folder_is_removed_once_nobody_holds_it(tmp_path: Path) -> None:
    left = tmp_path / ".onnx.0a1b2c3d.tmp"
    (left / "export").mkdir(parents=True)
    aged(left, 60)
    with locked(left):
        sweep(tmp_path, "onnx")
        assert left.is_dir()
    sweep(tmp_path, "html")
    assert left.is_dir()
    sweep(tmp_path, "onnx")
    assert not left.exists()


def test_what_is_new_or_of_another_kind_stays(tmp_path: Path) -> None:
    new_folder, new_file, old_file = (tmp_path / f".{name}.tmp" for name in ("a.1", "b.2", "c.3"))
    new_folder.mkdir()
    for file in (new_file, old_file):
        file.touch()
    aged(old_file, 100_000)
    own = tmp_path / "notes.tmp"
    own.touch()
    aged(own, 100_000)
    sweep(tmp_path)
    assert sorted(tmp_path.iterdir()) == [new_folder, new_file, own]
    sweep(tmp_path / "missing")
