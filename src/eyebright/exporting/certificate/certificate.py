"""The certificate: an export compared with its original on the user's own images."""

from __future__ import annotations

import math
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eyebright.exporting.base import Format, Precision, Source, in_our_words
from eyebright.exporting.certificate.comparison import Comparison, Originals
from eyebright.exporting.certificate.hashes import sha256, sha256_of
from eyebright.runtime.machine import processor_name, usable_cores
from eyebright.runtime.timing import interleaved_ms
from eyebright.sealed.model import SealedModel
from eyebright.text.language import english, translate
from eyebright.types import FloatArray

_TIMED_RUNS = 30
# A loss of exactly what may be lost passes, however its fraction was rounded.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Bar:
    """What an export must reach.

    Attributes:
        min_agreement: share of the images on which both name the same class, asked of fp32 and fp16.
        max_loss: of accuracy, as a fraction, asked of int8.
    """

    min_agreement: float = 0.999
    max_loss: float = 0.005


@dataclass(frozen=True)
class Reason:
    """Why an export was rejected: an English template with its values, so that it can be told in Chinese."""

    template: str
    values: Mapping[str, object]

    def __str__(self) -> str:
        return english(self.template, **self.values)

    def text(self) -> str:
        """Return the sentence in the current language; ``str(reason)`` is always English."""
        return translate(self.template, **self.values)


@dataclass(frozen=True)
class Speed:
    """How fast an export answers here, from decoded pixels to probabilities.

    Attributes:
        latency_ms, latency_original_ms: of one image with one thread; medians of runs in turn.
        images_per_second: one image after the other, with all cores.
    """

    latency_ms: float
    latency_original_ms: float
    images_per_second: float


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """What was found of an export; `certificate.json` has the fields of all parts side by side.

    Attributes:
        format, precision, input: what was exported, and what it takes and gives.
        reasons: why the bar was not reached; none where it was.
        comparison: with the original.
        speed: here.
        files: SHA-256 by file; ``size_bytes`` of all together.
        parent_sha256: of the original.
        versions, processor: with which this was found.
        bar: what was asked.
        notes: what else must be known, in English.
        details: how it was compressed.
    """

    format: str
    precision: Precision
    input: str
    reasons: tuple[Reason, ...]
    comparison: Comparison
    speed: Speed
    files: Mapping[str, str]
    size_bytes: int
    parent_sha256: str
    versions: Mapping[str, str]
    processor: str
    bar: Bar
    notes: tuple[str, ...]
    details: Mapping[str, Any]

    @property
    def passed(self) -> bool:
        """Whether the bar was reached."""
        return not self.reasons

    def to_json(self) -> dict[str, Any]:
        """The content of `certificate.json`; what is not finite is null there, as JSON has no other word."""
        fields = asdict(self)
        comparison, speed = fields.pop("comparison"), fields.pop("speed")
        verdict = {"passed": self.passed, "reasons": [str(reason) for reason in self.reasons]}
        content = fields | verdict | comparison | speed | {"sha256": sha256_of(self.files)}
        return {key: _valid(value) for key, value in content.items()}


def _valid(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _valid(inner) for key, inner in value.items()}
    return [_valid(inner) for inner in value] if isinstance(value, list | tuple) else value


def certify(
    target: Format,
    source: Source,
    folder: Path,
    originals: Originals,
    bar: Bar,
    *,
    versions: Mapping[str, str],
    details: Mapping[str, Any],
    on_image: Callable[[], None],
) -> Certificate:
    """Loads an export with its own runtime, asks it about the images, and compares.

    Args:
        target: the format.
        source: what was exported.
        folder: with the export's files.
        originals: the original's answers.
        bar: what must be reached.
        versions: of packages, to be written down.
        details: of the compression, to be written down.
        on_image: is called after each image.

    Raises:
        UnsupportedError: its runtime cannot load it.
    """
    answers, rate = _ask(target, source, folder, originals, on_image)
    comparison = Comparison.of(answers, originals)
    latency, latency_original = _latencies(target, source, folder, originals)
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return Certificate(
        format=target.name,
        precision=source.precision,
        input=target.input,
        reasons=_shortfalls(source.precision, answers, comparison, bar),
        comparison=comparison,
        speed=Speed(latency, latency_original, rate),
        files={path.relative_to(folder).as_posix(): sha256(path) for path in paths},
        size_bytes=sum(path.stat().st_size for path in paths),
        parent_sha256=sha256(source.model.path),
        versions=versions,
        processor=f"{processor_name()}, {usable_cores()} cores, {platform.system()}",
        bar=bar,
        notes=target.notes,
        details=details,
    )


def _shortfalls(
    precision: Precision, answers: FloatArray, comparison: Comparison, bar: Bar
) -> tuple[Reason, ...]:
    if not np.isfinite(answers).all():
        return (Reason("Some of its probabilities are NaN or infinite.", {}),)
    loss = -comparison.accuracy_difference.value
    if precision == "int8":
        if loss > bar.max_loss + _ROUNDING:
            values = {"loss": f"{100 * loss:.2f}", "most": f"{100 * bar.max_loss:.2f}"}
            return (
                Reason("Accuracy drops by {loss} percentage points; at most {most} are allowed.", values),
            )
    elif comparison.agreement < bar.min_agreement:
        values = {
            "agreement": f"{100 * comparison.agreement:.2f}",
            "least": f"{100 * bar.min_agreement:.2f}",
        }
        template = (
            "It predicts the same class on {agreement} % of the images; at least {least} % is required."
        )
        return (Reason(template, values),)
    return ()


def _ask(
    target: Format, source: Source, folder: Path, originals: Originals, on_image: Callable[[], None]
) -> tuple[FloatArray, float]:
    """The export's probabilities (N, K), and images a second without the time of decoding."""
    with in_our_words(target.name):
        runner = target.load(source, folder, usable_cores())
    rows: list[FloatArray] = []
    seconds = 0.0
    for image in originals.pixels():
        start = time.perf_counter()
        rows.append(runner.answer(image))
        seconds += time.perf_counter() - start
        on_image()
    return np.stack(rows), len(rows) / seconds


def _latencies(target: Format, source: Source, folder: Path, originals: Originals) -> tuple[float, float]:
    """Median milliseconds of one answer with one thread: the export's and the original's, asked in turn."""
    with in_our_words(target.name):
        export = target.load(source, folder, 1)
    original = SealedModel(source.model.path, threads=1)
    image = next(originals.pixels())
    calls: Sequence[Callable[[], object]] = (
        lambda: export.answer(image),
        lambda: original.probabilities(image[None]),
    )
    latency, latency_original = interleaved_ms(calls, _TIMED_RUNS)
    return latency, latency_original
