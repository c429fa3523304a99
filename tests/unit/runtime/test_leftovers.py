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
    new, file = tmp_path / ".onnx.1.tmp", tmp_path / ".onnx.2.tmp"
    new.mkdir()
    file.touch()
    aged(file, 100_000)
    sweep(tmp_path, "onnx")
    assert sorted(tmp_path.iterdir()) == [new, file]
    sweep(tmp_path / "missing", "onnx")
