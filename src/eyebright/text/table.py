"""Columns of text that stay aligned with Chinese in them, and that a pipe gets whole: nothing is cut."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from unicodedata import combining, east_asian_width


def width(text: str) -> int:
    """Return how many columns of a terminal ``text`` takes."""
    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def pad(text: str, columns: int, *, right: bool = False) -> str:
    """Return ``text`` filled with spaces to ``columns``; ``right`` puts them in front."""
    space = " " * (columns - width(text))
    return space + text if right else text + space


def table(rows: Sequence[Sequence[str]], *, right: Collection[int] = (), gap: str = "  ") -> str:
    """Return ``rows`` as lines of aligned columns.

    Args:
        rows: the cells, equally many in each row.
        right: the columns whose cells end, rather than begin, at one place.
        gap: between two columns.
    """
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    lines = (
        gap.join(pad(cell, widths[i], right=i in right) for i, cell in enumerate(row)).rstrip()
        for row in rows
    )
    return "\n".join(lines)


def wrap(text: str, columns: int) -> list[str]:
    """Return ``text`` in lines of at most ``columns``, broken at spaces and between Chinese characters."""
    lines = [""]
    for piece in _pieces(text):
        if width(lines[-1]) + width(piece.rstrip()) > columns and lines[-1]:
            lines.append("")
        lines[-1] += piece if lines[-1] else piece.lstrip()
    return [line.rstrip() for line in lines]


def printable(text: str) -> str:
    """Return ``text`` with control characters written out, so that a file name cannot steer the terminal."""
    return "".join(c if c.isprintable() or 0xDC80 <= ord(c) <= 0xDCFF else ascii(c)[1:-1] for c in text)


def _pieces(text: str) -> list[str]:
    """Return pieces that must stay whole: words with the space after them, and single wide characters."""
    pieces = [""]
    closing = "，。；：、）？！"
    for before, char in zip(" " + text, text, strict=False):
        wide = (width(char) == 2 or width(before) == 2) and char not in closing
        if char != " " and (before == " " or wide):
            pieces.append("")
        pieces[-1] += char
    return pieces
