"""English and Chinese: the English text stays where it is used, ``locale/zh.json`` holds its translation.

A test collects every text given to :func:`translate` or to an error and fails when one has no translation.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib.resources import files
from string import Formatter
from typing import TYPE_CHECKING

from eyebright.text.table import printable

if TYPE_CHECKING:  # `types` imports numpy, which `--help` must not wait for
    from eyebright.types import Lang

LANGUAGES: tuple[Lang, ...] = ("en", "zh")
_language: ContextVar[Lang] = ContextVar("language", default="en")


def language() -> Lang:
    """Return the language in which people are spoken to here."""
    return _language.get()


@contextmanager
def speaking(lang: Lang) -> Iterator[None]:
    """Use ``lang`` while the block runs."""
    token = _language.set(lang)
    try:
        yield
    finally:
        _language.reset(token)


def translate(template: str, **values: object) -> str:
    """Return ``template`` in the current language with its ``{name}`` placeholders filled in.

    A text without a translation stays English. ``{count:image|images}`` stands for a number with the noun
    that fits it: "1 image", "1,766 images". No format expression in a value is ever read, and its control
    characters are written out: a name may hold anything.
    """
    return _filled(_catalogue(language()).get(template, template), values)


def english(template: str, **values: object) -> str:
    """Return ``template`` in English whatever the current language, for files that machines read."""
    return _filled(template, values)


def _filled(text: str, values: dict[str, object]) -> str:
    return _COUNTING.vformat(text, (), values) if values else text


class _Counting(Formatter):
    """Formatting with ``{count:one|many}`` beside Python's own format specifications."""

    def format_field(self, value: object, format_spec: str) -> str:
        one, bar, many = format_spec.partition("|")
        if not bar:
            return printable(format(value, format_spec))
        number = f"{value:,}" if isinstance(value, int) else str(value)
        return f"{number} {one if number == '1' else many}"


_COUNTING = _Counting()


@cache
def _catalogue(lang: Lang) -> dict[str, str]:
    if lang == "en":
        return {}
    text = files("eyebright").joinpath("text", "locale", f"{lang}.json").read_text(encoding="utf-8")
    catalogue: dict[str, str] = json.loads(text)
    return catalogue
