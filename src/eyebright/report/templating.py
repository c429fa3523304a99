"""Templates of the pages: HTML and SVG, in which every value is escaped, and Markdown."""

from __future__ import annotations

import re
from functools import cache

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from eyebright.text.format import (
    decimal,
    decimal_range,
    duration,
    number,
    paragraph_of,
    percent,
    percent_range,
    split_name,
)
from eyebright.text.language import language, translate

# Not allowed in HTML, or able to turn the direction of the text around them.
_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff]")
_MARKDOWN = frozenset("\\*_[]<>|#")
_FORMATS = (decimal, decimal_range, duration, number, percent, percent_range, split_name)


def render(template: str, **values: object) -> Markup:
    """Return ``template`` filled with ``values``, fit for a page as it stands.

    Args:
        template: its file below ``report/templates`` or, as in "compare/page.html", below ``verbs``.
        values: what it shows. All but markup is escaped.
    """
    return Markup(_html().get_template(template).render(**values))


def render_markdown(template: str, **values: object) -> str:
    """Return the Markdown of ``template``; in its values, nothing has a meaning to Markdown."""
    return _markdown().get_template(template).render(**values)


@cache
def _html() -> Environment:
    environment = Environment(
        loader=ChoiceLoader([PackageLoader("eyebright.report"), PackageLoader("eyebright", "verbs")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_clean,
    )
    # One JSON object may hold thousands of points.
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    environment.globals |= {"_": translate, "language": language, "paragraph_of": paragraph_of}
    environment.filters |= {made.__name__: made for made in _FORMATS} | {"unbroken": _unbroken}
    return environment


@cache
def _markdown() -> Environment:
    return _html().overlay(autoescape=False, keep_trailing_newline=True, finalize=_without_meaning)


def _clean(value: object) -> object:
    """Return text without characters that no page can hold; anything else as it is."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    # Names of files that are not UTF-8 hold lone surrogates, which no file can be written with.
    return _UNFIT.sub("\N{REPLACEMENT CHARACTER}", value.encode("utf-8", "replace").decode("utf-8"))


def _without_meaning(value: object) -> object:
    """Return text that means nothing to Markdown: names of classes and folders are the user's."""
    if isinstance(value, Markup):
        return value
    clean = str(_clean(str(value))).replace("\n", " ").replace("\r", " ")
    return "".join(f"\\{c}" if c in _MARKDOWN else c for c in clean)


def _unbroken(sentence: str) -> str:
    """Return ``sentence`` with its per cent signs kept on the line of their numbers."""
    return sentence.replace(" %", "\N{NO-BREAK SPACE}%")
