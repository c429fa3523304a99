"""Pieces of HTML and numbers as text. Whatever comes from outside passes through `text` or `name`."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from eyebright.text.language import language, translate
from eyebright.types import Interval, Split

# Not allowed in HTML, or able to turn the direction of the text around them.
_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff]")

_NBSP = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True)
class Section:
    """One part of the page: ``body`` is HTML, ``title`` is plain text."""

    anchor: str
    title: str
    body: str

    def html(self) -> str:
        """The section with its heading."""
        return (
            f'<section id="{self.anchor}" aria-labelledby="{self.anchor}-h">'
            f'<h2 id="{self.anchor}-h">{text(self.title)}</h2>{self.body}</section>'
        )


def text(value: object) -> str:
    """``value`` as HTML text, also fit for a quoted attribute."""
    # Names of files that are not UTF-8 hold lone surrogates, which no file can be written with.
    clean = str(value).encode("utf-8", "replace").decode("utf-8")
    return html.escape(_UNFIT.sub("\N{REPLACEMENT CHARACTER}", clean), quote=True)


def name(value: object) -> str:
    """A label or file name: isolated, so that right-to-left letters do not disturb the rest of the line."""
    return f"<bdi>{text(value)}</bdi>"


def paragraph(content: str, style: str = "") -> str:
    """A paragraph of plain text; its per cent signs stay with their figures."""
    kind = f' class="{style}"' if style else ""
    return f"<p{kind}>{text(content.replace(' %', _NBSP + '%'))}</p>"


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], style: str = "") -> str:
    """A table; ``head`` and cells are HTML, the first cell of a row heads it, the caption is plain text."""
    columns = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    lines = "".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in rest)}</tr>'
        for first, *rest in rows
    )
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{text(caption)}">'
        f'<table class="{style}"><caption>{text(caption)}</caption>'
        f"<thead><tr>{columns}</tr></thead><tbody>{lines}</tbody></table></div>"
    )


def details(summary: str, body: str) -> str:
    """A part that opens on demand; ``summary`` is plain text."""
    return f"<details><summary>{text(summary)}</summary>{body}</details>"


def terms(pairs: Iterable[tuple[str, str]]) -> str:
    """A list of names and values, both plain text."""
    items = "".join(f"<div><dt>{text(term)}</dt><dd>{name(value)}</dd></div>" for term, value in pairs)
    return f'<dl class="terms">{items}</dl>'


def fraction(value: float) -> float:
    """``value`` kept inside 0 to 1 so that it can be drawn; 0 where there is no figure."""
    return min(max(value, 0.0), 1.0) if math.isfinite(value) else 0.0


def percent(value: float, digits: int = 1) -> str:
    """A fraction as per cent; what is not quite 1 never reads as 100."""
    if not math.isfinite(value):
        return "–"
    rounded = round(100 * value, digits)
    if rounded >= 100 > 100 * value:
        rounded = 100 - 10.0**-digits
    unit = "%" if language() == "zh" else _NBSP + "%"
    return f"{rounded:.{digits}f}{unit}"


def percent_range(interval: Interval) -> str:
    """An interval of fractions, as text."""
    low, high = percent(interval.low), percent(interval.high)
    return translate("{low} to {high}", low=low, high=high)


def decimal(value: float, digits: int = 3) -> str:
    """A figure with a fixed number of decimals."""
    return f"{value:.{digits}f}" if math.isfinite(value) else "–"


def number(value: int) -> str:
    """A count with thousands apart."""
    return f"{value:,}"


def duration(seconds: float) -> str:
    """Seconds as a person would say them."""
    if round(seconds, 1) < 60:
        return translate("{seconds} s", seconds=f"{seconds:.1f}")
    minutes, rest = divmod(round(seconds), 60)
    return translate("{minutes} min {seconds} s", minutes=minutes, seconds=rest)


def part_name(split: Split) -> str:
    """The name of a part of the data."""
    match split:
        case "train":
            return translate("training")
        case "val":
            return translate("validation")
        case "test":
            return translate("test")
