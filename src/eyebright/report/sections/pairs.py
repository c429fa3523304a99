"""The classes that are confused most, side by side: what was taken for what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from eyebright.evaluation.multiclass.results import PredictionRow
from eyebright.report.content import ReportContent
from eyebright.report.markup import Section, number, paragraph, percent, text
from eyebright.report.thumbnails import thumbnails
from eyebright.text.language import translate

_PAIRS = 3
_IMAGES = 4
_PX = 160
# One image is no habit.
_FEWEST = 2


def pairs(content: ReportContent) -> Section | None:
    """Images of the most confused pairs of classes; None where no pair is confused twice."""
    wrong = Counter(
        (min(r.label, r.predicted), max(r.label, r.predicted))
        for r in content.evaluated
        if r.label != r.predicted
    )
    worst = sorted((p for p in wrong if wrong[p] >= _FEWEST), key=lambda p: (-wrong[p], p))[:_PAIRS]
    if not worst:
        return None
    body = "".join(
        f"<h3>{text(_title(first, second, wrong[first, second]))}</h3>"
        f'<ul class="examples pair">{_side(content, first, second)}'
        f"{_side(content, second, first)}</ul>"
        for first, second in worst
    )
    intro = translate("The most frequently confused pairs of classes, most confident mistakes first.")
    return Section("pairs", translate("Side by side"), paragraph(intro) + body)


def _title(first: str, second: str, count: int) -> str:
    return translate(
        "{first} and {second}: {count:confusion|confusions}", first=first, second=second, count=number(count)
    )


def _side(content: ReportContent, label: str, other: str) -> str:
    """Images of a class that were taken for the other; where there are none, some that were named right."""
    rows = [r for r in content.evaluated if r.label == label]
    taken = [r for r in rows if r.predicted == other]
    if taken:
        title = translate(
            "{label}, predicted as {predicted} ({count} of {support})",
            label=label,
            predicted=other,
            count=number(len(taken)),
            support=number(len(rows)),
        )
        return _strip(content, title, taken)
    right = [r for r in rows if r.predicted == label]
    title = translate("{label}, predicted correctly (never as {predicted})", label=label, predicted=other)
    return _strip(content, title, right)


def _strip(content: ReportContent, title: str, rows: Sequence[PredictionRow]) -> str:
    shown = sorted(rows, key=lambda r: (-r.confidence, r.path))[:_IMAGES]
    pictures = thumbnails(content.manifest.root, [r.path for r in shown], _PX)
    items = "".join(
        f"<li><figure>{picture.html(translate('{label}: {path}', label=row.label, path=row.path))}"
        f"<figcaption>{text(percent(row.confidence, 0))}</figcaption></figure></li>"
        for row, picture in zip(shown, pictures, strict=True)
    )
    return f'<li><h4>{text(title)}</h4><ul class="strip">{items}</ul></li>'
