"""How the network learned: curves over the epochs, the search of the learning rate, augmented images."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Sequence

from eyebright.report.charts.axis import linear_axis, rate_axis
from eyebright.report.charts.curve import Line, curve_chart
from eyebright.report.content import RateSearch, ReportContent, TrainingCurves
from eyebright.report.markup import Section, decimal, details, number, paragraph, percent, table, text
from eyebright.text.language import language, translate
from eyebright.training.finetune.history import EpochRow


def learning(content: ReportContent) -> Section | None:
    """The curves, the numbers behind them, and what the network saw."""
    told = content.training_curves
    if told is None:
        return None
    body = (
        _words(told)
        + _curves(told)
        + _numbers(told.history)
        + (_search(told.search) if told.search else "")
        + (_samples(told.samples) if told.samples else "")
    )
    return Section("learning", translate("Training curves"), body)


def _words(told: TrainingCurves) -> str:
    sentences = [told.stopped_because] if told.stopped_because else []
    if told.best is not None:
        sentences.append(translate("The weights of epoch {epoch} were kept.", epoch=told.best))
    if told.waited is not None:
        share = percent(told.waited)
        sentences.append(translate("The device waited for images {share} of the time.", share=share))
    joined = ("" if language() == "zh" else " ").join(sentences)
    return (paragraph(joined) if joined else "") + "".join(paragraph(note) for note in told.notes)


def _curves(told: TrainingCurves) -> str:
    rows, best = told.history, told.best
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
    return f'<div class="curves">{"".join(charts)}</div>' if any(charts) else ""


def _chart(
    title: str,
    lines: Sequence[Line],
    written: Callable[[float], str],
    mark: tuple[float, str] | None = None,
    *,
    zero: bool = False,
) -> str:
    """One small chart with its title and legend; nothing where there is no figure."""
    seen = [y for line in lines for _, y in line.points if math.isfinite(y)]
    if not seen:
        return ""
    epochs = linear_axis([x for x, _ in lines[0].points], lambda v: f"{v:.0f}", whole=True)
    figures = linear_axis(seen, written, zero=zero)
    drawing = curve_chart(lines, epochs, figures, f"{title}: {_ends(lines, written)}", mark)
    names = "".join(
        f'<span class="{"second" if i else "first"}">{text(line.name)}</span>' for i, line in enumerate(lines)
    )
    legend = f'<p class="legend">{names}</p>' if len(lines) > 1 else ""
    return f"<figure><h3>{text(title)}</h3>{legend}{drawing}</figure>"


def _ends(lines: Sequence[Line], written: Callable[[float], str]) -> str:
    """The first and last figure of each line, in words."""
    told = []
    for line in lines:
        seen = [y for _, y in line.points if math.isfinite(y)]
        if seen:
            told.append(f"{line.name} {written(seen[0])} → {written(seen[-1])}".strip())
    return ", ".join(told)


def _numbers(rows: Sequence[EpochRow]) -> str:
    if not rows:
        return ""
    head = [
        text(translate("Epoch")),
        text(translate("Loss")),
        text(translate("Holdout loss")),
        text(translate("Holdout accuracy")),
        text(translate("Learning rate")),
        text(translate("Images per second")),
        text(translate("Memory")),
    ]
    lines = [
        [
            number(row.epoch),
            _told(row.train_loss, decimal),
            _told(row.val_loss, decimal),
            _told(row.val_accuracy, lambda v: percent(v)),
            _told(row.learning_rate, _rate),
            _told(row.images_per_second, lambda v: f"{v:,.1f}"),
            _told(row.memory_mb / 1e3, lambda v: f"{v:.2f} GB"),
        ]
        for row in rows
    ]
    return details(translate("Values of the curves"), table(translate("Metrics by epoch"), head, lines))


def _search(search: RateSearch) -> str:
    """Loss against learning rate; what explodes at the end is cut off so that the dip can be seen."""
    sane = [loss for loss in search.losses if math.isfinite(loss)]
    if not sane:
        return ""
    top = max(sane[0], min(sane)) * 1.3
    losses = linear_axis([min(max(loss, 0.0), top) for loss in sane], lambda v: f"{v:.3g}")
    drawing = curve_chart(
        [Line("", list(zip(search.rates, search.losses, strict=True)))],
        rate_axis(search.rates, _rate),
        losses,
        translate("Loss by learning rate; suggested rate: {rate}", rate=_rate(search.proposed)),
        (search.proposed, _rate(search.proposed)),
    )
    words = translate(
        "The learning rate was raised from {low} to {high} over a short test run. The selected rate "
        "is {rate}, a tenth of the highest rate at which the loss is still about as low as its "
        "minimum.",
        low=_rate(min(search.rates)),
        high=_rate(max(search.rates)),
        rate=_rate(search.proposed),
    )
    title = translate("Learning-rate range test")
    return f'<figure class="single"><h3>{text(title)}</h3>{paragraph(words)}{drawing}</figure>'


def _samples(png: bytes) -> str:
    title = translate("Augmentation preview: training images as the model sees them")
    source = "data:image/png;base64," + base64.b64encode(png).decode("ascii")
    picture = f'<img class="samples" src="{source}" alt="{text(title)}">'
    return f'<figure class="single"><h3>{text(title)}</h3>{picture}</figure>'


def _told(value: float, written: Callable[[float], str]) -> str:
    return text(written(value)) if math.isfinite(value) else "–"


def _rate(value: float) -> str:
    """A learning rate, short: 0.001, 3e-5."""
    return f"{value:.2g}".replace("e-0", "e-")
