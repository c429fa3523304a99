"""The page of `explain`: each image beside its heat map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eyebright.explaining.base import Explainer
from eyebright.report.markup import Section, name, number, paragraph, percent, text
from eyebright.report.page import document
from eyebright.report.sections.heatmap import legend, method_in_words, pair
from eyebright.runtime.atomic import write_text
from eyebright.text.language import translate


@dataclass(frozen=True)
class ExplainedImage:
    """One image of the page.

    Attributes:
        path: of the image.
        label: the class whose evidence is shown.
        probability: of that class.
        answer: the class that the model answers.
        before, after: data URIs of the image and of its heat map.
        picture: the heat map's file beside the page.
    """

    path: str
    label: str
    probability: float
    answer: str
    before: str
    after: str
    picture: str


def write_explanations(
    path: Path, title: str, how: Explainer, images: Sequence[ExplainedImage], count: int
) -> None:
    """Writes the page to ``path``, whole or not at all.

    Args:
        path: in the folder of the pictures.
        title: plain text.
        how: what made the maps.
        images: those that the page shows.
        count: how many there are; the others have their files.

    Raises:
        StorageError: the disk is full or must not be written.
    """
    head = paragraph(translate("Image regions behind each prediction"), "verdict")
    body = f'<ul class="gallery heated">{"".join(_card(image) for image in images)}</ul>'
    if len(images) < count:
        few = translate(
            "Showing the first {shown} of {count}; the others are image files beside this page.",
            shown=number(len(images)),
            count=number(count),
        )
        body = paragraph(few) + body
    sections = [
        Section("pictures", translate("Heat maps"), legend(how.signed) + body),
        Section("reading", translate("How to read the heat maps"), _reading(how)),
    ]
    write_text(path, document(title, head, sections))


def _reading(how: Explainer) -> str:
    words = method_in_words(how.method)
    if how.placeless:
        spread = translate(
            "{share} of the features have no location, such as a class token; their contribution is "
            "spread evenly.",
            share=percent(how.placeless, 0),
        )
        words = f"{words} {spread}"
    return paragraph(words) + paragraph(_caution(), "note")


def _caution() -> str:
    return translate(
        "Each heat map has its own scale. It shows what the model uses, not what is right: colour on "
        "the background, on a ruler or on a watermark suggests that the model has learned a shortcut."
    )


def _card(image: ExplainedImage) -> str:
    sure = translate("probability {percent}", percent=percent(image.probability, 1))
    before = translate("Image {path}", path=image.path)
    after = translate("Heat map of {path} for class {label}", path=image.path, label=image.label)
    other = ""
    if image.answer != image.label:
        answered = text(translate("predicted"))
        other = f'<span class="truth"><i>{answered}</i> {name(image.answer)}</span>'
    picture = f'<div class="picture"><img src="{image.before}" alt="{text(before)}"></div>'
    return (
        f"<li>{pair(picture, image.after, after)}<p>"
        f'<b>{name(image.label)}</b> <span class="sure">{text(sure)}</span>{other}'
        f'<a class="path" href="{text(image.picture)}" title="{text(image.path)}">'
        f"{name(Path(image.path).name)}</a>"
        "</p></li>"
    )
