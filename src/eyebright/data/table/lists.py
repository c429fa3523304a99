"""Cells that hold several labels: as JSON or Python write them, or with a separator between labels."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

_BRACKETS = {"[": "]", "(": ")", "{": "}"}
_ITEM = re.compile(
    r"""\s*(?:'((?:[^'\\]|\\.)*)'|("(?:[^"\\]|\\.)*")|(-?\d+))\s*(?:,|(?=['"\d-])|$)""", re.DOTALL
)
_ESCAPES = re.compile(r"\\(.)", re.DOTALL)
_ALWAYS, _BY_EVIDENCE = (";", "|"), (",", " ")

#: The labels of each cell.
Lists = list[tuple[str, ...]]


class Evidence(Enum):
    """Whether cells hold lists."""

    NONE = auto()
    DOUBTFUL = auto()
    CLEAR = auto()


@dataclass(frozen=True)
class LabelLists:
    """What a column holds.

    Attributes:
        lists: the labels of each cell, each once.
        separator: what stands between labels, ``[]`` of JSON or Python; empty where each cell is one name.
        evidence: whether the cells are lists. Where it is doubtful, ``lists`` has them parted.
        example: a cell with several labels, or one for the doubt.
    """

    lists: Lists
    separator: str
    evidence: Evidence
    example: str = ""


def find_lists(cells: Sequence[str]) -> LabelLists:
    """Return the labels of each cell of a column in which there may be lists.

    JSON and Python lists, semicolons and bars say so by themselves. Commas and blanks also stand in names, so
    they count as separators as far as what they part recurs in other cells.
    """
    distinct = sorted(set(cells) - {""})
    if any(cell[0] in _BRACKETS for cell in distinct) and (found := _bracketed(cells)):
        return found
    for separator in _ALWAYS:
        if example := next((cell for cell in distinct if separator in cell), ""):
            return _doubting_others(_parted(cells, separator), separator, example)
    for separator in _BY_EVIDENCE:
        evidence, example = _evidence(distinct, separator)
        if evidence is not Evidence.NONE:
            return LabelLists(_parted(cells, separator), separator, evidence, example)
    names: dict[str, tuple[str, ...]] = {"": (), **{cell: (cell,) for cell in distinct}}
    return LabelLists([names[cell] for cell in cells], "", Evidence.NONE)


def bracketed(cell: str) -> tuple[str, ...] | None:
    """Return the names in a list that is written as in JSON or Python; None of anything else."""
    if len(cell) < 2 or _BRACKETS.get(cell[0]) != cell[-1]:
        return None
    inside, names, place = cell[1:-1].strip(), [], 0
    while place < len(inside):
        item = _ITEM.match(inside, place)
        name = _name(item) if item else None
        if item is None or not name or (item[3] and cell[0] != "["):  # "(2)" is a name
            return None
        names.append(name)
        place = item.end()
    return tuple(dict.fromkeys(names))


def _name(item: re.Match[str]) -> str | None:
    single, double, number = item[1], item[2], item[3]
    if number is not None:
        return number
    if double is not None:
        try:
            return str(json.loads(double, strict=False)).strip()
        except ValueError:
            return None
    unknown = set(_ESCAPES.findall(single)) - {"\\", "'", '"'}
    return None if unknown else _ESCAPES.sub(r"\1", single).strip()


def _bracketed(cells: Sequence[str]) -> LabelLists | None:
    lists = [bracketed(cell) if cell else () for cell in cells]
    known = [names for names in lists if names is not None]
    if len(known) < len(lists):
        if not any(known):
            return None
        wrong = next(cell for cell, names in zip(cells, lists, strict=True) if names is None)
        return LabelLists([names or () for names in lists], "[]", Evidence.DOUBTFUL, wrong)
    example = max(cells, key=lambda cell: len(bracketed(cell) or ()))
    return LabelLists(known, "[]", Evidence.CLEAR, example)


def _parted(cells: Sequence[str], separator: str) -> Lists:
    names = {
        cell: tuple(dict.fromkeys(name.strip() for name in cell.split(separator) if name.strip()))
        for cell in set(cells)
    }
    return [names[cell] for cell in cells]


def _doubting_others(lists: Lists, separator: str, example: str) -> LabelLists:
    """Return the lists, with a doubt where another separator stands between labels in some cells."""
    labels = {name for names in lists for name in names}
    for other in (*_ALWAYS, ","):
        for name in sorted(labels):
            parts = [part.strip() for part in name.split(other)]
            if other != separator and len(parts) > 1 and labels.intersection(parts):
                return LabelLists(lists, separator, Evidence.DOUBTFUL, name)
    return LabelLists(lists, separator, Evidence.CLEAR, example)


def _evidence(distinct: Sequence[str], separator: str) -> tuple[Evidence, str]:
    """Return whether a mark parts labels: those of a list recur in other cells, parts of a name do not."""
    places: dict[str, set[str]] = defaultdict(set)
    several = []
    for cell in distinct:
        parts = [part.strip() for part in cell.split(separator) if part.strip()]
        for part in parts:
            places[part].add(cell)
        if len(parts) > 1:
            several.append((cell, parts))
    inside = {part for _, parts in several for part in parts}
    recurring = {part for part in inside if len(places[part]) > 1}
    if not recurring:
        return Evidence.NONE, ""
    example = next(cell for cell, parts in several if recurring.intersection(parts))
    if separator == " ":
        # Names of several words share words as well ("polar bear", "brown bear"); only lists have more cells
        # than words, and words that also stand alone.
        alone = any(places[part] & {part} for part in recurring)
        clear = recurring == inside and alone and len(places) < len(distinct)
        return (Evidence.CLEAR if clear else Evidence.NONE), example
    return (Evidence.CLEAR if 2 * len(recurring) > len(inside) else Evidence.DOUBTFUL), example
