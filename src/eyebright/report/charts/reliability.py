"""The reliability diagram: how often the model was right against how sure it was, and how many images."""

from __future__ import annotations

from collections.abc import Sequence

from eyebright.evaluation.multiclass.results import ReliabilityBin
from eyebright.report.markup import fraction, number, percent, text
from eyebright.text.language import translate

_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 350, 10, 290
_COUNTS_TOP, _COUNTS_BOTTOM = 318, 372
# A share of fewer images than this is drawn faintly.
_FEW = 10


def reliability_diagram(bins: Sequence[ReliabilityBin]) -> str:
    """Bars of accuracy by confidence with the diagonal of perfect calibration; counts below."""
    description = translate("Reliability diagram: accuracy by confidence")
    return (
        f'<svg class="reliability" viewBox="0 0 360 420" role="img" aria-label="{text(description)}">'
        + _grid()
        + "".join(_accuracy_bar(b) for b in bins)
        + f'<line class="ideal" x1="{_LEFT}" y1="{_BOTTOM}" x2="{_RIGHT}" y2="{_TOP}"/>'
        + "".join(_dot(b) for b in bins)
        + _counts(bins)
        + _axis_titles()
        + "</svg>"
    )


def _x(value: float) -> float:
    return _LEFT + (_RIGHT - _LEFT) * fraction(value)


def _y(value: float) -> float:
    return _BOTTOM - (_BOTTOM - _TOP) * fraction(value)


def _grid() -> str:
    lines = []
    for step in (0.0, 0.25, 0.5, 0.75, 1.0):
        label = percent(step, 0)
        anchor = "end" if step == 1 else "middle"
        lines.append(
            f'<line class="grid" x1="{_LEFT}" x2="{_RIGHT}" y1="{_y(step):.1f}" y2="{_y(step):.1f}"/>'
            f'<text x="{_LEFT - 6}" y="{_y(step) + 4:.1f}" text-anchor="end">{label}</text>'
            f'<text x="{_x(step):.1f}" y="{_COUNTS_BOTTOM + 17}" text-anchor="{anchor}">{label}</text>'
        )
    return "".join(lines)


def _accuracy_bar(b: ReliabilityBin) -> str:
    hint = translate(
        "{count:prediction|predictions}: mean confidence {confidence}, accuracy {accuracy}",
        count=number(b.count),
        confidence=percent(b.confidence),
        accuracy=percent(b.accuracy),
    )
    width = _x(b.high) - _x(b.low) - 2
    return (
        f'<rect class="fill" x="{_x(b.low) + 1:.1f}" y="{_y(b.accuracy):.1f}" width="{width:.1f}" '
        f'height="{_BOTTOM - _y(b.accuracy):.1f}"><title>{text(hint)}</title></rect>'
    )


def _dot(b: ReliabilityBin) -> str:
    x, top, ideal = _x(b.confidence), _y(b.accuracy), _y(b.confidence)
    few = " few" if b.count < _FEW else ""
    return (
        f'<line class="gap{few}" x1="{x:.1f}" x2="{x:.1f}" y1="{top:.1f}" y2="{ideal:.1f}"/>'
        f'<circle class="dot{few}" cx="{x:.1f}" cy="{top:.1f}" r="4"/>'
    )


def _counts(bins: Sequence[ReliabilityBin]) -> str:
    most = max((b.count for b in bins), default=1)
    height = _COUNTS_BOTTOM - _COUNTS_TOP
    bars = "".join(
        f'<rect class="count" x="{_x(b.low) + 1:.1f}" width="{_x(b.high) - _x(b.low) - 2:.1f}" '
        f'y="{_COUNTS_BOTTOM - height * b.count / most:.1f}" height="{height * b.count / most:.1f}"/>'
        for b in bins
    )
    return (
        f'{bars}<line class="grid" x1="{_LEFT}" x2="{_RIGHT}" y1="{_COUNTS_BOTTOM}" y2="{_COUNTS_BOTTOM}"/>'
        f'<text x="{_LEFT - 6}" y="{_COUNTS_TOP + 8}" text-anchor="end">{number(most)}</text>'
        f'<text x="{_LEFT}" y="{_COUNTS_TOP - 8}">{text(translate("Number of predictions"))}</text>'
    )


def _axis_titles() -> str:
    return (
        f'<text x="{_LEFT + 8}" y="{_TOP + 14}">{text(translate("Fraction correct"))}</text>'
        f'<text x="{_RIGHT}" y="{_COUNTS_BOTTOM + 38}" text-anchor="end">'
        f"{text(translate('Predicted probability'))}</text>"
    )
