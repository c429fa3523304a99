"""Multi-label: the most confident mistakes, each with its false negatives and false positives."""

from __future__ import annotations

from dataclasses import dataclass

from eyebright.data.manifest import JOINT
from eyebright.evaluation.multiclass.results import PredictionRow
from eyebright.report.content import ReportContent
from eyebright.report.document import Section
from eyebright.report.templating import render
from eyebright.report.thumbnails import Thumbnail, thumbnails
from eyebright.text.language import translate

_SHOWN = 48
_THUMBNAIL_PX = 224


@dataclass(frozen=True)
class LabelMistake:
    """An image with at least one wrong label: its picture, and its labels in words."""

    path: str
    confidence: float
    true: str
    false_negatives: str
    false_positives: str
    thumbnail: Thumbnail


def label_mistakes(content: ReportContent) -> Section:
    """Return the images with a wrong label, the most confident first."""
    wrong = sorted(
        (row for row in content.evaluated if row.predicted != row.label),
        key=lambda r: (-r.confidence, r.path),
    )
    shown = wrong[:_SHOWN]
    pictures = thumbnails(content.manifest.root, [row.path for row in shown], _THUMBNAIL_PX)
    tiles = [_mistake(row, picture) for row, picture in zip(shown, pictures, strict=True)]
    body = render("multilabel/gallery.html", tiles=tiles, count=len(wrong))
    return Section("mistakes", translate("Most confident mistakes"), body)


def _mistake(row: PredictionRow, picture: Thumbnail) -> LabelMistake:
    true, predicted = (set(labels.split(JOINT)) - {""} for labels in (row.label, row.predicted))
    return LabelMistake(
        path=row.path,
        confidence=row.confidence,
        true=_in_words(true),
        false_negatives=_in_words(true - predicted),
        false_positives=_in_words(predicted - true),
        thumbnail=picture,
    )


def _in_words(labels: set[str]) -> str:
    return ", ".join(sorted(labels)) or translate("no labels")
