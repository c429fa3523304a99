"""Pictures: the most confident mistakes with a filter, and examples of each class."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, islice

from eyebright.evaluation.multiclass.results import PredictionRow
from eyebright.report.content import ReportContent
from eyebright.report.document import Section
from eyebright.report.templating import render
from eyebright.report.thumbnails import Thumbnail, thumbnails
from eyebright.text.language import translate

_MISTAKES = 96
_MISTAKE_PX = 224
_EXAMPLES = 120
_EXAMPLES_PER_CLASS = 4
_EXAMPLE_PX = 160


@dataclass(frozen=True)
class PicturedPrediction:
    """A prediction with the picture of its image."""

    row: PredictionRow
    thumbnail: Thumbnail


def mistakes(content: ReportContent) -> Section:
    """Return the most confident mistakes, each with its picture."""
    wrong = surest_mistakes(content.evaluated)
    tiles = pictured(content, _selected(wrong), _MISTAKE_PX)
    body = render("sections/mistakes.html", tiles=tiles, count=len(wrong), heat=content.heatmaps)
    return Section("mistakes", translate("Most confident mistakes"), body)


def surest_mistakes(rows: Iterable[PredictionRow]) -> list[PredictionRow]:
    """Return the rows with a wrong prediction, the most confident first."""
    return sorted((r for r in rows if r.predicted != r.label), key=lambda r: (-r.confidence, r.path))


def examples(content: ReportContent) -> Section | None:
    """Return a few correct predictions of each class, from the most to the least confident."""
    right = sorted(
        (r for r in content.evaluated if r.predicted == r.label), key=lambda r: (r.label, -r.confidence)
    )
    if not right:
        return None
    classes = len(content.metrics.labels)
    each = max(1, min(_EXAMPLES_PER_CLASS, _EXAMPLES // classes))
    groups = [_spread(list(rows), each) for _, rows in groupby(right, lambda r: r.label)][:_EXAMPLES]
    pictures = iter(pictured(content, [row for rows in groups for row in rows], _EXAMPLE_PX))
    shown = [list(islice(pictures, len(rows))) for rows in groups]
    body = render("sections/examples.html", groups=shown, classes=classes)
    return Section("examples", translate("Examples of each class"), body)


def pictured(content: ReportContent, rows: Sequence[PredictionRow], side: int) -> list[PicturedPrediction]:
    """Return ``rows`` with their pictures, at most ``side`` pixels wide and high."""
    pictures = thumbnails(content.manifest.root, [row.path for row in rows], side)
    return [PicturedPrediction(row, picture) for row, picture in zip(rows, pictures, strict=True)]


def _selected(wrong: Sequence[PredictionRow]) -> Sequence[PredictionRow]:
    """Return the most confident mistakes, but first one of each kind, so that every confusion is shown."""
    first = {(row.label, row.predicted): row for row in reversed(wrong)}
    kinds = {row.path for row in sorted(first.values(), key=lambda r: -r.confidence)[:_MISTAKES]}
    others = (row.path for row in wrong if row.path not in kinds)
    kept = kinds.union(islice(others, _MISTAKES - len(kinds)))
    return [row for row in wrong if row.path in kept]


def _spread(rows: Sequence[PredictionRow], count: int) -> list[PredictionRow]:
    """Return ``count`` rows, evenly apart, the first and the last among them."""
    if len(rows) <= count:
        return list(rows)
    return [rows[i * (len(rows) - 1) // max(count - 1, 1)] for i in range(count)]
