"""The certificate: an export compared with its original on the user's own images."""

from __future__ import annotations

import math
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eyebright.evaluation.rules.decisions import Decisions
from eyebright.exporting.base import ExportOutput, ExportSource, Format, Precision, wrap_converter_errors
from eyebright.exporting.certificate.comparison import (
    ExportComparison,
    ExportedPredictions,
    ReferencePredictions,
)
from eyebright.exporting.certificate.hashes import sha256, sha256_of
from eyebright.runtime.machine import processor_name, usable_cores
from eyebright.runtime.timing import interleaved_ms
from eyebright.sealed.model import SealedModel
from eyebright.text.language import english, translate
from eyebright.types import FloatArray, Json, JsonObject, UInt8Array

_TIMED_RUNS = 30
# A loss of exactly what may be lost passes, however its fraction was rounded.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class AcceptanceCriteria:
    """Criteria that an export must meet to be accepted.

    Attributes:
        min_agreement: least share of images on which both models give the same answer, for fp32 and fp16.
        max_loss: largest loss of accuracy, as a fraction, for int8.
    """

    min_agreement: float = 0.999
    max_loss: float = 0.005


@dataclass(frozen=True)
class Reason:
    """Why an export was rejected: an English template and its values, to be translated."""

    template: str
    values: Mapping[str, object]

    def __str__(self) -> str:
        return english(self.template, **self.values)

    def text(self) -> str:
        """Return the sentence in the current language; ``str(reason)`` is always English."""
        return translate(self.template, **self.values)


@dataclass(frozen=True)
class Speed:
    """The speed of an export on this machine, from decoded pixels to probabilities.

    Attributes:
        latency_ms, latency_original_ms: for one image on one thread; medians of runs in turn.
        images_per_second: one image after another, on all cores.
    """

    latency_ms: float
    latency_original_ms: float
    images_per_second: float


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """The comparison of an export; `certificate.json` has the fields of all parts side by side.

    Attributes:
        format, precision, input: what was exported, and what it takes and gives.
        reasons: why the criteria were not met; none if they were.
        comparison: with the original.
        speed: on this machine.
        files: SHA-256 by file; ``size_bytes`` of all together.
        parent_sha256: of the original.
        versions, processor: with which this was measured.
        criteria: what had to be reached.
        notes: what else a user must know, in English.
        details: how it was compressed.
    """

    format: str
    precision: Precision
    input: str
    reasons: tuple[Reason, ...]
    comparison: ExportComparison
    speed: Speed
    files: Mapping[str, str]
    size_bytes: int
    parent_sha256: str
    versions: Mapping[str, str]
    processor: str
    criteria: AcceptanceCriteria
    notes: tuple[str, ...]
    details: Mapping[str, Json]

    @property
    def passed(self) -> bool:
        """Return whether the criteria were met."""
        return not self.reasons

    def to_json(self) -> JsonObject:
        """Return the content of `certificate.json`; numbers that are not finite become null."""
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
    source: ExportSource,
    folder: Path,
    reference: ReferencePredictions,
    criteria: AcceptanceCriteria,
    *,
    versions: Mapping[str, str],
    details: Mapping[str, Json],
    on_image: Callable[[], None],
) -> Certificate:
    """Load an export with its own runtime, run it on the images, and compare.

    Args:
        target: the format.
        source: what was exported.
        folder: with the export's files.
        reference: the original's predictions.
        criteria: what must be reached.
        versions: of packages, to be recorded.
        details: of the compression, to be recorded.
        on_image: is called after each image.

    Raises:
        UnsupportedError: its runtime cannot load it.
    """
    found, rate = _predict(target, source, folder, reference, on_image)
    comparison = ExportComparison.of(found, reference)
    latency, latency_original = _latencies(target, source, folder, next(reference.pixels()))
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return Certificate(
        format=target.name,
        precision=source.precision,
        input=target.input,
        reasons=_shortfalls(source.precision, found.probabilities, comparison, criteria),
        comparison=comparison,
        speed=Speed(latency, latency_original, rate),
        files={path.relative_to(folder).as_posix(): sha256(path) for path in paths},
        size_bytes=sum(path.stat().st_size for path in paths),
        parent_sha256=sha256(source.model.path),
        versions=versions,
        processor=f"{processor_name()}, {usable_cores()} cores, {platform.system()}",
        criteria=criteria,
        notes=(*target.notes, *(str(reason) for reason in undecided(target, source.model.decisions))),
        details=details,
    )


def undecided(target: Format, decisions: Decisions) -> Iterator[Reason]:
    """Yield what a user must know of a format that cannot hold the model's decisions.

    Args:
        target: the format.
        decisions: of the model.
    """
    if target.decides:
        return
    if decisions.changed:
        yield Reason(
            "{format} files hold probabilities only. The operating points, costs or thresholds of the "
            "model are applied by the example in Python; programs of your own must do the same.",
            {"format": target.name},
        )
    if decisions.unknown_above is not None:
        yield Reason(
            "{format} files hold no OOD score. They do not tell unknown images, which the model does.",
            {"format": target.name},
        )


def _shortfalls(
    precision: Precision,
    probabilities: FloatArray,
    comparison: ExportComparison,
    criteria: AcceptanceCriteria,
) -> tuple[Reason, ...]:
    if not np.isfinite(probabilities).all():
        return (Reason("Some of its probabilities are NaN or infinite.", {}),)
    loss = -comparison.accuracy_difference.value
    if precision == "int8":
        if loss > criteria.max_loss + _ROUNDING:
            values = {"loss": f"{100 * loss:.2f}", "most": f"{100 * criteria.max_loss:.2f}"}
            return (
                Reason("Accuracy drops by {loss} percentage points; at most {most} are allowed.", values),
            )
    elif comparison.agreement < criteria.min_agreement:
        values = {
            "agreement": f"{100 * comparison.agreement:.2f}",
            "least": f"{100 * criteria.min_agreement:.2f}",
        }
        template = "It gives the same answer on {agreement} % of the images; at least {least} % is required."
        return (Reason(template, values),)
    return ()


def _predict(
    target: Format,
    source: ExportSource,
    folder: Path,
    reference: ReferencePredictions,
    on_image: Callable[[], None],
) -> tuple[ExportedPredictions, float]:
    """Return the export's predictions, and images per second without the time of decoding."""
    with wrap_converter_errors(target.name):
        runner = target.load(source, folder, usable_cores())
    rows: list[ExportOutput] = []
    seconds = 0.0
    for image in reference.pixels():
        start = time.perf_counter()
        rows.append(runner.predict(image))
        seconds += time.perf_counter() - start
        on_image()
    given = [row.answer for row in rows if row.answer is not None]
    answers = np.stack(given) if given else None
    return ExportedPredictions(np.stack([row.probabilities for row in rows]), answers), len(rows) / seconds


def _latencies(target: Format, source: ExportSource, folder: Path, image: UInt8Array) -> tuple[float, float]:
    """Return median milliseconds for an image on one thread: of the export and of the original, in turn."""
    with wrap_converter_errors(target.name):
        export = target.load(source, folder, 1)
    original = SealedModel(source.model.path, threads=1)
    calls = (lambda: export.predict(image), lambda: original.probabilities(image[None]))
    latency, latency_original = interleaved_ms(calls, _TIMED_RUNS)
    return latency, latency_original
