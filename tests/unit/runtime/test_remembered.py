"""What one run leaves for the next is believed only as it was written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from eyebright.runtime.remembered import remember, remembered

CONTENT = [{"name": "onnxruntime float32", "images_per_second": 81.5}]


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.json"
    assert remembered(path) is None
    remember(path, CONTENT)
    assert remembered(path) == CONTENT


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"5",
        b"\xff\xfe\x00",
        b"[" * 100_000,
        json.dumps(CONTENT).encode(),
        json.dumps({"content": CONTENT, "checksum": 1}).encode(),
    ],
)
def test_what_is_damaged_counts_as_absent_and_goes(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    assert remembered(path) is None
    assert not path.exists()


def test_one_changed_digit_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    remember(path, CONTENT)
    path.write_text(path.read_text().replace("81.5", "91.5"))
    assert remembered(path) is None


def test_a_file_under_another_name_counts_as_absent(tmp_path: Path) -> None:
    remember(tmp_path / "a.json", CONTENT)
    (tmp_path / "a.json").rename(tmp_path / "b.json")
    assert remembered(tmp_path / "b.json") is None
