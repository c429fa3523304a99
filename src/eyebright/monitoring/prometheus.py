"""An analysis as gauges, in the text format that Prometheus reads; a service shows them among its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

from eyebright.monitoring.analysis import Analysis
from eyebright.types import Interval


@dataclass(frozen=True)
class MonitorGauge:
    """A number of an analysis.

    Attributes:
        name: as Prometheus has it.
        help: one English sentence.
        value: the number.
        labels: what tells it from others of its name.
    """

    name: str
    help: str
    value: float
    labels: Mapping[str, str]


def gauges(found: Analysis) -> Iterator[MonitorGauge]:
    """Yield all gauges, those of one name in a row."""
    yield MonitorGauge("eyebright_monitored_images", "Images in the log.", found.images, {})
    about = "1 where something changed since the reference, else 0."
    yield MonitorGauge("eyebright_drift_alarm", about, found.changed, {})
    about = "Chance that evidence as strong ever comes up without a change."
    for drift in found.drifts:
        yield MonitorGauge("eyebright_drift_pvalue", about, drift.p, {"test": drift.test})
    if found.accuracy is not None:
        yield from _bounds("eyebright_estimated_accuracy", "Accuracy now, estimated.", found.accuracy.now)
        about = "Accuracy on the validation and test images."
        yield from _bounds("eyebright_reference_accuracy", about, found.accuracy.reference)
    about = "Share of images that were answered as unknown."
    for part, share in (("reference", found.unknown_before), ("now", found.unknown_now)):
        if share is not None:
            yield MonitorGauge("eyebright_unknown_ratio", about, share.value, {"part": part})
    about = "Share of images for which a class was answered."
    for one in found.classes:
        for part, value in (("reference", one.before), ("now", one.now)):
            yield MonitorGauge("eyebright_class_ratio", about, value, {"label": one.label, "part": part})


def text(found: Analysis, model: str) -> str:
    """Return all gauges as text; ``model`` tells models apart."""
    lines: list[str] = []
    for name, some in groupby(gauges(found), lambda gauge: gauge.name):
        several = list(some)
        lines += [f"# HELP {name} {several[0].help}", f"# TYPE {name} gauge"]
        for gauge in several:
            labels = {"model": model, **gauge.labels}
            written = ",".join(f'{key}="{_escaped(value)}"' for key, value in labels.items())
            lines.append(f"{name}{{{written}}} {gauge.value:.6g}")
    return "\n".join(lines) + "\n"


def _bounds(name: str, about: str, interval: Interval) -> Iterator[MonitorGauge]:
    for bound, value in (("estimate", interval.value), ("low", interval.low), ("high", interval.high)):
        yield MonitorGauge(name, about, value, {"bound": bound})


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
