"""The page of `suggest --format html`: the pictures to label, each with why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eyebright.report.document import Section, document
from eyebright.report.templating import render
from eyebright.report.thumbnails import Thumbnail, thumbnails
from eyebright.text.language import translate

_SIDE = 160
_MOST_PICTURES = 500


@dataclass(frozen=True)
class Picture:
    """A picture with its score and why it is worth a label."""

    path: str
    score: float
    reason: str
    thumbnail: Thumbnail


def page(title: str, sentences: Sequence[str], images: Sequence[tuple[str, float, str]]) -> str:
    """Return the whole page.

    Args:
        title: the run's name.
        sentences: what was chosen, and what it may bring.
        images: path, score and reason of each.
    """
    shown = images[:_MOST_PICTURES]
    small = thumbnails(Path(), [path for path, _, _ in shown], _SIDE)
    pictures = [Picture(*image, thumbnail) for image, thumbnail in zip(shown, small, strict=True)]
    body = render("suggest/pictures.html", pictures=pictures, count=len(images))
    head = render("verdict.html", sentences=sentences)
    return document(title, head, [Section("label", translate("Images to label next"), body)])
