"""Alignment, wrapping and the machine's own control characters."""

from __future__ import annotations

import pytest

from eyebright.text.table import printable, table, width, wrap


def test_columns_align_with_wide_characters():
    lines = table([("名称", "1"), ("cat", "22")], right=(1,)).split("\n")
    assert lines == ["名称   1", "cat   22"]
    assert len(set(map(width, lines))) == 1


@pytest.mark.parametrize("columns", [10, 17, 40])
@pytest.mark.parametrize(
    "text",
    [
        "Rows come as they are computed, one by one.",
        "结果逐行输出，一百万个文件也不比一个文件多占 1 MB 内存。",
    ],
)
def test_wrapping_keeps_every_word_and_the_width(text: str, columns: int):
    lines = wrap(text, columns)
    assert all(width(line) <= columns + 2 for line in lines)  # a closing mark may hang over
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert not any(line.startswith(("，", "。", " ")) for line in lines)


def test_control_characters_are_written_out():
    assert printable("a\x1b[31m\nb图.jpg") == "a\\x1b[31m\\nb图.jpg"
    assert printable("\udcff.jpg") == "\udcff.jpg"
