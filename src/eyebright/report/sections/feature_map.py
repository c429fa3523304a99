"""The map: a point for each image, near those that look alike to the model."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from eyebright.evaluation.multiclass.results import PredictionRow
from eyebright.report.content import EmbeddingMap, ReportContent
from eyebright.report.markup import Section, details, name, number, paragraph, percent, text
from eyebright.report.thumbnails import across, contact_sheet
from eyebright.text.language import translate

# Colours that can be told apart; further classes take them again.
COLOURS = 10
_WIDTH, _EDGE = 640, 14
_TILE_PX = 56
# Pixels of originals that are read for small pictures: about three seconds on two cores.
_MOST_PIXELS = 600_000_000
_LISTED = 200


def feature_map(content: ReportContent) -> Section | None:
    """The map with its colours, and the mistakes on it as a list for the keyboard."""
    found = content.embedding_map
    if found is None:
        return None
    labels = content.metrics.labels
    order = _mistakes_first(found.rows)
    pictured = _affordable(content, [found.rows[i] for i in order])
    sheet = contact_sheet(content.manifest.root, [found.rows[i].path for i in order[:pictured]], _TILE_PX)
    drawing = _drawing(found, order, labels)
    card = (
        f'<div class="map-card" id="map-card" hidden><div class="tile"><img src="{sheet}" alt=""></div>'
        '<p role="status"></p></div>'
    )
    body = (
        f"{_words(found, len(order), pictured, len(labels))}{_choices(labels)}"
        f'<figure class="map" id="map-figure">{drawing}{card}</figure>{_legend(labels)}'
        f"{_list(found.rows, order)}{_data(found.rows, order, labels, pictured)}"
    )
    return Section("map", translate("Embedding map"), body)


def _mistakes_first(rows: Sequence[PredictionRow]) -> list[int]:
    return sorted(range(len(rows)), key=lambda i: (rows[i].predicted == rows[i].label, -rows[i].confidence))


def _affordable(content: ReportContent, rows: Sequence[PredictionRow]) -> int:
    """Of how many, from the first, the originals are not too many pixels to read."""
    pixels = {s.path: s.width * s.height for s in content.manifest.samples}
    total = np.cumsum([pixels.get(row.path, 0) for row in rows])
    return int(np.searchsorted(total, _MOST_PIXELS, side="right"))


def _words(found: EmbeddingMap, shown: int, pictured: int, classes: int) -> str:
    how = translate(
        "Each point is an image. Points close together are images that look similar to the model "
        "({method} of its features); the distance between clusters means little. Ringed points are "
        "mistakes: among points of another class, the label may be wrong; between two clusters, the "
        "image is hard to classify.",
        method=found.method,
    )
    more = []
    if found.method == "PCA":
        more.append(
            translate(
                "This is a PCA projection (two components), which separates groups less well than "
                't-SNE. For t-SNE: pip install "eyebright[map]"'
            )
        )
    if shown < found.count:
        more.append(
            translate(
                "Showing {shown} of {count:image|images}, mistakes first.",
                shown=number(shown),
                count=number(found.count),
            )
        )
    if pictured < shown:
        more.append(
            translate(
                "The originals are large, so only {count:point has|points have} a thumbnail, mistakes first.",
                count=number(pictured),
            )
        )
    if classes > COLOURS:
        more.append(translate("There are more classes than colours: select one class to highlight it."))
    return paragraph(how) + (paragraph(" ".join(more)) if more else "")


def _drawing(found: EmbeddingMap, order: Sequence[int], labels: Sequence[str]) -> str:
    """The points as SVG, mistakes above the others; each knows its place in the page's data."""
    place = {label: i for i, label in enumerate(labels)}
    spans = np.ptp(found.points, axis=0)
    high = _EDGE * 2 + (_WIDTH - 2 * _EDGE) * float(spans[1] / max(spans.max(), 1e-9))
    left, top = found.points.min(axis=0)
    scale = (_WIDTH - 2 * _EDGE) / max(float(spans.max()), 1e-9)
    radius = 4.5 if len(order) < 300 else 3.5
    points = []
    for number_, i in reversed(list(enumerate(order))):
        x, y = _EDGE + (found.points[i] - (left, top)) * scale
        row = found.rows[i]
        wrong = " wrong" if row.predicted != row.label else ""
        points.append(
            f'<circle class="c{place[row.label] % COLOURS}{wrong}" cx="{x:.1f}" cy="{y:.1f}" r="{radius}" '
            f'data-i="{number_}"/>'
        )
    title = translate("Embedding map of {count:image|images}", count=number(len(order)))
    box = f"0 0 {_WIDTH} {max(high, 2 * _EDGE):.0f}"
    return f'<svg viewBox="{box}" role="img" aria-label="{text(title)}">{"".join(points)}</svg>'


def _choices(labels: Sequence[str]) -> str:
    """What the colours mean and which class is seen alone; shown by the page's script."""
    by = {
        "true": translate("True class"),
        "named": translate("Predicted"),
        "error": translate("Correct or wrong"),
    }
    kinds = "".join(f'<option value="{key}">{text(title)}</option>' for key, title in by.items())
    classes = "".join(f"<option>{text(label)}</option>" for label in labels)
    colour, alone = text(translate("Colour by")), text(translate("Class"))
    everything = text(translate("all"))
    return (
        '<form class="filter" id="map-form" hidden>'
        f'<label>{colour} <select id="map-by">{kinds}</select></label>'
        f'<label>{alone} <select id="map-class"><option>{everything}</option>{classes}</select></label>'
        "</form>"
    )


def _legend(labels: Sequence[str]) -> str:
    classes = "".join(f'<li class="c{i}">{name(label)}</li>' for i, label in enumerate(labels[:COLOURS]))
    if len(labels) > COLOURS:
        classes += "<li>…</li>"
    wrong = f'<li class="wrong">{text(translate("mistake"))}</li>'
    return f'<ul class="map-legend" id="map-legend">{classes}{wrong}</ul>'


def _list(rows: Sequence[PredictionRow], order: Sequence[int]) -> str:
    """The mistakes as buttons that show their point: what the pointer finds, for the keyboard."""
    wrong = [(n, rows[i]) for n, i in enumerate(order) if rows[i].predicted != rows[i].label][:_LISTED]
    if not wrong:
        return ""
    buttons = "".join(f'<li><button type="button" data-i="{n}">{_button(r)}</button></li>' for n, r in wrong)
    summary = translate("Mistakes on the embedding map: {count}", count=number(len(wrong)))
    return details(summary, f'<ul class="map-list" id="map-list">{buttons}</ul>')


def _button(row: PredictionRow) -> str:
    said = translate("{label}, predicted as {predicted}", label=row.label, predicted=row.predicted)
    return f"{name(said)} <small>{name(row.path.rpartition('/')[2])}</small>"


def _data(rows: Sequence[PredictionRow], order: Sequence[int], labels: Sequence[str], pictured: int) -> str:
    """What the page's script must know: for each point true and named class, how sure, and the file."""
    place = {label: i for i, label in enumerate(labels)}
    facts = {
        "labels": list(labels),
        "colours": COLOURS,
        "across": across(pictured),
        "pictured": pictured,
        "texts": {
            "right": translate("{label}, confidence {sure}"),
            "wrong": translate("{predicted} (confidence {sure}), true class {label}"),
        },
        "points": [
            [place[row.label], place[row.predicted], percent(row.confidence, 0), row.path]
            for row in (rows[i] for i in order)
        ],
    }
    written = json.dumps(facts, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace").decode()
    safe = written.replace("<", "\\u003c")  # so that it cannot end the element that it stands in
    return f'<script type="application/json" id="map-data">{safe}</script>'
