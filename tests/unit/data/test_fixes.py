"""Fixes: what they change, what they refuse, and that they come back as they were written."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from unix import UNIX

from eyebright.data.fixes import Fix, Fixes, read_fixes, write_fixes
from eyebright.data.manifest import Manifest, Sample
from eyebright.errors import DataError, NotFoundError
from eyebright.types import Skipped


def manifest(*names: str, several: bool = False) -> Manifest:
    samples = tuple(
        Sample(name, "ab"[number % 2], "train", f"{number:032x}", 8, 8) for number, name in enumerate(names)
    )
    return Manifest(Path("data"), samples, label_set=("a", "b") if several else None)


def test_every_action_changes_the_manifest_and_only_that():
    before = manifest("1", "2", "3", "4", "5", "6")
    rows = [
        Fix("1", "drop"),
        Fix("2", "keep_one", "3"),
        Fix("4", "relabel", "a"),
        Fix("5", "move", "test"),
        Fix("6", "group", "g"),
        Fix("3", "not_a_problem", "blur"),
        Fix("3", "", "", "an open question"),
        Fix("7", "drop"),
    ]
    after = Fixes(rows).applied(before)
    changed = {s.path: (s.label, s.split, s.group) for s in after.samples}
    assert changed == {
        "3": ("a", "train", ""),
        "4": ("a", "train", ""),
        "5": ("a", "test", ""),
        "6": ("b", "train", "g"),
    }
    assert {entry.path for entry in after.skipped} == {"1", "2"}
    assert [entry.reason_values for entry in after.warnings] == [
        {"changes": "drop 1, keep_one 1, relabel 1, move 1, group 1"},
        {"count": 1, "path": "7"},
        {"count": 1},
    ]
    assert len(before.samples) == 6


def test_several_labels_are_set_together():
    after = Fixes([Fix("1", "relabel", "b; a")]).applied(manifest("1", "2", several=True))
    assert after.samples[0].labels == ("a", "b")


def test_an_image_counts_once_and_one_that_is_left_out_gives_no_label():
    twice = [Fix("1", "relabel", "c"), Fix("1", "relabel", "c")]
    with pytest.raises(DataError, match="set only once"):
        Fixes(twice).applied(manifest("1", "2"))
    gone = [Fix("1", "relabel", "c"), Fix("1", "drop"), Fix("2", "relabel", "c")]
    with pytest.raises(DataError, match="set only once"):
        Fixes(gone).applied(manifest("1", "2", "3"))
    known = Fixes([Fix("1", "relabel", "b"), Fix("1", "relabel", "b")]).applied(manifest("1", "2"))
    assert known.warnings[0].reason_values == {"changes": "relabel 1"}


def test_a_label_never_holds_a_semicolon():
    after = Fixes([Fix("1", "relabel", "b;a; a")]).applied(manifest("1", "2", several=True))
    assert after.samples[0].labels == ("a", "b")


def test_a_file_that_cannot_be_read_is_in_the_data():
    before = replace(manifest("1"), skipped=(Skipped("broken.jpg", "The file is empty."),))
    notes = Fixes([Fix("broken.jpg", "drop")]).applied(before).warnings
    assert not [note for note in notes if "not in the data" in note.reason]


def test_answers_are_for_an_image_or_for_all():
    fixes = Fixes(
        [Fix("1", "not_a_problem", "blur"), Fix("2", "not_a_problem"), Fix(".", "not_a_problem", "shift")]
    )
    assert fixes.answers("blur", ["1"])
    assert not fixes.answers("dark", ["1"])
    assert fixes.answers("near_duplicate", ["2"])
    assert not fixes.answers("near_duplicate", ["1", "2"])
    assert fixes.answers("shift", [])
    assert not fixes.answers("shortcut", [])
    assert fixes.answers("shift", ["3"])
    assert Fixes([Fix(".", "not_a_problem")]).answers("shortcut", [])
    assert Fixes([Fix(".", "not_a_problem")]).answers("blur", ["3"])


@pytest.mark.parametrize(
    ("rows", "word"),
    [
        ([Fix("1", "keep_one", "2"), Fix("2", "keep_one", "1")], "kept"),
        ([Fix("1", "keep_one", "9")], "kept"),
        ([Fix("1", "relabel", "a"), Fix("1", "relabel", "b")], "agree"),
        ([Fix("1", "relabel", "aa")], "closest"),
    ],
)
def test_contradictions_are_refused(rows: list[Fix], word: str):
    with pytest.raises(DataError, match=word):
        Fixes(rows).applied(manifest("1", "2", "3"))


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("path,do\n1,drop\n", "image, action"),
        ("image,action\n1,delete\n", "Line 2"),
        ("image,action\n1,relabel\n", "value"),
        ("image,action,value\n1,move,attic\n", "attic"),
        ("image,action\n,drop\n", "name an image"),
        ("image,action\n1,drop,2,3\n", "further cells"),
        ('image,action\n"1,drop\n', "CSV"),
    ],
)
def test_a_wrong_file_is_one_sentence(text: str, word: str, tmp_path: Path):
    path = tmp_path / "fixes.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=word):
        read_fixes(path)


def test_bytes_that_are_no_text_and_a_missing_file_are_refused(tmp_path: Path):
    (tmp_path / "fixes.csv").write_bytes(b"image,action\n\xff\xfe,drop\n")
    with pytest.raises(DataError, match="UTF-8"):
        read_fixes(tmp_path / "fixes.csv")
    with pytest.raises(NotFoundError):
        read_fixes(tmp_path / "none.csv")


@UNIX
def test_a_pipe_is_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "fixes.csv")
    with pytest.raises(DataError, match="regular file"):
        read_fixes(tmp_path / "fixes.csv")


def test_what_was_written_is_read_back(tmp_path: Path):
    rows = [Fix('a "b", c\n.png', "relabel", "猫; 狗", "x"), Fix("b", "", "", "why")]
    write_fixes(tmp_path / "fixes.csv", rows)
    assert read_fixes(tmp_path / "fixes.csv").rows == rows


def test_what_a_spreadsheet_writes_is_read(tmp_path: Path):
    (tmp_path / "fixes.csv").write_text("Image;Action;Value\r\n1;Keep one;2\r\n", encoding="utf-8-sig")
    assert read_fixes(tmp_path / "fixes.csv").rows == [Fix("1", "keep_one", "2")]


def test_rows_may_end_early_and_may_be_missing(tmp_path: Path):
    path = tmp_path / "fixes.csv"
    path.write_text("image,action,value,reason\n1,drop\n2\n", encoding="utf-8")
    assert read_fixes(path).rows == [Fix("1", "drop"), Fix("2", "")]
    write_fixes(path, ())
    assert read_fixes(path).rows == []
