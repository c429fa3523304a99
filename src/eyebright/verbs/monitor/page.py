"""The page of an analysis: the verdict, the accuracy, every test, the classes, and what to label first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from eyebright.evaluation.intervals import share_of
from eyebright.monitoring.analysis import Analysis, Example
from eyebright.monitoring.drift import Drift
from eyebright.monitoring.signals import SIGNALS, Signal, median
from eyebright.report.charts.axis import linear_axis
from eyebright.report.charts.curve import Line, curve_chart
from eyebright.report.charts.interval import interval_bar
from eyebright.report.document import Section, document
from eyebright.report.templating import render
from eyebright.report.thumbnails import Thumbnail, thumbnails
from eyebright.text.format import number, percent
from eyebright.text.language import translate
from eyebright.types import Interval
from eyebright.verbs.monitor.words import (
    accuracy_sentence,
    advice,
    drift_name,
    drift_values,
    moment,
    verdict_sentence,
)

_THUMBNAIL_PX = 224
_SHOWN_CLASSES = 30


@dataclass(frozen=True)
class ShareRow:
    """A share with its interval and a chart of both."""

    title: str
    interval: Interval
    chart: Markup


@dataclass(frozen=True)
class TestRow:
    """A test in words; ``since`` is empty where nothing changed."""

    name: str
    before: str
    now: str
    since: str
    p: float


@dataclass(frozen=True)
class ExampleTile:
    """An image to label, with its picture where it is still there."""

    example: Example
    thumbnail: Thumbnail


def page(title: str, found: Analysis) -> str:
    """Return the whole page.

    Args:
        title: the run's name.
        found: the analysis.
    """
    sentences = [verdict_sentence(found)]
    if found.accuracy is not None:
        sentences.append(accuracy_sentence(found.accuracy))
    parts = [
        _what_to_do(found),
        _shares(found),
        _tests(found),
        _course(found),
        _classes(found),
        _examples(found),
    ]
    head = render("verdict.html", sentences=sentences)
    return document(title, head, [part for part in parts if part is not None])


def _what_to_do(found: Analysis) -> Section | None:
    sentences = advice(found)
    if not sentences:
        return None
    return Section("do", translate("What to do"), render("monitor/advice.html", sentences=sentences))


def _shares(found: Analysis) -> Section | None:
    pairs: list[tuple[str, Interval | None]] = [
        (translate("Unknown images in the reference"), found.unknown_before),
        (translate("Unknown images now"), found.unknown_now),
    ]
    if found.accuracy is not None:
        pairs = [
            (translate("Accuracy on the validation and test images"), found.accuracy.reference),
            (translate("Estimated accuracy now"), found.accuracy.now),
            *pairs,
        ]
    rows = [
        ShareRow(name, interval, interval_bar(interval)) for name, interval in pairs if interval is not None
    ]
    if not rows:
        return None
    return Section("accuracy", translate("Accuracy"), render("monitor/shares.html", rows=rows))


def _tests(found: Analysis) -> Section:
    rows = [_test_row(drift, found) for drift in found.drifts if drift.kind != "class" or drift.alarm]
    body = render(
        "monitor/tests.html",
        rows=rows,
        images=found.images,
        windows=len(found.log.windows),
        reference=len(found.reference.clean.correct),
        first=moment(found.log.windows[0].start),
        last=moment(found.log.windows[-1].end),
    )
    return Section("changes", translate("Changes"), body)


def _test_row(drift: Drift, found: Analysis) -> TestRow:
    since = "" if drift.since is None else moment(found.log.windows[drift.since].start)
    return TestRow(drift_name(drift), *drift_values(drift), since, drift.p)


def _course(found: Analysis) -> Section | None:
    """Return charts over time; None of one window."""
    windows = found.log.windows
    if len(windows) < 2:
        return None
    numbers = range(1, len(windows) + 1)
    x = linear_axis(numbers, lambda value: number(round(value)), whole=True)
    charts = []
    if found.unknown_before is not None:
        shares = [share_of(window.unknown, window.images) for window in windows]
        y = linear_axis(
            [limit for s in shares for limit in (s.low, s.high)], lambda v: percent(v, 0), zero=True
        )
        title = translate("Unknown images by window")
        points = [(place, share.value) for place, share in zip(numbers, shares, strict=True)]
        band = [(place, share.low, share.high) for place, share in zip(numbers, shares, strict=True)]
        charts.append((title, curve_chart([Line(title, points)], x, y, title, band=band)))
    changed = next((d.name for d in found.alarms if d.kind == "signal"), "confidence")
    signal: Signal = next(name for name in SIGNALS if name == changed)
    row = SIGNALS.index(signal)
    values = [
        (place, median(signal, window.bins[row]))
        for place, window in zip(numbers, windows, strict=True)
        if window.bins[row].any()
    ]
    if len(values) > 1:
        title = translate("{signal} by window (median)", signal=drift_name(Drift("signal", signal, 1, None)))
        y = linear_axis([value for _, value in values], lambda v: f"{v:.3g}")
        charts.append((title, curve_chart([Line(title, values)], x, y, title)))
    return Section("course", translate("Over time"), render("monitor/course.html", charts=charts))


def _classes(found: Analysis) -> Section:
    shown = sorted(found.classes, key=lambda share: -abs(share.now - share.before))[:_SHOWN_CLASSES]
    estimated = any(share.frequency is not None for share in shown)
    body = render("monitor/classes.html", rows=shown, estimated=estimated)
    return Section("classes", translate("Classes"), body)


def _examples(found: Analysis) -> Section | None:
    if not found.examples:
        return None
    pictures: Sequence[Thumbnail] = thumbnails(
        Path(), [example.name for example in found.examples], _THUMBNAIL_PX
    )
    tiles = [ExampleTile(example, t) for example, t in zip(found.examples, pictures, strict=True)]
    body = render("monitor/examples.html", tiles=tiles)
    return Section("examples", translate("To label first"), body)
