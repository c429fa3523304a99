"""Tables in memory become a table on disk that means the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from eyebright.data.table.frames import frame_file
from eyebright.data.table.read import read_table
from eyebright.errors import ConfigError

COLUMNS = {
    "path": ["a.png", "b.png", "s3://x/c.png"],
    "label": ["007", "None", "1.0"],
    "n": [1, 2, 3],
    "x": [1.5, float("nan"), 1.0],
}


def frames() -> list[object]:
    found: list[object] = [COLUMNS, pa.table(COLUMNS)]
    for name in ("pandas", "polars"):
        package = pytest.importorskip(name) if name == "pandas" else _polars()
        if package is not None:
            found.append(package.DataFrame(COLUMNS))
    return found


def _polars() -> object:
    try:
        import polars  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        return None
    return polars


def test_all_frames_are_one_file_of_text(tmp_path: Path) -> None:
    files = {frame_file(frame, tmp_path) for frame in frames()}
    assert len(files) == 1
    table = read_table(files.pop())
    assert table.header == list(COLUMNS)
    assert table.column(0) == [str(Path.cwd() / "a.png"), str(Path.cwd() / "b.png"), "s3://x/c.png"]
    assert table.column(1) == ["007", "None", "1.0"]
    assert table.column(3) == ["1.5", "", "1.0"]


def test_pairs_have_a_label_or_several(tmp_path: Path) -> None:
    one = read_table(frame_file([(Path("/a.png"), "x"), ("/b.png", np.str_("y"))], tmp_path))
    assert (one.header, one.column(1)) == (["path", "label"], ["x", "y"])
    several = read_table(frame_file([("/a.png", ["x", "y"]), ("/b.png", [])], tmp_path))
    assert (several.header, several.column(1)) == (["path", "labels"], ['["x", "y"]', "[]"])


@pytest.mark.parametrize("wrong", [7, [], [("a",)], b"bytes", {"path": ["a"], "label": []}])
def test_anything_else_is_refused(wrong: object, tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        frame_file(wrong, tmp_path)
