"""The page of a benchmark: latency and throughput of every candidate, with a picture of both."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from eyebright.report.charts.interval import interval_dot, plain_bar
from eyebright.report.markup import Section, name, number, paragraph, table, terms, text
from eyebright.report.page import document
from eyebright.runtime.atomic import write_text
from eyebright.text.language import translate
from eyebright.types import Interval


@dataclass(frozen=True)
class Measurement:
    """One candidate's figures.

    Attributes:
        name, runtime, threads, batch: what was measured.
        p50_ms, p95_ms, p99_ms: percentiles of a call's time.
        images_per_second: over all calls.
        memory_bytes: the process's peak, None where the system does not tell.
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


def write_benchmark(
    path: Path,
    title: str,
    measured: Sequence[Measurement],
    left_out: Mapping[str, str],
    facts: Mapping[str, str],
) -> None:
    """Writes the page to ``path``, whole or not at all.

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
        sections.append(Section("left-out", translate("Not measured"), terms(left_out.items())))
    sections.append(Section("facts", translate("Details"), terms(facts.items())))
    head = paragraph(_verdict(measured), "verdict")
    write_text(path, document(title, head, sections))


def _verdict(measured: Sequence[Measurement]) -> str:
    quickest = min(measured, key=lambda m: m.p50_ms)
    busiest = max(measured, key=lambda m: m.images_per_second)
    return translate(
        "Lowest latency: {latency} ms ({first}). Highest throughput: {rate} images/s ({second}).",
        latency=_figure(quickest.p50_ms),
        first=_words(quickest),
        rate=_figure(busiest.images_per_second),
        second=_words(busiest),
    )


def _words(found: Measurement) -> str:
    return translate(
        "{name} in {runtime} ({threads:thread|threads}, batch size {batch})",
        name=found.name,
        runtime=found.runtime,
        threads=found.threads,
        batch=found.batch,
    )


def _latency(measured: Sequence[Measurement]) -> Section:
    """Percentiles, drawn on one logarithmic scale."""
    low = math.log(min(m.p50_ms for m in measured))
    high = math.log(max(m.p99_ms for m in measured))
    rows = [
        [
            *_what(m),
            _figure(m.p50_ms),
            _figure(m.p95_ms),
            _figure(m.p99_ms),
            interval_dot(_drawn(m), low, high, chosen=False),
        ]
        for m in sorted(measured, key=lambda m: (m.batch, m.threads, m.p50_ms))
    ]
    title = translate("Latency per call (ms)")
    head = [*_head(), "p50", "p95", "p99", ""]
    note = translate(
        "The dot is the median, the line ends at the 99th percentile; the scale is logarithmic. Each "
        "candidate ran in its own process, taking turns in random order."
    )
    return Section("latency", title, paragraph(note) + table(title, head, rows, "trials"))


def _drawn(found: Measurement) -> Interval:
    """From the median to the 99th percentile."""
    middle, end = math.log(found.p50_ms), math.log(found.p99_ms)
    return Interval(middle, middle, end)


def _throughput(measured: Sequence[Measurement]) -> Section:
    most = max(m.images_per_second for m in measured)
    rows = [
        [
            *_what(m),
            _figure(m.images_per_second),
            "–" if m.memory_bytes is None else f"{m.memory_bytes / 1e6:.0f}",
            number(m.calls),
            plain_bar(m.images_per_second / most),
        ]
        for m in sorted(measured, key=lambda m: -m.images_per_second)
    ]
    title = translate("Images per second")
    words = (translate("Peak memory (MB)"), translate("Calls"))
    head = [*_head(), text(translate("images/s")), *map(text, words), ""]
    return Section("throughput", title, table(title, head, rows, "trials"))


def _head() -> list[str]:
    words = (
        translate("Model"),
        translate("Runtime"),
        translate("Threads"),
        translate("Batch size"),
    )
    return [text(word) for word in words]


def _what(found: Measurement) -> list[str]:
    return [name(found.name), name(found.runtime), number(found.threads), number(found.batch)]


def _figure(value: float) -> str:
    """Three significant digits."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
