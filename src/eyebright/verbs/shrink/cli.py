"""Declare `eyebright shrink`: the best model that meets a latency, a size, or both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyebright.verbs.verb import Verb, print_result

if TYPE_CHECKING:
    from eyebright.verbs.shrink.options import ShrinkConfig
    from eyebright.verbs.shrink.result import Shrunk


def _show(found: Shrunk, config: ShrinkConfig) -> int:
    print_result(found, config)
    return 0 if found.met else 1


VERB = Verb(
    name="shrink",
    summary="Find the most accurate model that meets a latency target, a size target, or both.",
    show=_show,
    notes=(
        "Compares linear probes at several input sizes and feature layers, the models given with "
        "--candidates, and int8 versions, with the accuracy, latency and size of each. Exit status 1 "
        "if no candidate meets all targets."
    ),
    file=True,
)
