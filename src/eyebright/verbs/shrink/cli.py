"""`eyebright shrink`: the best model that keeps to a latency, a size, or both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyebright.runs.summary import print_run
from eyebright.text.language import translate
from eyebright.text.table import printable, table
from eyebright.verbs.verb import Verb

if TYPE_CHECKING:
    from eyebright.verbs.shrink.options import ShrinkConfig
    from eyebright.verbs.shrink.shrink import Shrunk


def _config() -> type[ShrinkConfig]:
    from eyebright.verbs.shrink.options import ShrinkConfig

    return ShrinkConfig


def _run(config: ShrinkConfig) -> int:
    from eyebright.verbs.shrink.shrink import shrink

    found = shrink(config)
    _print(found)
    print_run(found.run)
    print(printable(str(found.page)))
    return 0 if found.met else 1


def _print(found: Shrunk) -> None:
    head = (
        "",
        translate("validation accuracy"),
        translate("ms, one thread"),
        "MB",
        translate("meets the targets"),
        "",
    )
    rows = [
        (
            printable(c.name),
            f"{100 * c.accuracy.value:.1f} %",
            f"{c.latency_ms:.1f}",
            f"{c.size_bytes / 1e6:.2f}",
            translate("yes") if c.meets(found.targets) else translate("no"),
            translate("selected") if c is found.selected else "",
        )
        for c in found.candidates
    ]
    print(f"\n{table([head, *rows], right=(1, 2, 3))}")


VERB = Verb(
    name="shrink",
    summary="Find the most accurate model that meets a latency target, a size target, or both.",
    config=_config,
    run=_run,
    notes=(
        "Compares linear probes at several input sizes and feature layers, the models given with "
        "--candidates, and int8 versions, with the accuracy, latency and size of each. Exit status 1 "
        "if no candidate meets all targets."
    ),
    file=True,
)
