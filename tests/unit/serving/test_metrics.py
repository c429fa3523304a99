"""The figures for Prometheus, the log, and an observer that fails."""

from __future__ import annotations

import io
import json

import numpy as np

from eyebright.serving.hooks import Watching
from eyebright.serving.metrics import Counter, Histogram, ServiceMetrics
from eyebright.serving.prediction import Answered
from eyebright.serving.request_log import RequestLog


def test_counters_escape_their_labels():
    counter = Counter("x_total", "Counts.")
    counter.add(label='a "b"\\\n')
    counter.add(2, label="c")
    assert list(counter.lines()) == ['x_total{label="a \\"b\\"\\\\\\n"} 1', 'x_total{label="c"} 2']


def test_histograms_cumulate():
    histogram = Histogram("x_seconds", "Times.", (0.1, 1.0))
    for value in (0.1, 0.5, 7.0):
        histogram.add(value)
    assert list(histogram.lines()) == [
        'x_seconds_bucket{le="0.1"} 1',
        'x_seconds_bucket{le="1.0"} 2',
        'x_seconds_bucket{le="+Inf"} 3',
        "x_seconds_sum 7.6",
        "x_seconds_count 3",
    ]


def test_each_name_is_described_once():
    gauges = [("g", "Now.", (("model", name),), 1.0) for name in ("a", "b")]
    text = ServiceMetrics().text(gauges)
    assert text.count("# TYPE g gauge") == 1
    assert text.endswith('g{model="a"} 1\ng{model="b"} 1\n')


def test_the_log_has_a_line_of_json_an_event():
    out = io.StringIO()
    log = RequestLog(out)
    log.write("request", status=200, bytes=None, route="/é")
    log.write("swap", model="m")
    log.close()
    first, second = (json.loads(line) for line in out.getvalue().splitlines())
    assert (first["event"], first["status"], first["route"], "bytes" in first) == (
        "request",
        200,
        "/é",
        False,
    )
    assert second["model"] == "m"


def test_a_log_that_cannot_be_written_stops_nothing():
    out = io.StringIO()
    out.close()
    log = RequestLog(out)
    for _ in range(20_000):
        log.write("request")
    log.close()


class _Failing:
    """An observer that always fails."""

    def __init__(self) -> None:
        self.closed = False

    def observe(self, *_: object) -> None:
        raise ValueError("no")

    def gauges(self) -> list:
        return []

    def close(self) -> None:
        self.closed = True


def _answered(side: int) -> Answered:
    return Answered(np.ones(2, np.float32), None, None, np.zeros((side, side, 3), np.uint8))


def test_an_observer_that_fails_or_is_slow_is_left_behind():
    observer = _Failing()
    watching = Watching(observer)
    for _ in range(3):
        watching.add(_answered(8))
    watching.add(_answered(5000))  # 75 MB would wait
    watching.close()
    assert observer.closed
    assert watching.dropped == 4
