"""How strange own and foreign images are: two outlines over one axis, and the limit between them."""

from __future__ import annotations

import numpy as np

from eyebright.evaluation.uncertainty.results import Uncertainty
from eyebright.report.charts.curve import Axis, Line, curve_chart, linear_axis
from eyebright.report.markup import percent, text
from eyebright.text.language import translate
from eyebright.types import FloatArray

_BINS = 30
_WIDEST = 3.0  # times from the lowest score to the limit; what lies beyond stands in the last bin


def strangeness_chart(knowing: Uncertainty) -> str:
    """The drawing with its legend; nothing where there are no scores or no limit."""
    if knowing.own is None or knowing.rule is None:
        return ""
    limit = knowing.rule.threshold
    foreign = None if knowing.ood is None else knowing.ood.scores
    edges = _edges(knowing.own, foreign, limit)
    own_name = translate("in-distribution images")
    lines = [Line(own_name, _outline(knowing.own, edges))]
    if foreign is not None:
        lines.append(Line(translate("OOD images"), _outline(foreign, edges)))
    title = translate("OOD scores of the images")
    shares = linear_axis([y for line in lines for _, y in line.points], lambda v: percent(v, 0), zero=True)
    scores = linear_axis([float(edges[0]), float(edges[-1])], lambda v: f"{v:g}")
    scores = Axis(float(edges[0]), float(edges[-1]), scores.ticks, scores.written)
    drawing = curve_chart(lines, scores, shares, title, (limit, translate("threshold")))
    names = "".join(
        f'<span class="{"second" if i else "first"}">{text(line.name)}</span>' for i, line in enumerate(lines)
    )
    beyond = ""
    if foreign is not None and foreign.max() > edges[-1]:
        note = translate(
            "Images with higher OOD scores, up to {score}, are counted in the last bin.",
            score=f"{foreign.max():.0f}",
        )
        beyond = f"<small>{text(note)}</small>"
    return f'<figure><h3>{text(title)}</h3><p class="legend">{names}</p>{drawing}{beyond}</figure>'


def _edges(own: FloatArray, foreign: FloatArray | None, limit: float) -> FloatArray:
    everything = own if foreign is None else np.concatenate([own, foreign])
    low = float(everything.min())
    high = min(float(everything.max()), low + _WIDEST * max(limit - low, 1e-6))
    return np.linspace(low, max(high, limit + 0.05 * abs(limit - low) + 1e-6), _BINS + 1, dtype=np.float32)


def _outline(scores: FloatArray, edges: FloatArray) -> list[tuple[float, float]]:
    """The share of images in each bin, as steps; what lies beyond the last edge counts in the last bin."""
    counts, _ = np.histogram(np.clip(scores, edges[0], edges[-1]), edges)
    shares = counts / len(scores)
    corners = [(float(edges[0]), 0.0)]
    for left, right, share in zip(edges[:-1], edges[1:], shares, strict=True):
        corners += [(float(left), float(share)), (float(right), float(share))]
    return [*corners, (float(edges[-1]), 0.0)]
