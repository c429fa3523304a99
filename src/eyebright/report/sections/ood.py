"""What the model does not know: strange images, and sets of classes that hold the true one."""

from __future__ import annotations

from pathlib import Path

from eyebright.evaluation.uncertainty.conformal import SetFigures
from eyebright.evaluation.uncertainty.ood import Separation, UnknownRule
from eyebright.evaluation.uncertainty.results import Accepted, Foreign, Knowing
from eyebright.report.charts.interval import interval_bar
from eyebright.report.charts.ood import strangeness_chart
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
    knowing = content.knowing
    if knowing is None or (knowing.rule is None and knowing.sets is None):
        return None
    body = _strange(knowing) + _sets(knowing)
    return Section("unknown", translate("What it does not know"), body)


def _strange(knowing: Knowing) -> str:
    if knowing.rule is None or knowing.rejected is None:
        return ""
    words = paragraph(
        translate(
            "Each answer comes with a score of how strange the image is to the model. Above the limit it "
            "counts as unknown, and no class should be believed, however sure it is."
        )
    )
    words += paragraph(_limit(knowing.rule))
    words += paragraph(
        translate(
            "Of the images of the {part} part {share} count as unknown ({between}).",
            part=part_name(knowing.part),  # type: ignore[arg-type]
            share=percent(knowing.rejected.value),
            between=percent_range(knowing.rejected),
        )
    )
    if knowing.foreign is None:
        hint = translate(
            "How well it tells images of something else shows eyebright evaluate --foreign FOLDER. Classes "
            "of the same kind that it was never shown are harder to tell."
        )
        words += paragraph(hint, "note")
    foreign = "" if knowing.foreign is None else _foreign(knowing.foreign)
    return f'<div class="side">{strangeness_chart(knowing)}<div>{words}</div></div>{foreign}'


def _limit(rule: UnknownRule) -> str:
    where = (
        translate("held-out images of the training part")
        if rule.chosen_on == "train"
        else translate("the validation part")
    )
    return translate(
        "The limit {limit} was set by {where} ({images}), so that {share} of the model's own images "
        "count as unknown.",
        limit=decimal(rule.threshold),
        images=number(rule.images),
        where=where,
        share=percent(rule.false_rejection, 0),
    )


def _foreign(foreign: Foreign) -> str:
    rows = [
        [text(title), *_measures(found)]
        for title, found in (
            (translate("This score"), foreign.by_score),
            (translate("Highest probability alone"), foreign.by_softmax),
        )
    ]
    head = [
        text(translate("Told by")),
        text(translate("AUROC")),
        text(translate("Foreign images accepted")),
        text(translate("Own images rejected")),
    ]
    caption = translate(
        "{count} foreign images of {folder}", count=number(len(foreign.scores)), folder=foreign.folder
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


def _pictures(foreign: Foreign) -> str:
    if not foreign.accepted:
        return paragraph(translate("No foreign image was accepted."), "note")
    shown = foreign.accepted[:_SHOWN]
    title = translate(
        "Foreign images that were accepted, the least strange first ({shown} of {count})",
        shown=len(shown),
        count=number(len(foreign.accepted)),
    )
    pictures = thumbnails(Path(), [image.path for image in shown], _PICTURE_PX)
    cards = "".join(_card(image, picture) for image, picture in zip(shown, pictures, strict=True))
    return f'<div class="single"><h3>{text(title)}</h3><ul class="gallery accepted">{cards}</ul></div>'


def _card(image: Accepted, picture: Thumbnail) -> str:
    description = translate("{label}: {path}", label=image.label, path=Path(image.path).name)
    return (
        f'<li><figure><div class="picture">{picture.html(description)}</div><figcaption>'
        f'<span class="said">{name(image.label)}</span> '
        f'<span class="sure">{percent(image.confidence, 0)}</span>'
        f'<span class="path">{name(Path(image.path).name)}</span></figcaption></figure></li>'
    )


def _sets(knowing: Knowing) -> str:
    rule, alike, by_class = knowing.sets, knowing.alike, knowing.by_class
    if rule is None or alike is None or by_class is None:
        return ""
    promise = translate(
        "Instead of one class the model can give a set of classes that holds the true one for {coverage} of "
        "images. Its limit was set by {images} images that are not reported here.",
        coverage=percent(rule.coverage, 0),
        images=number(rule.images),
    )
    chosen = by_class if rule.per_class else alike
    found = translate(
        "On this part sets held the true class for {share} ({between}), with {size} classes in the mean.",
        share=percent(chosen.measured.value),
        between=percent_range(chosen.measured),
        size=f"{chosen.mean_size:.2f}",
    )
    title = translate("Sets of classes")
    words = paragraph(promise) + paragraph(found)
    classes = _classes(knowing, alike, by_class)
    return f'<div class="single"><h3>{text(title)}</h3>{words}{classes}</div>'


def _classes(knowing: Knowing, alike: SetFigures, by_class: SetFigures) -> str:
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
        text(translate("One limit for all")),
        sizes,
        text(translate("A limit for each class")),
        sizes,
    ]
    return table(translate("How often sets hold the true class"), head, rows, "further")
