"""The page of a benchmark: latency and throughput of every candidate, with a chart of both."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from eyebright.report.charts.interval import interval_dot, plain_bar
from eyebright.report.document import Section, document
from eyebright.report.templating import render
from eyebright.runtime.atomic import write_text
from eyebright.text.language import translate
from eyebright.types import Interval


@dataclass(frozen=True)
class Measurement:
    """The measurements of one candidate.

    Attributes:
        name, runtime, threads, batch: what was measured.
        p50_ms, p95_ms, p99_ms: percentiles of a call's time.
        images_per_second: over all calls.
        memory_bytes: the process's peak, None where the system does not report it.
        calls: how many were timed.
        unrest: how far the medians of the rounds lie apart, as a share of the median of all.
    """

    name: str
    runtime: str
    threads: int
    batch: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    images_per_second: float
    memory_bytes: int | None
    calls: int
    unrest: float


@dataclass(frozen=True)
class MeasurementRow:
    """A candidate in a table: its numbers in words, and a chart of them."""

    candidate: Measurement
    numbers: Sequence[str]
    chart: Markup


def write_benchmark(
    path: Path,
    title: str,
    measured: Sequence[Measurement],
    left_out: Mapping[str, str],
    facts: Mapping[str, str],
) -> None:
    """Write the page to ``path``, whole or not at all.

    Args:
        path: where to.
        title: plain text.
        measured: one at least.
        left_out: reasons by candidate.
        facts: names and values at the end.

    Raises:
        StorageError: the disk is full or must not be written.
    """
    sections = [_latency(measured), _throughput(measured)]
    if left_out:
        skipped = render("terms.html", pairs=left_out.items())
        sections.append(Section("left-out", translate("Not measured"), skipped))
    sections.append(Section("facts", translate("Details"), render("terms.html", pairs=facts.items())))
    head = render("verdict.html", sentences=[_verdict(measured)])
    write_text(path, document(title, head, sections))


def _verdict(measured: Sequence[Measurement]) -> str:
    quickest = min(measured, key=lambda m: m.p50_ms)
    busiest = max(measured, key=lambda m: m.images_per_second)
    return translate(
        "Lowest latency: {latency} ms ({first}). Highest throughput: {rate} images/s ({second}).",
        latency=_three_digits(quickest.p50_ms),
        first=_in_words(quickest),
        rate=_three_digits(busiest.images_per_second),
        second=_in_words(busiest),
    )


def _in_words(candidate: Measurement) -> str:
    return translate(
        "{name} in {runtime} ({threads:thread|threads}, batch size {batch})",
        name=candidate.name,
        runtime=candidate.runtime,
        threads=candidate.threads,
        batch=candidate.batch,
    )


def _latency(measured: Sequence[Measurement]) -> Section:
    """Return the percentiles, drawn on one logarithmic scale."""
    low = math.log(min(m.p50_ms for m in measured))
    high = math.log(max(m.p99_ms for m in measured))
    rows = [
        MeasurementRow(
            m,
            [_three_digits(ms) for ms in (m.p50_ms, m.p95_ms, m.p99_ms)],
            interval_dot(_median_to_p99(m), low, high, chosen=False),
        )
        for m in sorted(measured, key=lambda m: (m.batch, m.threads, m.p50_ms))
    ]
    return Section("latency", translate("Latency per call (ms)"), render("benchmark/latency.html", rows=rows))


def _median_to_p99(candidate: Measurement) -> Interval:
    middle, end = math.log(candidate.p50_ms), math.log(candidate.p99_ms)
    return Interval(middle, middle, end)


def _throughput(measured: Sequence[Measurement]) -> Section:
    most = max(m.images_per_second for m in measured)
    rows = [
        MeasurementRow(
            m,
            [
                _three_digits(m.images_per_second),
                "–" if m.memory_bytes is None else f"{m.memory_bytes / 1e6:.0f}",
                f"{m.calls:,}",
            ],
            plain_bar(m.images_per_second / most),
        )
        for m in sorted(measured, key=lambda m: -m.images_per_second)
    ]
    body = render("benchmark/throughput.html", rows=rows)
    return Section("throughput", translate("Images per second"), body)


def _three_digits(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
