"""OOD scores of known and of OOD images: two outlines over one axis, and the threshold between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from eyebright.evaluation.uncertainty.results import Uncertainty
from eyebright.report.charts.axis import Axis, linear_axis
from eyebright.report.charts.curve import Line, curve_chart
from eyebright.report.charts.drawing import draw
from eyebright.text.format import percent
from eyebright.text.language import translate
from eyebright.types import FloatArray

_BINS = 30
_WIDEST = 3.0  # times from the lowest score to the threshold; what lies beyond is counted in the last bin


@dataclass(frozen=True)
class OodChart:
    """The histogram of OOD scores with its title and legend.

    Attributes:
        title: plain text.
        legend: the names of the lines.
        curves: the drawing.
        beyond: the highest score, in words, if it lies beyond the last bin.
    """

    title: str
    legend: Sequence[str]
    curves: Markup
    beyond: str


def ood_chart(knowing: Uncertainty) -> Markup | None:
    """Return the chart; None where there are no scores or no threshold."""
    if knowing.own is None or knowing.rule is None:
        return None
    threshold = knowing.rule.threshold
    ood = None if knowing.ood is None else knowing.ood.scores
    edges = _edges(knowing.own, ood, threshold)
    lines = [Line(translate("in-distribution images"), _outline(knowing.own, edges))]
    if ood is not None:
        lines.append(Line(translate("OOD images"), _outline(ood, edges)))
    title = translate("OOD scores of the images")
    low, high = float(edges[0]), float(edges[-1])
    shares = linear_axis([y for line in lines for _, y in line.points], lambda v: percent(v, 0), zero=True)
    # The axis ends where the bins do.
    rounded = linear_axis([low, high], lambda v: f"{v:g}")
    scores = Axis(low, high, rounded.ticks, rounded.written)
    curves = curve_chart(lines, scores, shares, title, (threshold, translate("threshold")))
    beyond = f"{ood.max():.0f}" if ood is not None and ood.max() > edges[-1] else ""
    return draw("ood.html", OodChart(title, [line.name for line in lines], curves, beyond))


def _edges(own: FloatArray, ood: FloatArray | None, threshold: float) -> FloatArray:
    everything = own if ood is None else np.concatenate([own, ood])
    low = float(everything.min())
    high = min(float(everything.max()), low + _WIDEST * max(threshold - low, 1e-6))
    highest = max(high, threshold + 0.05 * abs(threshold - low) + 1e-6)
    return np.linspace(low, highest, _BINS + 1, dtype=np.float32)


def _outline(scores: FloatArray, edges: FloatArray) -> list[tuple[float, float]]:
    """Return the share of images in each bin, as steps; scores beyond the last edge count in the last bin."""
    counts, _ = np.histogram(np.clip(scores, edges[0], edges[-1]), edges)
    shares = counts / len(scores)
    corners = [(float(edges[0]), 0.0)]
    for left, right, share in zip(edges[:-1], edges[1:], shares, strict=True):
        corners += [(float(left), float(share)), (float(right), float(share))]
    return [*corners, (float(edges[-1]), 0.0)]
