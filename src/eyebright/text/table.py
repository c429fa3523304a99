"""Columns of text that stay aligned with Chinese in them, and that a pipe gets whole: nothing is cut."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from unicodedata import category, combining, east_asian_width

# Emoji and several scripts are written with them.
_JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"


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
    """Return ``text`` with control characters written out, so that a file name cannot steer the terminal.

    Those that turn the direction of text, and ends of lines, are among them.
    """
    return text if text.isprintable() else "".join(c if _shows(c) else ascii(c)[1:-1] for c in text)


def printable_lines(text: str) -> str:
    """Return a text of several lines, each :func:`printable`."""
    return text if text.isprintable() else "\n".join(map(printable, text.split("\n")))


def json_text(value: object, indent: int | None = None) -> str:
    """Return JSON that shows on a terminal as it is: what :func:`printable` writes out is escaped in it."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    if text.isprintable():
        return text
    return "".join(c if c == "\n" or _shows(c, bytes_too=False) else json.dumps(c)[1:-1] for c in text)


def _shows(char: str, *, bytes_too: bool = True) -> bool:
    """Return whether a character only shows itself; with ``bytes_too`` bytes of names that are no text do."""
    kept = char.isprintable() or category(char) == "Zs" or char in _JOINERS
    return kept or (bytes_too and 0xDC80 <= ord(char) <= 0xDCFF)


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
