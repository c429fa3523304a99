"""The embedding map: a point for each image, near those that look alike to the model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from eyebright.evaluation.multiclass.results import PredictionRow
from eyebright.report.content import EmbeddingMap, ReportContent
from eyebright.report.document import Section
from eyebright.report.templating import render
from eyebright.report.thumbnails import across, contact_sheet
from eyebright.runtime.install import install_command
from eyebright.text.format import number, paragraph_of, percent
from eyebright.text.language import translate

# Colours that can be told apart; further classes take them again.
COLOURS = 10
_TILE_PX = 56
# Pixels of originals that are read for small pictures: about three seconds on two cores.
_MOST_PIXELS = 600_000_000
_LISTED = 200


@dataclass(frozen=True)
class MapPoint:
    """An image's place in the drawing, the number of its colour, and its place in the page's data."""

    place: int
    x: float
    y: float
    colour: int
    wrong: bool


@dataclass(frozen=True)
class MapDrawing:
    """The drawing: mistakes come last, so that they lie above the others."""

    width: ClassVar[int] = 640
    edge: ClassVar[int] = 14
    height: float
    radius: float
    points: Sequence[MapPoint]


def feature_map(content: ReportContent) -> Section | None:
    """Return the map with its colours, and the mistakes on it as a list for the keyboard."""
    found = content.embedding_map
    if found is None:
        return None
    labels = content.metrics.labels
    order = _mistakes_first(found.rows)
    rows = [found.rows[i] for i in order]
    pictured = _affordable(content, rows)
    body = render(
        "sections/feature_map.html",
        method=found.method,
        notes=paragraph_of(*_notes(found, len(rows), pictured, len(labels))),
        map=_drawing(found, order, labels),
        sheet=contact_sheet(content.manifest.root, [row.path for row in rows[:pictured]], _TILE_PX),
        labels=labels,
        colours=COLOURS,
        mistakes=[(n, row) for n, row in enumerate(rows) if row.predicted != row.label][:_LISTED],
        data=_data(rows, labels, pictured),
    )
    return Section("map", translate("Embedding map"), body)


def _mistakes_first(rows: Sequence[PredictionRow]) -> list[int]:
    return sorted(range(len(rows)), key=lambda i: (rows[i].predicted == rows[i].label, -rows[i].confidence))


def _affordable(content: ReportContent, rows: Sequence[PredictionRow]) -> int:
    """Count the rows, from the first, whose originals are not too many pixels to read."""
    pixels = {s.path: s.width * s.height for s in content.manifest.samples}
    total = np.cumsum([pixels.get(row.path, 0) for row in rows])
    return int(np.searchsorted(total, _MOST_PIXELS, side="right"))


def _notes(found: EmbeddingMap, shown: int, pictured: int, classes: int) -> Iterator[str]:
    """Yield what must be known about this map."""
    if found.method == "PCA":
        yield translate(
            "This is a PCA projection (two components), which separates groups less well than "
            "t-SNE. For t-SNE: {command}",
            command=install_command("map"),
        )
    if shown < found.count:
        yield translate(
            "Showing {shown} of {count:image|images}, mistakes first.",
            shown=number(shown),
            count=number(found.count),
        )
    if pictured < shown:
        yield translate(
            "The originals are large, so only {count:point has|points have} a thumbnail, mistakes first.",
            count=number(pictured),
        )
    if classes > COLOURS:
        yield translate("There are more classes than colours: select one class to highlight it.")


def _drawing(found: EmbeddingMap, order: Sequence[int], labels: Sequence[str]) -> MapDrawing:
    edge, inner = MapDrawing.edge, MapDrawing.width - 2 * MapDrawing.edge
    spans = np.ptp(found.points, axis=0)
    scale = inner / max(float(spans.max()), 1e-9)
    left, top = found.points.min(axis=0)
    colours = {label: i % COLOURS for i, label in enumerate(labels)}
    points = []
    for place, i in reversed(list(enumerate(order))):
        x, y = edge + (found.points[i] - (left, top)) * scale
        row = found.rows[i]
        points.append(
            MapPoint(place, float(x), float(y), colours[row.label], wrong=row.predicted != row.label)
        )
    return MapDrawing(2 * edge + float(spans[1]) * scale, 4.5 if len(order) < 300 else 3.5, points)


def _data(rows: Sequence[PredictionRow], labels: Sequence[str], pictured: int) -> Mapping[str, object]:
    """Return what the page's script must know: each point's true and predicted class, confidence and file."""
    place = {label: i for i, label in enumerate(labels)}
    return {
        "labels": labels,
        "colours": COLOURS,
        "across": across(pictured),
        "pictured": pictured,
        "texts": {
            "right": translate("{label}, confidence {sure}"),
            "wrong": translate("{predicted} (confidence {sure}), true class {label}"),
        },
        "points": [
            [place[row.label], place[row.predicted], percent(row.confidence, 0), row.path] for row in rows
        ],
    }
