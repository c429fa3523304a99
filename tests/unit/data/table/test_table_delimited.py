"""Text files as tables: encodings, delimiters, quotes, line numbers, and files that are no text."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from eyebright.data.table.delimited import DataTable, read_delimited
from eyebright.errors import DataError, EyebrightError, NotFoundError

ROWS = [["images/é, 1.png", "tench, Tinca"], ["images/2.png", "a\nb"], ["images/3.png", ""]]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_same_table_in_every_writing(delimiter: str, encoding: str, end: str, tmp_path: Path) -> None:
    lines = [delimiter.join(f'"{cell}"' for cell in row) for row in [["path", "label"], *ROWS]]
    path = tmp_path / "t.csv"
    path.write_bytes((end.join(lines) + end * 2).encode(encoding))
    table = read_delimited(path)
    assert (list(table.header), [list(row) for row in table.rows]) == (["path", "label"], ROWS)
    assert (table.delimiter, list(table.lines)) == (delimiter, [2, 3, 5])


def read(tmp_path: Path, content: str | bytes) -> DataTable:
    path = tmp_path / "t.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_delimited(path)


def test_lines_are_counted_as_an_editor_does(tmp_path: Path) -> None:
    assert list(read(tmp_path, 'a,b\n\n\n1,"x\n\ny"\n , \n2,z\n').lines) == [4, 8]
    with pytest.raises(DataError, match=r"cells as its header row \(2\). Line 7 of .* has 3 cells"):
        read(tmp_path, 'a,b\n\n\n1,"x\ny"\n\n2,3,4\n')


def test_what_spreadsheets_add_is_left_out(tmp_path: Path) -> None:
    table = read(tmp_path, "sep=;\na;b;;\n1;2;;\n3;4;;\n")
    assert (list(table.header), list(table.lines)) == (["a", "b"], [3, 4])
    assert [list(row) for row in read(tmp_path, "a,b\n1,2,,\n").rows] == [["1", "2"]]


def test_the_delimiter_is_the_one_that_rows_agree_with(tmp_path: Path) -> None:
    assert list(read(tmp_path, 'path;"a,b,c"\nx;1\n').header) == ["path", "a,b,c"]
    assert list(read(tmp_path, "path,a|b\nx,1\n").header) == ["path", "a|b"]
    assert list(read(tmp_path, 'path|"a, b"|c\nx|1|0\n').header) == ["path", "a, b", "c"]


def test_a_comma_is_a_decimal_point_between_semicolons(tmp_path: Path) -> None:
    assert read(tmp_path, "a;b\nx;1,5\n").number("1,5") == 1.5
    for wrong in ("1,5", "1_000", "x"):
        with pytest.raises(ValueError, match=wrong):
            read(tmp_path, 'a,b\nx,"1,5"\n').number(wrong)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "0 rows"),
        ("a,b\n", "0 rows"),
        ("a\n1\n", "columns a and 1 row"),
        ("a,b\n1\n", "Line 2 of .* has 1 cell "),
        ('a,b\n1,"2\n3,4\n', "line 2: unexpected end"),
        ('a,b\n1,"2"x\n', "line 2: .*expected after"),
        ("a,b\n1,größe\n".encode("latin-1"), "UTF-8"),
        ("a,b\n1,2\n".encode("utf-16-le"), "NUL characters in line 1"),
        (b"a,b\n1,\0\n", "NUL characters in line 2"),
        ("a,b\n1," + "x" * 200_000 + "\n", "line 2: field larger"),
        ("x" * 200_000 + ",b\n1,2\n", "line 1: field larger"),
        (b"\xff\xfea", "UTF-16"),
    ],
)
def test_what_is_no_table_says_why(content: str | bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path, content)


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/zero")):
        with pytest.raises(DataError, match="regular file"):
            read_delimited(path)
    with pytest.raises(NotFoundError, match=r"none\.csv does not"):
        read_delimited(tmp_path / "none.csv")


@pytest.mark.parametrize("seed", range(4))
def test_any_bytes_are_a_table_or_a_sentence(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    text = bytearray('path,label\r\nimages/1.png,"a;b"\n\n"x\ny",c\n'.encode("utf-8-sig"))
    for _ in range(200):
        data = bytearray(text)
        for place in rng.integers(0, len(text), rng.integers(1, 6)):
            data[place] = rng.choice([rng.integers(256), *b'",;\n\r\0|\t'])
        try:
            table = read(tmp_path, bytes(data))
        except EyebrightError:
            continue
        assert {len(row) for row in table.rows} == {len(table.header)}
