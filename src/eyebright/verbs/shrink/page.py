"""The page of a search for a smaller model: what each candidate costs, and how good it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from eyebright.report.charts.axis import linear_axis
from eyebright.report.charts.scatter import Dot, scatter_chart
from eyebright.report.document import Section, document
from eyebright.report.templating import render
from eyebright.runtime.atomic import write_text
from eyebright.text.format import percent
from eyebright.text.language import translate
from eyebright.verbs.shrink.candidate import CandidateFigures


@dataclass(frozen=True)
class CostChart:
    """Accuracy against one cost: its name, and the drawing."""

    title: str
    drawing: Markup


def write_pareto(
    path: Path,
    title: str,
    candidates: Sequence[CandidateFigures],
    limits: Mapping[str, float],
    sentences: Sequence[str],
) -> None:
    """Write the page to ``path``, whole or not at all.

    Args:
        path: where to.
        title: plain text.
        candidates: in the order in which they were tried.
        limits: the most of "latency" in ms and of "size" in bytes, where there are targets.
        sentences: the verdict, in the page's language.

    Raises:
        StorageError: the disk is full or must not be written.
    """
    head = render("verdict.html", sentences=sentences)
    table = render("shrink/candidates.html", candidates=candidates)
    sections = [_charts(candidates, limits), Section("tried", translate("All candidates"), table)]
    write_text(path, document(title, head, sections))


def _charts(candidates: Sequence[CandidateFigures], limits: Mapping[str, float]) -> Section:
    most_bytes = limits.get("size")
    charts = [
        _chart(
            candidates,
            lambda c: c.latency_ms,
            translate("Latency (ms per image, one thread)"),
            limits.get("latency"),
        ),
        _chart(
            candidates,
            lambda c: c.size_bytes / 1e6,
            translate("Size (MB)"),
            None if most_bytes is None else most_bytes / 1e6,
        ),
    ]
    int8 = any(c.precision == "int8" for c in candidates)
    body = render("shrink/charts.html", charts=charts, int8=int8)
    return Section("pareto", translate("Accuracy against latency and size"), body)


def _chart(
    candidates: Sequence[CandidateFigures],
    cost: Callable[[CandidateFigures], float],
    title: str,
    most: float | None,
) -> CostChart:
    dots = [
        Dot(
            f"{c.name}: {percent(c.accuracy.value)}",
            cost(c),
            100 * c.accuracy.value,
            c.precision == "int8",
            c.selected,
        )
        for c in candidates
    ]
    costs = [dot.x for dot in dots]
    x = linear_axis([*costs, *([] if most is None else [most])], lambda v: f"{v:g}", zero=True)
    y = linear_axis([dot.y for dot in dots], lambda v: f"{v:g} %")
    limit = None if most is None else (most, translate("target"))
    return CostChart(title, scatter_chart(dots, _front(dots), x, y, title, limit))


def _front(dots: Sequence[Dot]) -> list[Dot]:
    """Return, from the cheapest on, each dot that is better than all cheaper ones."""
    front: list[Dot] = []
    for dot in sorted(dots, key=lambda d: (d.x, -d.y)):
        if not front or dot.y > front[-1].y:
            front.append(dot)
    return front
