"""The verdict in plain words on top of the page, each sentence with a link to the figures behind it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from eyebright.report.content import ReportContent
from eyebright.report.markup import text
from eyebright.report.summary.assessment import Statement, judgement
from eyebright.text.language import translate


def verdict_lists(content: ReportContent, anchors: Collection[str]) -> str:
    """Three lists: what to trust the model with, what not, and what to do next.

    Args:
        content: of the page.
        anchors: of the sections that the page has; a sentence whose evidence is not among them has no link.
    """
    said = judgement(content)
    lists = (
        ("trust", translate("What you can rely on"), said.trust),
        ("doubt", translate("What you cannot rely on"), said.doubt),
        ("steps", translate("Best next steps"), said.steps),
    )
    return f'<div class="judgement">{"".join(_list(*each, anchors) for each in lists if each[2])}</div>'


def _list(style: str, title: str, statements: Sequence[Statement], anchors: Collection[str]) -> str:
    tag = "ol" if style == "steps" else "ul"
    items = "".join(_item(statement, anchors) for statement in statements)
    return f'<div class="{style}"><h2>{text(title)}</h2><{tag}>{items}</{tag}></div>'


def _item(statement: Statement, anchors: Collection[str]) -> str:
    link = ""
    if statement.evidence in anchors:
        link = f' <a href="#{statement.evidence}">{text(translate("evidence"))}</a>'
    return f"<li>{text(statement.sentence)}{link}</li>"
