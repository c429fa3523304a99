"""Images that several runs name differently, with each run's answer and a filter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eyebright.report.markup import Section, name, number, paragraph, percent, text
from eyebright.report.sections.gallery import choice
from eyebright.report.thumbnails import Thumbnail, thumbnails
from eyebright.text.language import translate

_SHOWN = 60
_PX = 224


@dataclass(frozen=True)
class Changed:
    """An image that the runs name differently.

    Attributes:
        root: folder under which all of them lie.
        path: below that.
        label: the true class.
        answers: (R,) what each run named, and its confidence.
    """

    root: Path
    path: str
    label: str
    answers: Sequence[tuple[str, float]]

    @property
    def right(self) -> list[bool]:
        """Whether each run was right."""
        return [predicted == self.label for predicted, _ in self.answers]

    @property
    def decided(self) -> bool:
        """Whether at least one run was right; one was not, for they differ."""
        return any(self.right)


def changes(changed: Sequence[Changed], names: Sequence[str]) -> Section:
    """Pictures with each run's answer, those that some run names right first."""
    title = translate("Changed predictions")
    if not changed:
        same = translate("All runs make the same prediction for every image.")
        return Section("changed", title, paragraph(same, "note"))
    shown = changed[:_SHOWN]
    pictures = thumbnails(shown[0].root, [image.path for image in shown], _PX)
    cards = "".join(_card(c, p, names) for c, p in zip(shown, pictures, strict=True))
    intro = translate(
        "Predictions differ on {count:image|images}; images that at least one run predicts correctly "
        "come first. Shown: {shown}. compare.json lists all.",
        count=number(len(changed)),
        shown=len(shown),
    )
    body = f'{paragraph(intro)}{_filter(shown, names)}<ul class="gallery" id="gallery">{cards}</ul>'
    return Section("changed", title, body)


def _card(image: Changed, picture: Thumbnail, names: Sequence[str]) -> str:
    description = translate("{label}: {path}", label=image.label, path=image.path)
    answers = "".join(
        f'<span class="{"agreed" if right else "said"}">{"✓" if right else "✗"} {name(predicted)}</span> '
        f'<span class="sure">{percent(sure, 0)}</span>'
        f'<span class="path">{name(run)}</span>'
        for run, right, (predicted, sure) in zip(names, image.right, image.answers, strict=True)
    )
    return (
        f'<li data-true="{text(image.label)}" data-named="{text(_who(image, names))}"><figure>'
        f'<div class="picture">{picture.html(description)}</div><figcaption>'
        f'<span class="truth"><i>{text(translate("true"))}</i> {name(image.label)}</span>{answers}'
        f'<span class="path" title="{text(image.path)}">{name(image.path.rpartition("/")[2])}</span>'
        "</figcaption></figure></li>"
    )


def _who(image: Changed, names: Sequence[str]) -> str:
    """Which runs are right, in words."""
    right = [run for run, hit in zip(names, image.right, strict=True) if hit]
    return ", ".join(right) if right else translate("none")


def _filter(shown: Sequence[Changed], names: Sequence[str]) -> str:
    truth = choice("true", translate("True class"), (c.label for c in shown))
    who = choice("named", translate("Correct"), (_who(c, names) for c in shown))
    return (
        f'<form class="filter" id="filter" hidden>{truth}{who}'
        f'<output id="shown" data-text="{text(translate("{shown} of {count} shown"))}"></output></form>'
    )
