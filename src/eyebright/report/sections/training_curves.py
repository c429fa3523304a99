"""How the network learned: curves over the epochs, the learning-rate range test, augmented images."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from eyebright.report.charts.axis import linear_axis, rate_axis
from eyebright.report.charts.curve import Line, curve_chart
from eyebright.report.content import RateSearch, ReportContent, TrainingCurves
from eyebright.report.document import Section
from eyebright.report.templating import render
from eyebright.text.format import decimal, number, paragraph_of, percent
from eyebright.text.language import translate
from eyebright.training.finetune.history import EpochRow


@dataclass(frozen=True)
class TrainingChart:
    """A small chart with its title, and the names of its lines where there is more than one."""

    title: str
    chart: Markup
    legend: Sequence[str]


@dataclass(frozen=True)
class RangeTest:
    """A learning-rate range test: its limits and the suggested rate in words, and its chart."""

    low: str
    high: str
    rate: str
    chart: Markup


def training_curves(content: ReportContent) -> Section | None:
    """Return the curves, the values behind them, and what the network saw."""
    curves = content.training_curves
    if curves is None:
        return None
    body = render(
        "sections/training_curves.html",
        sentences=_sentences(curves),
        charts=_charts(curves),
        rows=[_values(row) for row in curves.history],
        search=None if curves.search is None else _range_test(curves.search),
        samples=base64.b64encode(curves.samples).decode("ascii"),
    )
    return Section("learning", translate("Training curves"), body)


def _sentences(curves: TrainingCurves) -> list[str]:
    sentences = [curves.stopped_because] if curves.stopped_because else []
    if curves.best is not None:
        sentences.append(translate("The weights of epoch {epoch} were kept.", epoch=curves.best))
    if curves.waited is not None:
        share = percent(curves.waited)
        sentences.append(translate("The device waited for images {share} of the time.", share=share))
    joined = paragraph_of(*sentences)
    return [joined, *curves.notes] if joined else list(curves.notes)


def _charts(curves: TrainingCurves) -> list[TrainingChart]:
    rows, best = curves.history, curves.best
    train, held = translate("training"), translate("holdout")
    losses = [
        Line(train, [(r.epoch, r.train_loss) for r in rows]),
        Line(held, [(r.epoch, r.val_loss) for r in rows]),
    ]
    accuracies = [Line(held, [(r.epoch, r.val_accuracy) for r in rows])]
    rates = [Line("", [(r.epoch, r.learning_rate) for r in rows])]
    speeds = [Line("", [(r.epoch, r.images_per_second) for r in rows])]
    memory = [Line("", [(r.epoch, r.memory_mb / 1e3) for r in rows])]
    kept = None if best is None else (float(best), translate("kept"))
    charts = [
        _chart(translate("Loss"), losses, lambda v: f"{v:.3g}", kept),
        _chart(translate("Holdout accuracy"), accuracies, lambda v: f"{100 * v:.4g}\u00a0%", kept),
        _chart(translate("Learning rate"), rates, _rate, zero=True),
        _chart(translate("Images per second"), speeds, lambda v: f"{v:,.4g}", zero=True),
        _chart(translate("Memory"), memory, lambda v: f"{v:.3g} GB", zero=True),
    ]
    return [chart for chart in charts if chart is not None]


def _chart(
    title: str,
    lines: Sequence[Line],
    written: Callable[[float], str],
    mark: tuple[float, str] | None = None,
    *,
    zero: bool = False,
) -> TrainingChart | None:
    """Return one small chart; None where there is no finite value."""
    seen = [y for line in lines for _, y in line.points if math.isfinite(y)]
    if not seen:
        return None
    epochs = linear_axis([x for x, _ in lines[0].points], lambda v: f"{v:.0f}", whole=True)
    values = linear_axis(seen, written, zero=zero)
    drawing = curve_chart(lines, epochs, values, f"{title}: {_ends(lines, written)}", mark)
    return TrainingChart(title, drawing, [line.name for line in lines])


def _ends(lines: Sequence[Line], written: Callable[[float], str]) -> str:
    """Return the first and last value of each line, in words."""
    described = []
    for line in lines:
        seen = [y for _, y in line.points if math.isfinite(y)]
        if seen:
            described.append(f"{line.name} {written(seen[0])} → {written(seen[-1])}".strip())
    return ", ".join(described)


def _values(row: EpochRow) -> list[str]:
    """Return the metrics of an epoch in words."""
    return [
        number(row.epoch),
        decimal(row.train_loss),
        decimal(row.val_loss),
        percent(row.val_accuracy),
        _finite(row.learning_rate, _rate),
        _finite(row.images_per_second, lambda v: f"{v:,.1f}"),
        _finite(row.memory_mb / 1e3, lambda v: f"{v:.2f} GB"),
    ]


def _range_test(search: RateSearch) -> RangeTest | None:
    """Return loss by learning rate; what explodes at the end is cut off so that the dip can be seen."""
    sane = [loss for loss in search.losses if math.isfinite(loss)]
    if not sane:
        return None
    top = max(sane[0], min(sane)) * 1.3
    losses = linear_axis([min(max(loss, 0.0), top) for loss in sane], lambda v: f"{v:.3g}")
    rate = _rate(search.proposed)
    chart = curve_chart(
        [Line("", list(zip(search.rates, search.losses, strict=True)))],
        rate_axis(search.rates, _rate),
        losses,
        translate("Loss by learning rate; suggested rate: {rate}", rate=rate),
        (search.proposed, rate),
    )
    return RangeTest(_rate(min(search.rates)), _rate(max(search.rates)), rate, chart)


def _finite(value: float, written: Callable[[float], str]) -> str:
    return written(value) if math.isfinite(value) else "–"


def _rate(value: float) -> str:
    """Return a learning rate, short: 0.001, 3e-5."""
    return f"{value:.2g}".replace("e-0", "e-")
