"""The verdict in plain words on top of the page, each sentence with a link to the figures behind it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from eyebright.report.content import ReportContent
from eyebright.report.markup import text
from eyebright.report.summary.assessment import Statement, judgement
from eyebright.text.language import translate
from eyebright.types import Lang


def verdict_lists(content: ReportContent, anchors: Collection[str], lang: Lang) -> str:
    """Three lists: what to trust the model with, what not, and what to do next.

    Args:
        content: of the page.
        anchors: of the sections that the page has; a sentence whose evidence is not among them has no link.
        lang: of the page.
    """
    said = judgement(content, lang)
    lists = (
        ("trust", translate("You can trust it with", lang), said.trust),
        ("doubt", translate("Do not trust it with", lang), said.doubt),
        ("steps", translate("What would help most", lang), said.steps),
    )
    return f'<div class="judgement">{"".join(_list(*each, anchors, lang) for each in lists if each[2])}</div>'


def _list(
    style: str, title: str, statements: Sequence[Statement], anchors: Collection[str], lang: Lang
) -> str:
    tag = "ol" if style == "steps" else "ul"
    items = "".join(_item(statement, anchors, lang) for statement in statements)
    return f'<div class="{style}"><h2>{text(title)}</h2><{tag}>{items}</{tag}></div>'


def _item(statement: Statement, anchors: Collection[str], lang: Lang) -> str:
    link = ""
    if statement.evidence in anchors:
        link = f' <a href="#{statement.evidence}">{text(translate("figures", lang))}</a>'
    return f"<li>{text(statement.sentence)}{link}</li>"
