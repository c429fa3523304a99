"""Every text that a person sees is a literal where it is used, and has its Chinese translation."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from string import Formatter

from jinja2 import Environment
from jinja2.nodes import Call, Const, Name

from eyebright.text.language import translate

from .syntax import PACKAGE, called, files, nodes, where

CATALOGUE: dict[str, str] = json.loads((PACKAGE / "text" / "locale" / "zh.json").read_text(encoding="utf-8"))

# What takes a text, and where in the call it stands: by place, or by name.
TAKES_TEXT: dict[str, tuple[int | None, str | None]] = {
    "translate": (0, None),
    "english": (0, None),
    "say": (0, None),
    "progress_task": (0, None),
    "Skipped": (1, "reason"),
    "Reason": (0, "template"),
    "QuantisationCandidate": (0, "summary"),
    "Field": (None, "description"),
    "Verb": (None, "summary"),
    "Heading": (0, None),
}
TEMPLATE_KINDS = {".html", ".svg", ".md"}
VERB_NOTES = (None, "notes")
# Attributes that hold a text which stands as a literal elsewhere, where the checks below see it.
HANDED_ON = {"template", "reason", "summary", "notes", "description", "heading"}
EXEMPT = (
    "eyebright/errors.py:",
    "eyebright/runtime/context.py:",
    "eyebright/exporting/certificate/certificate.py:",
)  # where templates are kept


def _error_classes() -> set[str]:
    """Names of the classes that derive from EyebrightError and take a text, as it does."""
    classes = [n for p in files() for n in nodes(p) if isinstance(n, ast.ClassDef)]
    known = {"EyebrightError"}
    while more := {c.name for c in classes if {ast.unparse(b) for b in c.bases} & known} - known:
        known |= more
    return known - {c.name for c in classes if _has_own_init(c) and c.name != "EyebrightError"}


def _has_own_init(node: ast.ClassDef) -> bool:
    return any(isinstance(n, ast.FunctionDef) and n.name == "__init__" for n in node.body)


ERRORS = _error_classes()


def _arguments(node: ast.Call) -> Iterator[ast.expr]:
    """The arguments of a call that are texts for a person."""
    name = called(node)
    if name == "say" and isinstance(node.func, ast.Attribute):
        return  # `progress().say(text)` shows what was translated before
    takers = [TAKES_TEXT[name]] if name in TAKES_TEXT else [(0, None)] if name in ERRORS else []
    if name == "Verb":
        takers.append(VERB_NOTES)
    if ast.unparse(node.func) == "super().__init__" and node.args and isinstance(node.args[0], ast.Constant):
        takers.append((0, None))  # an error that makes its own text
    for place, keyword in takers:
        if place is not None and len(node.args) > place:
            yield node.args[place]
        yield from (k.value for k in node.keywords if keyword and k.arg == keyword)


@cache
def _named(path: Path) -> dict[str, set[str]]:
    """Texts that a module gives a name before it uses them: every literal that the name ever stands for."""
    named: dict[str, set[str]] = {}
    for node in nodes(path):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            texts = {text for text in _literals(node.value, {}) if text}
            named.setdefault(node.targets[0].id, set()).update(texts)
    return {name: texts for name, texts in named.items() if texts}


def _literals(argument: ast.expr, named: dict[str, set[str]]) -> Iterator[str | None]:
    """The literals that ``argument`` may be; None for what is none."""
    match argument:
        case ast.Constant(value=str(text)):
            yield text
        case ast.IfExp(body=first, orelse=second):
            yield from _literals(first, named)
            yield from _literals(second, named)
        case ast.Name(id=name) if name in named:
            yield from named[name]
        case ast.Attribute(attr=name) if name in HANDED_ON:
            return
        case _:
            yield None


def _texts() -> Iterator[tuple[str, str | None]]:
    """Place and text of everything that a person may see."""
    for path in files():
        for node in nodes(path):
            if isinstance(node, ast.Call):
                for argument in _arguments(node):
                    yield from ((where(path, node), text) for text in _literals(argument, _named(path)))


def _template_texts() -> Iterator[tuple[str, str | None]]:
    """Place and text of every call of ``_`` in a template."""
    for path in sorted(p for p in PACKAGE.rglob("*") if p.suffix in TEMPLATE_KINDS):
        for call in Environment().parse(path.read_text(encoding="utf-8")).find_all(Call):
            if isinstance(call.node, Name) and call.node.name == "_":
                place = f"{path.relative_to(PACKAGE.parent)}:{call.lineno}"
                yield place, call.args[0].value if isinstance(call.args[0], Const) else None


TEXTS = [*_texts(), *_template_texts()]
TEMPLATES = {text for _, text in TEXTS if text}


def _placeholders(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name is not None}


def test_texts_are_literals():
    assert [place for place, text in TEXTS if text is None and not place.startswith(EXEMPT)] == []


def test_every_text_is_translated():
    assert sorted(TEMPLATES - set(CATALOGUE)) == []


def test_no_translation_is_unused():
    assert sorted(set(CATALOGUE) - TEMPLATES) == []


def test_translations_keep_the_placeholders():
    changed = [text for text in CATALOGUE if _placeholders(CATALOGUE[text]) != _placeholders(text)]
    assert changed == []


def test_only_english_tells_one_from_many():
    """``{count:image|images}`` has one bar and two nouns; Chinese has one form and no format expressions."""
    english = {spec for text in TEMPLATES for _, _, spec, _ in Formatter().parse(text) if spec}
    assert [spec for spec in english if not all(spec.split("|")) or spec.count("|") != 1] == []
    assert [
        text for text in CATALOGUE.values() if any(spec for _, _, spec, _ in Formatter().parse(text))
    ] == []


def test_placeholders_are_plain_names():
    """A format expression such as ``{x.y}`` or ``{x!r}`` would not survive translation by a person."""
    names = {name for template in TEMPLATES for name in _placeholders(template)}
    assert [name for name in names if not name.isidentifier()] == []


def test_braces_in_a_value_are_not_read():
    assert translate("Got {text}.", text="{0.__class__}") == "Got {0.__class__}."
