"""Declare `eyebright monitor`: whether a model at work still sees the images that it was made for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyebright.text.table import json_text
from eyebright.verbs.verb import Verb

if TYPE_CHECKING:
    from eyebright.verbs.monitor.monitor import Monitoring
    from eyebright.verbs.monitor.options import MonitorConfig


def _show(found: Monitoring, config: MonitorConfig) -> int:
    match config.format:
        case "json":
            print(json_text(found.to_json(), indent=1))
        case "html":
            print(found.page(), end="")
        case "prometheus":
            print(found.prometheus(), end="")
        case _:
            print(found)
    return 1 if found.alarm else 0


VERB = Verb(
    name="monitor",
    summary="Tell whether a model still sees the images that it was made for, and how accurate it is.",
    show=_show,
    notes=(
        "A log that never changes raises an alarm with a probability of at most 1 in 100, however often it "
        "is looked at. Exit status: 1 if a change was found that is likely to cost accuracy, else 0."
    ),
    file=True,
)
