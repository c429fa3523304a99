"""Files that anyone may have written: what is no file is not opened, and JSON is held to its type."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from eyebright.runtime import stored
from eyebright.runtime.stored import STORED, open_regular, parse_json, read_json, read_stored, reason_of

SHARES = TypeAdapter(dict[str, float], config=STORED)


@pytest.mark.skipif(sys.platform == "win32", reason="named pipes and devices are Unix's")
@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "link to itself"])
def test_what_is_no_file_is_refused_at_once(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "device":
            path.symlink_to("/dev/zero")
        case "folder":
            path.mkdir()
        case _:
            path.symlink_to(path)
    with pytest.raises(OSError) as caught:
        open_regular(path)
    assert reason_of(caught.value) in ("Not a regular file", "Too many levels of symbolic links")


def test_a_file_that_is_far_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "MOST_TEXT_BYTES", 10)
    path = tmp_path / "a.json"
    path.write_bytes(b"x" * 10)
    assert read_stored(path) == b"x" * 10
    path.write_bytes(b"x" * 11)
    with pytest.raises(OSError, match="Larger than"):
        read_stored(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 100_000, "recursion limit"),
        ('{"a": NaN}', "a: Input should be a finite number"),
        ('{"a": 1e999}', "a: Input should be a finite number"),
        ('{"a": "1"}', "a: Input should be a valid number"),
        ('{"a": ' + "9" * 5000 + "}", "number out of range"),
        ('{"a": "\\ud800"}', "hex escape"),
        ('{"a": 1', "EOF"),
        ("", "EOF"),
    ],
)
def test_json_that_is_something_else_is_told_in_one_line(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=said) as caught:
        read_json(SHARES, path)
    assert "\n" not in str(caught.value)


def test_json_of_the_type_is_read() -> None:
    assert parse_json(SHARES, '{"a": 1, "b": 0.5}') == {"a": 1.0, "b": 0.5}
