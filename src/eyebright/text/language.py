"""English and Chinese: the English text stays where it is used, ``locale/zh.json`` holds its translation.

A test collects every text given to :func:`translate` or to an error and fails when one has no translation.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

LANGUAGES = ("en", "zh")


@cache
def _catalogue(lang: str) -> dict[str, str]:
    if lang == "en":
        return {}
    text = files("eyebright").joinpath("text", "locale", f"{lang}.json").read_text(encoding="utf-8")
    catalogue: dict[str, str] = json.loads(text)
    return catalogue


def translate(template: str, lang: str, **values: object) -> str:
    """``template`` in ``lang`` with ``{name}`` placeholders filled in.

    A text without translation stays English. Values are inserted as they are: no format expression in a
    value is ever read.
    """
    text = _catalogue(lang).get(template, template)
    return text.format(**values) if values else text
