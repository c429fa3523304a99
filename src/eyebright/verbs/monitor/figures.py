"""The content of `--format json`; docs/monitoring.md describes it for readers."""

from __future__ import annotations

import time
from dataclasses import asdict

from eyebright.monitoring.analysis import Analysis
from eyebright.monitoring.drift import FALSE_ALARMS, Drift
from eyebright.types import Interval, JsonObject
from eyebright.version import __version__

#: Rises when a key changes its meaning or goes; new keys do not raise it.
SCHEMA_VERSION = 1


def figures(found: Analysis) -> JsonObject:
    """Return an analysis as JSON."""
    accuracy = found.accuracy
    return {
        "schema_version": SCHEMA_VERSION,
        "eyebright": __version__,
        "model_sha256": found.log.model_sha256,
        "images": found.images,
        "windows": len(found.log.windows),
        "first": _moment(found.log.windows[0].start),
        "last": _moment(found.log.windows[-1].end),
        "reference_images": len(found.reference.clean.correct),
        "verdict": found.verdict,
        "false_alarms": FALSE_ALARMS,
        "alarms": [_drift(drift, found) for drift in found.alarms],
        "tests": [_drift(drift, found) for drift in found.drifts],
        "accuracy": None
        if accuracy is None
        else {
            "reference": asdict(accuracy.reference),
            "now": asdict(accuracy.now),
            "loss": accuracy.loss,
        },
        "unknown": {"reference": _interval(found.unknown_before), "now": _interval(found.unknown_now)},
        "classes": [asdict(share) for share in found.classes],
        "examples": [asdict(example) for example in found.examples],
    }


def _drift(drift: Drift, found: Analysis) -> JsonObject:
    since = None if drift.since is None else _moment(found.log.windows[drift.since].start)
    return {
        "kind": drift.kind,
        "name": drift.name,
        "p": drift.p,
        "alarm": drift.alarm,
        "since": since,
        "before": drift.before,
        "now": drift.now,
    }


def _interval(interval: Interval | None) -> JsonObject | None:
    return None if interval is None else asdict(interval)


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
