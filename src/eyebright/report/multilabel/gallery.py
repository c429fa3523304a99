"""Pictures where an image may have several labels: the surest mistakes, with what was missed and invented."""

from __future__ import annotations

from collections.abc import Sequence

from eyebright.data.manifest import JOINT
from eyebright.evaluation.multiclass.results import PredictionRow
from eyebright.report.content import ReportContent
from eyebright.report.markup import Section, name, number, paragraph, percent, text
from eyebright.report.sections.gallery import choice, viewer
from eyebright.report.thumbnails import Thumbnail, thumbnails
from eyebright.text.language import translate

_SHOWN = 48
_PX = 224


def label_mistakes(content: ReportContent) -> Section:
    """Images that were not named just their labels, those first of which the model was surest."""
    title = translate("Most confident mistakes")
    wrong = sorted(
        (row for row in content.evaluated if row.predicted != row.label),
        key=lambda r: (-r.confidence, r.path),
    )
    if not wrong:
        none = translate("Every image was predicted with exactly its labels.")
        return Section("mistakes", title, paragraph(none, "note"))
    shown = wrong[:_SHOWN]
    pictures = thumbnails(content.manifest.root, [row.path for row in shown], _PX)
    cards = "".join(_card(row, picture) for row, picture in zip(shown, pictures, strict=True))
    intro = translate(
        "{count:image|images} with at least one wrong label, {shown} shown, most confident first "
        "(confidence in all labels together).",
        count=number(len(wrong)),
        shown=number(len(shown)),
    )
    body = f'{paragraph(intro)}{_filter(shown)}<ul class="gallery" id="gallery">{cards}</ul>{viewer()}'
    return Section("mistakes", title, body)


def _card(row: PredictionRow, picture: Thumbnail) -> str:
    truth, named = _parts(row.label), _parts(row.predicted)
    missed, invented = _text(truth - named), _text(named - truth)
    description = translate(
        "false negatives: {missed}; false positives: {invented}: {path}",
        missed=missed,
        invented=invented,
        path=row.path,
    )
    lines = [
        (translate("false negatives"), missed, "said" if truth - named else ""),
        (translate("false positives"), invented, "said" if named - truth else ""),
        (translate("true"), _text(truth), ""),
    ]
    items = "".join(
        f'<span class="truth"><i>{text(title)}</i> <span class="{style}">{name(labels)}</span></span>'
        for title, labels, style in lines
    )
    sure = translate("confidence {percent}", percent=percent(row.confidence, 0))
    return (
        f'<li data-true="{text(missed)}" data-named="{text(invented)}"><figure>'
        f'<button type="button" class="picture">{picture.html(description)}</button><figcaption>{items}'
        f'<span class="path" title="{text(row.path)}">{name(row.path.rpartition("/")[2])}</span>'
        f'<span class="path">{text(sure)}</span>'
        "</figcaption></figure></li>"
    )


def _filter(rows: Sequence[PredictionRow]) -> str:
    """Two choices and a count, shown by the page's script; without it all pictures stay in sight."""
    pairs = [(_parts(row.label), _parts(row.predicted)) for row in rows]
    missed = choice("true", translate("False negatives"), (_text(t - n) for t, n in pairs))
    invented = choice("named", translate("False positives"), (_text(n - t) for t, n in pairs))
    return (
        f'<form class="filter" id="filter" hidden>{missed}{invented}'
        f'<output id="shown" data-text="{text(translate("{shown} of {count} shown"))}"></output></form>'
    )


def _parts(labels: str) -> set[str]:
    return set(labels.split(JOINT)) - {""}


def _text(labels: set[str]) -> str:
    return ", ".join(sorted(labels)) or translate("no labels")
