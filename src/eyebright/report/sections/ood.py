"""What the model does not know: OOD images, and prediction sets that contain the true class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from eyebright.evaluation.uncertainty.conformal import SetFigures
from eyebright.evaluation.uncertainty.ood import UnknownRule
from eyebright.evaluation.uncertainty.results import AcceptedImage, OodImages, Uncertainty
from eyebright.report.charts.interval import interval_bar
from eyebright.report.charts.ood import ood_chart
from eyebright.report.content import ReportContent
from eyebright.report.document import Section
from eyebright.report.templating import render
from eyebright.report.thumbnails import Thumbnail, thumbnails
from eyebright.text.format import decimal, percent
from eyebright.text.language import translate
from eyebright.types import Interval

_SHOWN = 12
_PICTURE_PX = 160
_MOST_CLASSES = 100


@dataclass(frozen=True)
class AcceptedTile:
    """An OOD image that was accepted as known, with its picture and the name of its file."""

    image: AcceptedImage
    name: str
    thumbnail: Thumbnail


@dataclass(frozen=True)
class SetCell:
    """Coverage and mean size of a class's prediction sets; None of a class without images."""

    coverage: Interval | None
    size: float | None
    chart: Markup


@dataclass(frozen=True)
class SetRow:
    """A class under one threshold for all classes, and under its own."""

    label: str
    cells: Sequence[SetCell]


def uncertainty(content: ReportContent) -> Section | None:
    """Return OOD detection and prediction sets; None of a model with neither."""
    found = content.uncertainty
    if found is None or (found.rule is None and found.sets is None):
        return None
    return Section("unknown", translate("Uncertainty"), _ood(found) + _sets(found))


def _ood(found: Uncertainty) -> Markup:
    if found.rule is None or found.rejected is None:
        return Markup()
    ood = found.ood
    return render(
        "sections/ood.html",
        chart=ood_chart(found) or "",
        limit=_limit(found.rule),
        uncertainty=found,
        ood=ood,
        scores=None if ood is None else _scores(ood),
        tiles=[] if ood is None else _tiles(ood),
    )


def _limit(rule: UnknownRule) -> str:
    return translate(
        "The OOD threshold {limit} was set on {where} ({images:image|images}), so that {share} of "
        "in-distribution images count as unknown.",
        limit=decimal(rule.threshold),
        images=rule.images,
        where=_where(rule.chosen_on),
        share=percent(rule.false_rejection, 0),
    )


def _where(split: str) -> str:
    """Return the images that a rule was chosen on."""
    if split == "train":
        return translate("holdout images of the training split")
    return translate("the validation split")


def _scores(ood: OodImages) -> list[tuple[str, object]]:
    return [
        (translate("OOD score"), ood.by_score),
        (translate("Maximum softmax probability"), ood.by_softmax),
    ]


def _tiles(ood: OodImages) -> list[AcceptedTile]:
    shown = ood.accepted[:_SHOWN]
    pictures = thumbnails(Path(), [image.path for image in shown], _PICTURE_PX)
    return [
        AcceptedTile(image, Path(image.path).name, picture)
        for image, picture in zip(shown, pictures, strict=True)
    ]


def _sets(found: Uncertainty) -> Markup:
    rule, marginal, by_class = found.sets, found.marginal, found.by_class
    if rule is None or marginal is None or by_class is None:
        return Markup()
    return render(
        "sections/prediction_sets.html",
        rule=rule,
        where=_where(rule.calibrated_on),
        selected=by_class if rule.per_class else marginal,
        rows=list(_set_rows(found.labels, (marginal, by_class))),
    )


def _set_rows(labels: Sequence[str], both: Sequence[SetFigures]) -> Iterator[SetRow]:
    """Yield coverage and size for each class: one threshold for all, and one for each."""
    for place, label in enumerate(labels[:_MOST_CLASSES]):
        found = [(figures.classes[place], figures.class_sizes[place]) for figures in both]
        yield SetRow(label, [SetCell(share, size, _bar(share)) for share, size in found])


def _bar(share: Interval | None) -> Markup:
    return Markup() if share is None else interval_bar(share)
