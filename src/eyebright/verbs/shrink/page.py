"""The page of a search for a smaller model: what each candidate costs, and how good it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eyebright.report.charts.axis import linear_axis
from eyebright.report.charts.scatter import Dot, scatter_chart
from eyebright.report.markup import Section, name, number, paragraph, percent, percent_range, table, text
from eyebright.report.page import document
from eyebright.runtime.atomic import write_text
from eyebright.text.language import translate
from eyebright.types import Interval


@dataclass(frozen=True)
class CandidateFigures:
    """A model that was tried.

    Attributes:
        name: how it was made.
        precision: "fp32", "fp16" or "int8".
        accuracy: on validation images.
        latency_ms: of one image with one thread.
        size_bytes: of the sealed file.
        meets: whether it keeps to every target.
        best: whether no other is at least as good in everything and better in something.
        chosen: whether it is handed out.
        images: how many validation images it was judged on.
    """

    name: str
    precision: str
    accuracy: Interval
    latency_ms: float
    size_bytes: int
    meets: bool
    best: bool
    chosen: bool
    images: int

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> CandidateFigures:
        """From a candidate of `pareto.json`."""
        names = ("name", "precision", "latency_ms", "size_bytes", "meets", "best", "selected", "images")
        return cls(accuracy=Interval(**row["accuracy"]), **{name: row[name] for name in names})


def write_pareto(
    path: Path,
    title: str,
    candidates: Sequence[CandidateFigures],
    limits: Mapping[str, float],
    sentences: Sequence[str],
) -> None:
    """Writes the page to ``path``, whole or not at all.

    Args:
        path: where to.
        title: plain text.
        candidates: in the order in which they were tried.
        limits: the most of "latency" in ms and of "size" in bytes, where there are targets.
        sentences: the verdict, in the page's language.

    Raises:
        StorageError: the disk is full or must not be written.
    """
    head = "".join(paragraph(sentence, "verdict") for sentence in sentences)
    sections = [_pictures(candidates, limits), _table(candidates)]
    write_text(path, document(title, head, sections))


def _pictures(candidates: Sequence[CandidateFigures], limits: Mapping[str, float]) -> Section:
    title = translate("Accuracy against latency and size")
    intro = translate(
        "Each dot is a sealed model that was made and measured on this machine. The dashed line is "
        "the Pareto front; the ring marks the selected model."
    )
    legend = (
        '<p class="legend"><span class="first">fp32</span><span class="second">int8</span></p>'
        if any(c.precision == "int8" for c in candidates)
        else ""
    )
    most = {"latency": limits.get("latency"), "size": _megabytes(limits.get("size"))}
    figures = [
        _picture(
            candidates,
            lambda c: c.latency_ms,
            translate("Latency (ms per image, one thread)"),
            most["latency"],
        ),
        _picture(candidates, lambda c: c.size_bytes / 1e6, translate("Size (MB)"), most["size"]),
    ]
    body = f'{paragraph(intro)}{legend}<div class="curves">{"".join(figures)}</div>'
    return Section("pareto", title, body)


def _megabytes(most: float | None) -> float | None:
    return None if most is None else most / 1e6


def _picture(
    candidates: Sequence[CandidateFigures],
    cost: Callable[[CandidateFigures], float],
    title: str,
    most: float | None,
) -> str:
    dots = [
        Dot(
            f"{c.name}: {percent(c.accuracy.value)}",
            cost(c),
            100 * c.accuracy.value,
            c.precision == "int8",
            c.chosen,
        )
        for c in candidates
    ]
    costs = [dot.x for dot in dots]
    x = linear_axis([*costs, *([] if most is None else [most])], lambda v: f"{v:g}", zero=True)
    y = linear_axis([dot.y for dot in dots], lambda v: f"{v:g} %")
    limit = None if most is None else (most, translate("target"))
    drawing = scatter_chart(dots, _front(dots), x, y, title, limit)
    return f"<figure><h3>{text(title)}</h3>{drawing}</figure>"


def _front(dots: Sequence[Dot]) -> list[Dot]:
    """From the cheapest on, each that is better than all cheaper ones."""
    front: list[Dot] = []
    for dot in sorted(dots, key=lambda d: (d.x, -d.y)):
        if not front or dot.y > front[-1].y:
            front.append(dot)
    return front


def _table(candidates: Sequence[CandidateFigures]) -> Section:
    title = translate("All candidates")
    intro = translate(
        "Accuracy of the sealed file on {count:validation image|validation images}. Selecting the "
        "best of many candidates makes its accuracy slightly optimistic. If there is a test split, "
        "report.html shows the metrics of the selected model on test images, which played no part in "
        "the selection.",
        count=number(candidates[0].images),
    )
    head = [
        text(translate("Candidate")),
        text(translate("Accuracy")),
        "ms",
        "MB",
        text(translate("Meets the targets")),
    ]
    rows = [
        [
            f"{name(c.name)}{_mark(c)}",
            f"<b>{percent(c.accuracy.value)}</b> <small>{percent_range(c.accuracy)}</small>",
            f"{c.latency_ms:.1f}",
            f"{c.size_bytes / 1e6:.2f}",
            text(translate("yes") if c.meets else translate("no")),
        ]
        for c in candidates
    ]
    return Section("tried", title, paragraph(intro) + table(title, head, rows, "trials"))


def _mark(candidate: CandidateFigures) -> str:
    if candidate.chosen:
        return f' <span class="mark">✓ {text(translate("selected"))}</span>'
    return f" <small>{text(translate('Pareto-optimal'))}</small>" if candidate.best else ""
