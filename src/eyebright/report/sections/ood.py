"""What the model does not know: strange images, and sets of classes that hold the true one."""

from __future__ import annotations

from pathlib import Path

from eyebright.evaluation.uncertainty.conformal import SetFigures
from eyebright.evaluation.uncertainty.ood import Separation, UnknownRule
from eyebright.evaluation.uncertainty.results import AcceptedImage, OodImages, Uncertainty
from eyebright.report.charts.interval import interval_bar
from eyebright.report.charts.ood import ood_chart
from eyebright.report.content import ReportContent
from eyebright.report.markup import (
    Section,
    decimal,
    name,
    number,
    paragraph,
    part_name,
    percent,
    percent_range,
    table,
    text,
)
from eyebright.report.thumbnails import Thumbnail, thumbnails
from eyebright.text.language import translate
from eyebright.types import Interval

_SHOWN = 12
_PICTURE_PX = 160
_MOST_CLASSES = 100


def unknown(content: ReportContent) -> Section | None:
    """Both parts; None of a model that tells neither."""
    knowing = content.uncertainty
    if knowing is None or (knowing.rule is None and knowing.sets is None):
        return None
    body = _strange(knowing) + _sets(knowing)
    return Section("unknown", translate("Uncertainty"), body)


def _strange(knowing: Uncertainty) -> str:
    if knowing.rule is None or knowing.rejected is None:
        return ""
    words = paragraph(
        translate(
            "Each prediction comes with an out-of-distribution (OOD) score. Above the threshold, the "
            "image counts as unknown, and no class should be trusted, however high its confidence."
        )
    )
    words += paragraph(_limit(knowing.rule))
    words += paragraph(
        translate(
            "{share} of the images in the {part} split count as unknown ({between}).",
            part=part_name(knowing.split),  # type: ignore[arg-type]
            share=percent(knowing.rejected.value),
            between=percent_range(knowing.rejected),
        )
    )
    if knowing.ood is None:
        hint = translate(
            "To measure how well it detects OOD images, run eyebright evaluate --ood FOLDER. Unseen "
            "classes that resemble the known ones are harder to detect."
        )
        words += paragraph(hint, "note")
    foreign = "" if knowing.ood is None else _foreign(knowing.ood)
    return f'<div class="side">{ood_chart(knowing) or ""}<div>{words}</div></div>{foreign}'


def _limit(rule: UnknownRule) -> str:
    where = (
        translate("holdout images of the training split")
        if rule.chosen_on == "train"
        else translate("the validation split")
    )
    return translate(
        "The OOD threshold {limit} was set on {where} ({images:image|images}), so that {share} of "
        "in-distribution images count as unknown.",
        limit=decimal(rule.threshold),
        images=number(rule.images),
        where=where,
        share=percent(rule.false_rejection, 0),
    )


def _foreign(foreign: OodImages) -> str:
    rows = [
        [text(title), *_measures(found)]
        for title, found in (
            (translate("OOD score"), foreign.by_score),
            (translate("Maximum softmax probability"), foreign.by_softmax),
        )
    ]
    head = [
        text(translate("Score")),
        text(translate("AUROC")),
        text(translate("OOD images accepted")),
        text(translate("In-distribution images rejected")),
    ]
    caption = translate(
        "{count:OOD image|OOD images} from {folder}", count=number(len(foreign.scores)), folder=foreign.folder
    )
    return table(caption, head, rows, "further") + _pictures(foreign)


def _measures(found: Separation) -> list[str]:
    auroc = f"<b>{decimal(found.auroc.value)}</b>"
    between = translate("{low} to {high}", low=decimal(found.auroc.low), high=decimal(found.auroc.high))
    cells = [f'{auroc}<small class="between">{text(between)}</small>']
    return [*cells, _share(found.accepted), _share(found.rejected)]


def _share(interval: Interval) -> str:
    between = f'<small class="between">{text(percent_range(interval))}</small>'
    return f"<b>{percent(interval.value)}</b>{between}"


def _pictures(foreign: OodImages) -> str:
    if not foreign.accepted:
        return paragraph(translate("No OOD image was accepted."), "note")
    shown = foreign.accepted[:_SHOWN]
    title = translate(
        "OOD images accepted as known, lowest OOD score first ({shown} of {count})",
        shown=len(shown),
        count=number(len(foreign.accepted)),
    )
    pictures = thumbnails(Path(), [image.path for image in shown], _PICTURE_PX)
    cards = "".join(_card(image, picture) for image, picture in zip(shown, pictures, strict=True))
    return f'<div class="single"><h3>{text(title)}</h3><ul class="gallery accepted">{cards}</ul></div>'


def _card(image: AcceptedImage, picture: Thumbnail) -> str:
    description = translate("{label}: {path}", label=image.label, path=Path(image.path).name)
    return (
        f'<li><figure><div class="picture">{picture.html(description)}</div><figcaption>'
        f'<span class="said">{name(image.label)}</span> '
        f'<span class="sure">{percent(image.confidence, 0)}</span>'
        f'<span class="path">{name(Path(image.path).name)}</span></figcaption></figure></li>'
    )


def _sets(knowing: Uncertainty) -> str:
    rule, alike, by_class = knowing.sets, knowing.marginal, knowing.by_class
    if rule is None or alike is None or by_class is None:
        return ""
    promise = translate(
        "Instead of a single class, the model can output a prediction set that contains the true "
        "class for {coverage} of images. Its threshold was calibrated on {images:image|images} that "
        "are not part of this report.",
        coverage=percent(rule.coverage, 0),
        images=number(rule.images),
    )
    chosen = by_class if rule.per_class else alike
    found = translate(
        "On this split, prediction sets contained the true class for {share} of images ({between}), "
        "with a mean size of {size}.",
        share=percent(chosen.measured.value),
        between=percent_range(chosen.measured),
        size=f"{chosen.mean_size:.2f}",
    )
    title = translate("Prediction sets")
    words = paragraph(promise) + paragraph(found)
    classes = _classes(knowing, alike, by_class)
    return f'<div class="single"><h3>{text(title)}</h3>{words}{classes}</div>'


def _classes(knowing: Uncertainty, alike: SetFigures, by_class: SetFigures) -> str:
    """Coverage and size for each class: one limit for all beside a limit for each."""
    rows = []
    for number_, label in enumerate(knowing.labels[:_MOST_CLASSES]):
        cells = [name(label)]
        for figures in (alike, by_class):
            share, size = figures.classes[number_], figures.class_sizes[number_]
            cells += (
                ["–", ""]
                if share is None or size is None
                else [
                    f"{_share(share)}{interval_bar(share)}",
                    f"{size:.2f}",
                ]
            )
        rows.append(cells)
    sizes = text(translate("Size"))
    head = [
        text(translate("Class")),
        text(translate("One threshold for all classes")),
        sizes,
        text(translate("Per-class threshold")),
        sizes,
    ]
    return table(translate("Coverage of the prediction sets"), head, rows, "further")
