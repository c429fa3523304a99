"""Texts as data have them: what is one, what is none, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from eyebright.data.manifest import Manifest, Sample
from eyebright.data.source import scan
from eyebright.data.table.chosen import Columns
from eyebright.data.texts import (
    require_more_than_label,
    require_texts,
    shared_texts,
    text_of,
    with_texts_beside,
)
from eyebright.errors import DataError


def _manifest(*pairs: tuple[str, str], root: Path = Path()) -> Manifest:
    samples = (
        Sample(f"{i}.jpg", label, "train", f"{i:032x}", 8, 8, text=text)
        for i, (label, text) in enumerate(pairs)
    )
    return Manifest(root, tuple(samples))


@pytest.mark.parametrize(
    ("cells", "text"),
    [
        (["warm", "soft"], "warm\nsoft"),
        (["NaN", " null ", "", "None", "n/a"], ""),
        (["NaN", "שלום 😀"], "שלום 😀"),
        (["a\x01\x02\x03\x04"], None),
        (["nul\x00"], None),
        (["<b>html</b>"], "<b>html</b>"),
    ],
)
def test_cells_become_a_text(cells: list[str], text: str | None) -> None:
    assert text_of(cells) == text


def test_very_long_texts_are_cut() -> None:
    assert len(text_of(["x" * 1_000_000]) or "") == 100_000


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        ([("cat", ""), ("dog", "")], "all empty"),
        ([("cat", "12.5"), ("dog", "1,200")], "holds numbers"),
    ],
)
def test_what_is_no_text_is_refused(pairs: list[tuple[str, str]], words: str) -> None:
    with pytest.raises(DataError, match=words):
        require_texts(_manifest(*pairs), "note")


@pytest.mark.parametrize("texts", [("Cat", "dog"), ("K1", "K2")])
def test_the_label_itself_is_no_text(texts: tuple[str, str]) -> None:
    pairs = [("cat", texts[0])] * 3 + [("dog", texts[1])] * 3
    with pytest.raises(DataError, match="label itself"):
        require_more_than_label(_manifest(*pairs))
    require_more_than_label(_manifest(*pairs, ("dog", "another")))


def test_missing_texts_are_told() -> None:
    kept = require_texts(_manifest(("cat", "purrs"), ("dog", "")), "note")
    assert [w.reason_values for w in kept.warnings] == [{"count": 1}]


def test_images_that_share_a_text_belong_together_unless_most_do() -> None:
    pairs = [("cat", "one of two"), ("cat", "One of two"), ("dog", "alone")]
    assert shared_texts(_manifest(*pairs).samples) == [[0, 1]]
    assert shared_texts(_manifest(*[("cat", "shop")] * 100).samples) == []


def test_texts_lie_beside_images(tmp_path: Path) -> None:
    (tmp_path / "0.txt").write_text("\ufeffwarm", encoding="utf-8")
    (tmp_path / "1.txt").write_bytes(b"\x00\x01\x02")
    found = with_texts_beside(_manifest(("a", ""), ("b", ""), ("b", ""), root=tmp_path))
    assert [s.text for s in found.samples] == ["warm", "", ""]
    assert [w.path for w in found.warnings] == ["1.jpg"]
    with pytest.raises(DataError, match="none beside the 1"):
        with_texts_beside(_manifest(("a", ""), root=tmp_path / "elsewhere"))


def test_a_column_of_a_table_and_files_beside_images_are_read(textile: Path) -> None:
    files = sorted((textile / "val").rglob("*.jpg"))[::3]
    rows = [f"{file.relative_to(textile)},{file.parent.name},note {i},x" for i, file in enumerate(files)]
    table = textile / "noted.csv"
    table.write_text("\n".join(["path,label,note,other", *rows]), encoding="utf-8")
    try:
        found = scan(table, columns=Columns(text=("note", "other")))
    finally:
        table.unlink()
    assert {s.text for s in found.samples} == {f"note {i}\nx" for i in range(len(files))}
    assert found.columns is not None
    assert found.columns.text == ("note", "other")
