"""Stand-in until the base of the templates lands."""

from __future__ import annotations

import re
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from eyebright.text.language import translate

_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff]")


def _clean(value: object) -> object:
    if isinstance(value, str) and not hasattr(value, "__html__"):
        return _UNFIT.sub("\N{REPLACEMENT CHARACTER}", value.encode("utf-8", "replace").decode("utf-8"))
    return value


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("eyebright.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_clean,
    )
    environment.globals["_"] = translate
    return environment


@cache
def _markdown() -> Environment:
    return _environment().overlay(autoescape=False, keep_trailing_newline=True, finalize=_without_meaning)


def _without_meaning(value: object) -> object:
    """Return text that means nothing to Markdown: names of classes and folders are the user's."""
    if hasattr(value, "__html__"):
        return value
    clean = str(_clean(str(value))).replace("\n", " ").replace("\r", " ")
    return "".join(f"\\{c}" if c in "\\*_[]<>|#" else c for c in clean)


def render_markdown(template: str, **values: object) -> str:
    """Return the Markdown of ``template`` filled with ``values``, none of which Markdown interprets."""
    return _markdown().get_template(template).render(**values)


def render(template: str, **values: object) -> str:
    """Return ``template`` filled with ``values``."""
    return _environment().get_template(template).render(**values)


def macro(template: str, name: str, *values: object) -> str:
    """Return what a macro of ``template`` makes of ``values``."""
    return str(getattr(_environment().get_template(template).module, name)(*values))
