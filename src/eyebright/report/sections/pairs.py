"""The classes that are confused most, side by side: what was predicted as what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from eyebright.report.content import ReportContent
from eyebright.report.document import Section
from eyebright.report.sections.gallery import PicturedPrediction, pictured
from eyebright.report.templating import render
from eyebright.text.format import number
from eyebright.text.language import translate

_PAIRS = 3
_IMAGES = 4
_PX = 160
# One image is no habit.
_FEWEST = 2


@dataclass(frozen=True)
class PairSide:
    """Images of one class of a pair, with what they show."""

    title: str
    images: Sequence[PicturedPrediction]


@dataclass(frozen=True)
class ConfusedClasses:
    """Two classes that are confused ``count`` times."""

    first: str
    second: str
    count: int
    sides: tuple[PairSide, PairSide]


def pairs(content: ReportContent) -> Section | None:
    """Return images of the most confused pairs of classes; None where no pair is confused twice."""
    wrong = Counter(
        (min(r.label, r.predicted), max(r.label, r.predicted))
        for r in content.evaluated
        if r.label != r.predicted
    )
    worst = sorted((p for p in wrong if wrong[p] >= _FEWEST), key=lambda p: (-wrong[p], p))[:_PAIRS]
    if not worst:
        return None
    shown = [
        ConfusedClasses(a, b, wrong[a, b], (_side(content, a, b), _side(content, b, a))) for a, b in worst
    ]
    return Section("pairs", translate("Side by side"), render("sections/pairs.html", pairs=shown))


def _side(content: ReportContent, label: str, other: str) -> PairSide:
    """Return images of a class predicted as the other; where there are none, correct predictions."""
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
    else:
        title = translate("{label}, predicted correctly (never as {predicted})", label=label, predicted=other)
    found = taken or [r for r in rows if r.predicted == label]
    surest = sorted(found, key=lambda r: (-r.confidence, r.path))[:_IMAGES]
    return PairSide(title, pictured(content, surest, _PX))
