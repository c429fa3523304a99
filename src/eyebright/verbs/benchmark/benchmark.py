"""`benchmark`: the speed of models on this machine, each in a process of its own, all taking turns."""

from __future__ import annotations

import csv
import io
import json
import platform
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from eyebright.data.decode import decode
from eyebright.errors import EyebrightError
from eyebright.report.display import Displayed, ResultTable
from eyebright.runs.metrics import versions
from eyebright.runs.run import new_directory
from eyebright.runtime.atomic import write_text
from eyebright.runtime.context import progress_task, stage
from eyebright.runtime.machine import processor_name, usable_cores
from eyebright.text.language import translate
from eyebright.text.table import printable
from eyebright.types import JsonObject, UInt8Array
from eyebright.verbs.benchmark.models import BenchmarkModel, benchmark_models
from eyebright.verbs.benchmark.options import BenchmarkConfig
from eyebright.verbs.benchmark.page import Measurement, write_benchmark
from eyebright.verbs.benchmark.process import ModelProcess

ROUNDS = 5
_NOISE_SIZE = (375, 500)
_MUCH_UNREST = 0.25


@dataclass(frozen=True, repr=False)
class Benchmark(Displayed):
    """The measurements, and the candidates that could not be measured; printing it shows them.

    Attributes:
        directory: holds `benchmark.json`, `benchmark.csv` and `benchmark.html`.
        measured: in the order of the benchmark_models.
        left_out: why a candidate was not measured, by its description.
    """

    directory: Path
    measured: Sequence[Measurement]
    left_out: dict[str, str]

    @property
    def page(self) -> Path:
        """Return the page to read."""
        return self.directory / "benchmark.html"

    def display(self) -> Iterator[str | ResultTable]:
        """Yield the table of measurements, what was left out, and whether the machine was busy."""
        yield ResultTable([_display_head(), *map(_display_row, self.measured)], right=range(2, 9))
        lines = [
            translate("Not measured: {name}. {reason}", name=printable(name), reason=reason)
            for name, reason in self.left_out.items()
        ]
        worst = max(self.measured, key=lambda m: m.unrest)
        if worst.unrest > _MUCH_UNREST:
            lines.append(
                translate(
                    "The machine was busy during the benchmark: the rounds of {name} differ by {percent} "
                    "%. Measure longer with --seconds, or on an idle machine.",
                    name=f"{printable(worst.name)} ({worst.runtime})",
                    percent=f"{100 * worst.unrest:.0f}",
                )
            )
        yield "\n".join([*lines, translate("Page  {path}", path=printable(str(self.page)))])


@stage
def benchmark(config: BenchmarkConfig) -> Benchmark:
    """Measure every model in rounds of random order, and write the results.

    Args:
        config: what is measured, and how long.

    Raises:
        NotFoundError, ModelError, ImageError: a model or the photo cannot be used.
        EyebrightError: nothing could be measured.
    """
    image = _image(config)
    cores = usable_cores()
    with ExitStack() as stack:
        threads = [count or cores for count in config.threads]
        models = benchmark_models(config.models, threads, config.batch, stack)
        running, left_out = _started(models, image, stack)
        directory = new_directory(config.out, "benchmarks", config.models[0].resolve().name)
        times = _turns(running, config)
        measured = [_measurement(process, found) for process, found in zip(running, times, strict=True)]
    result = Benchmark(directory, measured, left_out)
    _write(result, config, image)
    return result


def _image(config: BenchmarkConfig) -> UInt8Array:
    if config.image is not None:
        return decode(config.image)
    return np.random.default_rng(config.seed).integers(0, 256, (*_NOISE_SIZE, 3), np.uint8)


def _started(
    models: Sequence[BenchmarkModel], image: UInt8Array, stack: ExitStack
) -> tuple[list[ModelProcess], dict[str, str]]:
    """Start the processes; return those that could load their model, and why the others could not."""
    running: list[ModelProcess] = []
    left_out: dict[str, str] = {}
    reasons: list[EyebrightError] = []
    with progress_task("Loading the models", total=len(models)) as task:
        for candidate in models:
            try:
                running.append(stack.enter_context(ModelProcess(candidate, image)))
            except EyebrightError as error:
                left_out[_described(candidate)] = error.text()
                reasons.append(error)
            task.advance()
    if not running:
        raise reasons[0]
    return running, left_out


def _described(candidate: BenchmarkModel) -> str:
    return f"{candidate.name}, {candidate.runtime}, {candidate.threads} × {candidate.batch}"


def _turns(running: Sequence[ModelProcess], config: BenchmarkConfig) -> list[list[list[float]]]:
    """Return the milliseconds of every call, by model and round."""
    times: list[list[list[float]]] = [[] for _ in running]
    turn = config.seconds / (ROUNDS * len(running))
    order = np.random.default_rng(config.seed)
    with progress_task("Measuring the models in turn", total=ROUNDS * len(running)) as task:
        for _ in range(ROUNDS):
            for place in order.permutation(len(running)):
                times[place].append(running[place].run(turn))
                task.advance()
    return times


def _measurement(process: ModelProcess, rounds: Sequence[Sequence[float]]) -> Measurement:
    calls = np.concatenate([np.asarray(found) for found in rounds])
    medians = [float(np.median(found)) for found in rounds]
    p50, p95, p99 = (float(value) for value in np.percentile(calls, (50, 95, 99)))
    candidate = process.candidate
    return Measurement(
        name=candidate.name,
        runtime=candidate.runtime,
        threads=candidate.threads,
        batch=candidate.batch,
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        images_per_second=1000 * candidate.batch * len(calls) / float(calls.sum()),
        memory_bytes=process.memory_bytes,
        calls=len(calls),
        unrest=(max(medians) - min(medians)) / p50,
    )


def _write(result: Benchmark, config: BenchmarkConfig, image: UInt8Array) -> None:
    facts: JsonObject = {
        "processor": f"{processor_name()}, {usable_cores()} cores, {platform.system()}",
        "image": f"{image.shape[1]} × {image.shape[0]}",
        "seconds": config.seconds,
        "rounds": ROUNDS,
        "seed": config.seed,
        "versions": versions(),
    }
    rows = [asdict(found) for found in result.measured]
    content: JsonObject = {"measured": rows, "left_out": result.left_out, **facts}
    write_text(result.directory / "benchmark.json", json.dumps(content, indent=1, ensure_ascii=False))
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(result.directory / "benchmark.csv", text.getvalue())
    shown = {name: str(value) for name, value in facts.items() if name != "versions"} | versions()
    title = config.models[0].resolve().name
    write_benchmark(result.page, title, result.measured, result.left_out, shown)


def _display_head() -> tuple[str, ...]:
    return (
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


def _display_row(found: Measurement) -> tuple[str, ...]:
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
