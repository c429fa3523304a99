"""The confusion matrix: a table with colour and numbers, or, for many classes, a heat grid without text."""

from __future__ import annotations

import numpy as np

from eyebright.report.markup import name, text
from eyebright.types import IntArray

_LEVELS = 6
# Up to so many columns have room for upright names.
_UPRIGHT = 4


def confusion_table(
    confusion: IntArray, labels: tuple[str, ...], caption: str, corner: str, *, linked: bool = True
) -> str:
    """The (K, K) counts as a table; the shade is the share of the row, so of the true class.

    ``linked`` cells lead to the mistakes that they count.
    """
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    columns = "".join(f'<th scope="col"><span>{name(label)}</span></th>' for label in labels)
    rows = "".join(
        f'<tr><th scope="row">{name(label)}</th>'
        + "".join(
            _cell(int(n), float(s), label, other, linked)
            for n, s, other in zip(counts, part, labels, strict=True)
        )
        + "</tr>"
        for label, counts, part in zip(labels, confusion, shares, strict=True)
    )
    many = " many" if len(labels) > _UPRIGHT else ""
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{text(caption)}">'
        f'<table class="confusion{many}"><caption>{text(caption)}</caption>'
        f'<thead><tr><td class="corner">{text(corner)}</td>{columns}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def heat_grid(confusion: IntArray, description: str) -> str:
    """The (K, K) counts as small squares, darker for a larger share of the true class."""
    classes = len(confusion)
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    diagonal = np.eye(classes, dtype=bool)
    # The root lifts rare confusions, which would be invisible among the diagonal's shares.
    levels = np.ceil(np.sqrt(shares) * _LEVELS).astype(int)
    paths = "".join(
        f'<path class="{kind}" style="--s:{level / _LEVELS:.2f}" d="{_squares((levels == level) & mask)}"/>'
        for level in range(1, _LEVELS + 1)
        for kind, mask in (("hit", diagonal), ("miss", ~diagonal))
        if ((levels == level) & mask).any()
    )
    return (
        f'<svg class="heat" viewBox="0 0 {classes} {classes}" role="img" aria-label="{text(description)}">'
        f'<rect class="ground" width="{classes}" height="{classes}"/>{paths}</svg>'
    )


def confused_pairs(confusion: IntArray, limit: int) -> list[tuple[int, int, int]]:
    """(true class, predicted class, count) of the most frequent confusions, the most frequent first."""
    wrong = confusion.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:limit]
    pairs = [
        (int(i), int(j), int(wrong[i, j])) for i, j in zip(*np.unravel_index(order, wrong.shape), strict=True)
    ]
    return [pair for pair in pairs if pair[2] > 0]


def mistakes_link(true: str, named: str, inner: str) -> str:
    """A link to the mistakes of one kind, which the page's script shows alone; ``inner`` is HTML."""
    return f'<a href="#mistakes" data-true="{text(true)}" data-named="{text(named)}">{inner}</a>'


def _cell(count: int, share: float, true: str, named: str, linked: bool) -> str:
    if count == 0:
        return '<td class="none">0</td>'
    if true == named:
        return f'<td class="hit" style="--s:{0.55 * share:.2f}">{count}</td>'
    shade = 0.15 + 0.55 * share**0.5
    inner = mistakes_link(true, named, str(count)) if linked else str(count)
    return f'<td class="miss" style="--s:{shade:.2f}">{inner}</td>'


def _squares(mask: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> str:
    return "".join(f"M{x} {y}h1v1h-1z" for y, x in np.argwhere(mask).tolist())
