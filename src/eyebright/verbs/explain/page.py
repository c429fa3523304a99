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
from eyebright.types import Lang


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
    path: Path, title: str, how: Explainer, images: Sequence[ExplainedImage], count: int, lang: Lang
) -> None:
    """Writes the page to ``path``, whole or not at all.

    Args:
        path: in the folder of the pictures.
        title: plain text.
        how: what made the maps.
        images: those that the page shows.
        count: how many there are; the others have their files.
        lang: of the page.

    Raises:
        StorageError: the disk is full or must not be written.
    """
    head = paragraph(translate("Where the answers come from", lang), "verdict")
    body = f'<ul class="gallery heated">{"".join(_card(image, lang) for image in images)}</ul>'
    if len(images) < count:
        few = translate(
            "The first {shown} of {count}; the others are pictures beside this page.",
            lang,
            shown=number(len(images)),
            count=number(count),
        )
        body = paragraph(few) + body
    sections = [
        Section("pictures", translate("Heat maps", lang), legend(how.signed, lang) + body),
        Section("reading", translate("How to read them", lang), _reading(how, lang)),
    ]
    write_text(path, document(title, head, sections, lang))


def _reading(how: Explainer, lang: Lang) -> str:
    words = method_in_words(how.method, lang)
    if how.placeless:
        spread = translate(
            "{share} of the features have no places, such as a class token; what they add is spread evenly.",
            lang,
            share=percent(how.placeless, lang, 0),
        )
        words = f"{words} {spread}"
    return paragraph(words) + paragraph(_caution(lang), "note")


def _caution(lang: Lang) -> str:
    return translate(
        "Each picture has its own scale. A map shows what the model uses, not what is right: colour on the "
        "background, on a ruler or on a watermark is a sign that it has learned a shortcut.",
        lang,
    )


def _card(image: ExplainedImage, lang: Lang) -> str:
    sure = translate("probability {percent}", lang, percent=percent(image.probability, lang, 1))
    before = translate("The image {path}", lang, path=image.path)
    after = translate("Heat map of {path} for the class {label}", lang, path=image.path, label=image.label)
    other = ""
    if image.answer != image.label:
        answered = text(translate("the answer is", lang))
        other = f'<span class="truth"><i>{answered}</i> {name(image.answer)}</span>'
    picture = f'<div class="picture"><img src="{image.before}" alt="{text(before)}"></div>'
    return (
        f"<li>{pair(picture, image.after, after)}<p>"
        f'<b>{name(image.label)}</b> <span class="sure">{text(sure)}</span>{other}'
        f'<a class="path" href="{text(image.picture)}" title="{text(image.path)}">'
        f"{name(Path(image.path).name)}</a>"
        "</p></li>"
    )
