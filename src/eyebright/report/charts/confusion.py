"""The confusion matrix: a table with colour and numbers, or, for many classes, a heat grid without text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from markupsafe import Markup

from eyebright.report.charts.drawing import draw
from eyebright.types import IntArray

_LEVELS = 6
# Up to so many columns have room for upright names.
_UPRIGHT = 4

CellKind = Literal["hit", "miss", "none"]


@dataclass(frozen=True)
class Cell:
    """A count of the table.

    Attributes:
        kind: "hit" on the diagonal, "miss" beside it, "none" for no image.
        shade: 0 to 1, of its colour.
        predicted: the class of its column.
    """

    count: int
    kind: CellKind
    shade: float
    predicted: str


@dataclass(frozen=True)
class ConfusionTable:
    """Counts by true and predicted class; the shade is the share of the row, so of the true class.

    Attributes:
        labels: K classes, of rows and columns.
        rows: (K, K) cells.
        caption, corner: plain text.
        upright: whether the columns have room for upright names.
        linked: whether a mistake's count leads to its images.
    """

    labels: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    caption: str
    corner: str
    upright: bool
    linked: bool


@dataclass(frozen=True)
class ShadeLevel:
    """All squares of one shade as a path."""

    kind: CellKind
    shade: float
    path: str


@dataclass(frozen=True)
class HeatGrid:
    """Counts of many classes as small squares, darker for a larger share of the true class."""

    classes: int
    levels: Sequence[ShadeLevel]
    description: str


def confusion_table(
    confusion: IntArray, labels: tuple[str, ...], caption: str, corner: str, *, linked: bool = True
) -> Markup:
    """Return the (K, K) counts as a table; ``linked`` cells lead to the mistakes that they count."""
    shares = _shares(confusion)
    rows = [
        [
            _cell(int(count), float(share), predicted, true == predicted)
            for count, share, predicted in zip(counts, row_shares, labels, strict=True)
        ]
        for true, counts, row_shares in zip(labels, confusion, shares, strict=True)
    ]
    upright = len(labels) <= _UPRIGHT
    return draw("confusion.html", ConfusionTable(labels, rows, caption, corner, upright, linked))


def heat_grid(confusion: IntArray, description: str) -> Markup:
    """Return the (K, K) counts as small squares."""
    diagonal = np.eye(len(confusion), dtype=bool)
    # The root lifts rare confusions, which would be invisible among the diagonal's shares.
    levels = np.ceil(np.sqrt(_shares(confusion)) * _LEVELS).astype(int)
    kinds: list[tuple[CellKind, np.ndarray[tuple[int, ...], np.dtype[np.bool_]]]] = [
        ("hit", diagonal),
        ("miss", ~diagonal),
    ]
    shades = [
        ShadeLevel(kind, round(level / _LEVELS, 2), _squares((levels == level) & mask))
        for level in range(1, _LEVELS + 1)
        for kind, mask in kinds
        if ((levels == level) & mask).any()
    ]
    return draw("heat_grid.svg", HeatGrid(len(confusion), shades, description))


def confused_pairs(confusion: IntArray, limit: int) -> list[tuple[int, int, int]]:
    """Return (true class, predicted class, count) of the most frequent confusions, most frequent first."""
    wrong = confusion.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:limit]
    pairs = [
        (int(i), int(j), int(wrong[i, j])) for i, j in zip(*np.unravel_index(order, wrong.shape), strict=True)
    ]
    return [pair for pair in pairs if pair[2] > 0]


def _shares(confusion: IntArray) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Return each count as a share of its row; 0 in a row without images."""
    shares: np.ndarray[tuple[int, int], np.dtype[np.float64]] = confusion / np.maximum(
        confusion.sum(axis=1, keepdims=True), 1
    )
    return shares


def _cell(count: int, share: float, predicted: str, correct: bool) -> Cell:
    if count == 0:
        return Cell(0, "none", 0.0, predicted)
    if correct:
        return Cell(count, "hit", round(0.55 * share, 2), predicted)
    return Cell(count, "miss", round(0.15 + 0.55 * share**0.5, 2), predicted)


def _squares(mask: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> str:
    return "".join(f"M{x} {y}h1v1h-1z" for y, x in np.argwhere(mask).tolist())
