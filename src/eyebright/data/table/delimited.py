"""A file of delimited text as rows of cells: encoding, delimiter and quotes are recognised, never guessed."""

from __future__ import annotations

import codecs
import csv
import io
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import overload

from eyebright.data.storage.places import read_bytes, status
from eyebright.errors import DataError, NotFoundError
from eyebright.text.format import listed

_DELIMITERS = (",", ";", "\t", "|")
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+(e[+-]?\d+)?", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class ColumnRows(Sequence[Sequence[str]]):
    """The rows of a table that is known by its columns.

    Attributes:
        columns: their cells, equally many in each.
    """

    columns: Sequence[Sequence[str]]

    def __len__(self) -> int:
        return len(self.columns[0])

    @overload
    def __getitem__(self, place: int) -> Sequence[str]: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Sequence[str]]: ...

    def __getitem__(self, place: int | slice) -> Sequence[str] | Sequence[Sequence[str]]:
        if isinstance(place, slice):
            return tuple(zip(*(cells[place] for cells in self.columns), strict=True))
        return tuple(cells[place] for cells in self.columns)

    def __iter__(self) -> Iterator[Sequence[str]]:
        return zip(*self.columns, strict=True)


@dataclass(frozen=True)
class DataTable:
    """Rows of text under a header, wherever they come from.

    Attributes:
        source: the file's path, for the sentences.
        header: the columns' names, without blanks around them; a name may be empty or come twice.
        rows: each with as many cells as the header, without blanks around them.
        lines: where each row begins in the file, counted from 1.
        delimiter: between two cells of the file.
    """

    source: Path
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    lines: Sequence[int] = field(repr=False)
    delimiter: str = ","

    def column(self, index: int) -> Sequence[str]:
        """Return the cells of one column."""
        if isinstance(self.rows, ColumnRows):
            return self.rows.columns[index]
        return [row[index] for row in self.rows]

    def number(self, cell: str) -> float:
        """Return the number in a cell; a comma is its decimal point where it does not part two cells.

        Raises:
            ValueError: the cell holds no number.
        """
        if "_" in cell:  # which Python would read as part of a number
            raise ValueError(cell)
        if self.delimiter != "," and _DECIMAL_COMMA.fullmatch(cell):
            cell = cell.replace(",", ".")
        return float(cell)


def read_delimited(path: Path) -> DataTable:
    """Return the table in a text file.

    Cells are parted by commas, semicolons, tabs or bars, and may be quoted. The text is UTF-8, or begins with
    the byte order mark of UTF-16. Lines without any text count in ``lines`` only.

    Raises:
        NotFoundError: the file does not exist.
        DataError: it is no regular file, no such text, has no rows or fewer than two columns, or a row has
            more or fewer cells than the header.
    """
    best = parse_delimited(path)
    if len(best.header) < 2 or not best.rows:
        raise DataError(
            "A table must have a header row with at least two columns, separated by commas, semicolons, "
            "tabs or bars, and rows below it. {path} has the columns {columns} and {count:row|rows}. "
            "Correct the table.",
            path=path,
            columns=listed(best.header) or "-",
            count=len(best.rows),
        )
    if (place := _uneven(best)) is not None:
        raise DataError(
            "Every row of a table must have as many cells as its header row ({needed}). Line {line} of "
            "{path} has {found:cell|cells} between {delimiter}. Write a name that contains this character "
            'between double quotes ("), or correct the line.',
            needed=len(best.header),
            line=best.lines[place],
            path=path,
            found=len(best.rows[place]),
            delimiter=repr(best.delimiter),
        )
    return best


def parse_delimited(path: Path) -> DataTable:
    """Return the table in a text file as :func:`read_delimited` does, but as it is.

    It may have no rows, and its rows may have more or fewer cells than the header.
    """
    text = _text(path)
    named, text, above = _excel_delimiter(text)
    tables, errors = [], []
    for delimiter in named or _delimiters(text):
        try:
            tables.append(_parsed(path, text, delimiter, above))
        except DataError as error:
            errors.append(error)
    if not tables:
        raise errors[0]
    # Several can part the header where a name holds one of them: the one is right that the rows fit as well.
    return max(tables, key=lambda table: (_uneven(table) is None, len(table.header)))


def _text(path: Path) -> str:
    """Return the text of a file, its line ends as newlines."""
    try:
        regular = stat.S_ISREG(status(path).st_mode)  # opening a pipe or a terminal would wait for ever
        data = read_bytes(path) if regular else b""
        mark, encoding = next((pair for pair in _MARKS if data.startswith(pair[0])), (b"", "utf-8"))
        text = data[len(mark) :].decode(encoding)
    except FileNotFoundError:
        raise NotFoundError("The table must exist. {path} does not. Check the path.", path=path) from None
    except UnicodeDecodeError as error:
        raise DataError(
            "A table must be text in UTF-8, or in UTF-16 with a byte order mark. Line {line} of {path} is in "
            "another encoding. Save it as UTF-8 (in Excel: CSV UTF-8).",
            line=data[len(mark) :][: error.start].decode(encoding).count("\n") + 1,
            path=path,
        ) from None
    except (OSError, ValueError) as error:
        raise DataError(
            "A table must be readable. {path} is not ({reason}). Write it again, or check its permissions.",
            path=path,
            reason=getattr(error, "strerror", None) or error,
        ) from None
    if not regular:
        raise DataError(
            "A table must be a regular file. {path} is a folder, pipe or device. Write the table to a file.",
            path=path,
        )
    if "\0" in text:
        raise DataError(
            "A table must be text. {path} contains NUL characters in line {line}, so it is in another "
            "encoding, or damaged. Save it as UTF-8 (in Excel: CSV UTF-8).",
            path=path,
            line=text.count("\n", 0, text.index("\0")) + 1,
        )
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _excel_delimiter(text: str) -> tuple[str, str, int]:
    """Return the delimiter that Excel's line ``sep=;`` names, the text below, and the lines above that."""
    first, _, rest = text.partition("\n")
    named = re.fullmatch(r'"?sep=(.)"?', first.strip(" "))
    return (named[1], rest, 1) if named else ("", text, 0)


def _delimiters(text: str) -> Sequence[str]:
    """Return the delimiters that part the first row, or a comma where none does."""
    found = [mark for mark in _DELIMITERS if _parts_header(text, mark)]
    return found or _DELIMITERS[:1]


def _parts_header(text: str, delimiter: str) -> bool:
    try:
        return len(next(csv.reader(io.StringIO(text.lstrip("\n")), delimiter=delimiter), [])) > 1
    except csv.Error:  # which reading the whole text will tell of
        return False


def _parsed(path: Path, text: str, delimiter: str, above: int) -> DataTable:
    """Return the text parted by one delimiter; rows may be uneven."""
    rows = list(_rows(path, text, delimiter, above))
    header = rows[0][1] if rows else []
    # Spreadsheets write empty cells behind the end of a row.
    while header and not header[-1] and not any(any(row[len(header) - 1 :]) for _, row in rows):
        header = header[:-1]
    body = [(line, _without_empty_end(row, len(header))) for line, row in rows[1:]]
    return DataTable(path, header, [row for _, row in body], [line for line, _ in body], delimiter)


def _rows(path: Path, text: str, delimiter: str, above: int) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not blank, with the number of the line in which each begins."""
    reader = csv.reader(io.StringIO(text, newline="\n"), delimiter=delimiter, strict=True)
    begin = above + 1
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells):
                yield begin, cells
            begin = above + reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            "The cells of a table must be text, quoted as in CSV. {path}, line {line}: {reason}. Correct the "
            "quotes of this line, or shorten a cell of more than {most} characters.",
            path=path,
            line=begin,
            reason=error,
            most=csv.field_size_limit(),
        ) from None


def _without_empty_end(row: list[str], width: int) -> list[str]:
    while len(row) > width and not row[-1]:
        row = row[:-1]
    return row


def _uneven(table: DataTable) -> int | None:
    return next((i for i, row in enumerate(table.rows) if len(row) != len(table.header)), None)
