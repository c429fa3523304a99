"""`eyebright benchmark`: the speed of models on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyebright.text.language import translate
from eyebright.text.table import printable, table
from eyebright.verbs.verb import Verb

if TYPE_CHECKING:
    from eyebright.verbs.benchmark.benchmark import Benchmark
    from eyebright.verbs.benchmark.options import BenchmarkConfig
    from eyebright.verbs.benchmark.page import Measurement

_MUCH_UNREST = 0.25


def _config() -> type[BenchmarkConfig]:
    from eyebright.verbs.benchmark.options import BenchmarkConfig

    return BenchmarkConfig


def _run(config: BenchmarkConfig) -> int:
    from eyebright.verbs.benchmark.benchmark import benchmark

    _print(benchmark(config))
    return 0


def _print(result: Benchmark) -> None:
    head = (
        translate("Model"),
        translate("Runtime"),
        translate("Threads"),
        translate("Batch size"),
        "p50 ms",
        "p95 ms",
        "p99 ms",
        translate("images/s"),
        "MB",
    )
    print(f"\n{table([head, *map(_row, result.measured)], right=range(2, 9))}\n")
    for candidate, reason in result.left_out.items():
        print(translate("Not measured: {name}. {reason}", name=printable(candidate), reason=reason))
    worst = max(result.measured, key=lambda m: m.unrest)
    if worst.unrest > _MUCH_UNREST:
        print(
            translate(
                "The machine was busy during the benchmark: the rounds of {name} differ by {percent} "
                "%. Measure longer with --seconds, or on an idle machine.",
                name=f"{printable(worst.name)} ({worst.runtime})",
                percent=f"{100 * worst.unrest:.0f}",
            )
        )
    print(translate("Page  {path}", path=printable(str(result.page))))


def _row(found: Measurement) -> tuple[str, ...]:
    return (
        printable(found.name),
        found.runtime,
        str(found.threads),
        str(found.batch),
        f"{found.p50_ms:.1f}",
        f"{found.p95_ms:.1f}",
        f"{found.p99_ms:.1f}",
        f"{found.images_per_second:.1f}",
        "-" if found.memory_bytes is None else f"{found.memory_bytes / 1e6:.0f}",
    )


VERB = Verb(
    name="benchmark",
    summary="Measure the speed of models and exports on this machine.",
    config=_config,
    run=_run,
    file=True,
)
