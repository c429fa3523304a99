"""`export`: a sealed model in other formats, each compared with the original before it is written."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import count
from pathlib import Path

import numpy as np

from eyebright.compression.candidate import QuantisationCandidate
from eyebright.errors import ConfigError, EyebrightError
from eyebright.exporting.base import (
    ExportSource,
    Format,
    Precision,
    UnsupportedError,
    wrap_converter_errors,
)
from eyebright.exporting.catalog import FORMATS
from eyebright.exporting.certificate.certificate import (
    AcceptanceCriteria,
    Certificate,
    certify,
    undecided,
)
from eyebright.exporting.certificate.comparison import ReferencePredictions
from eyebright.exporting.certificate.compression import kernels, original_bytes, speedup
from eyebright.exporting.certificate.integrity import EXPORTS
from eyebright.exporting.certificate.sidecar_files import write_sidecar_files
from eyebright.exporting.precision import precision_of
from eyebright.runs.images import columns_for
from eyebright.runs.integrity import require_unmodified
from eyebright.runs.metrics import versions
from eyebright.runs.scoring import predict_samples
from eyebright.runtime.atomic import write_text
from eyebright.runtime.context import progress, progress_task, say, stage
from eyebright.sealed.model import SealedModel, sealed_with
from eyebright.text.language import translate
from eyebright.types import JsonObject, UInt8Array
from eyebright.verbs.export.candidates import check_precision, quantisation_candidates
from eyebright.verbs.export.folder import CERTIFICATE, finished, in_progress, rejected, waiting
from eyebright.verbs.export.images import ExportImages, export_images
from eyebright.verbs.export.options import ExportConfig
from eyebright.verbs.export.result import Exported, Exports

#: The formats that keep the texts of a model that reads them.
_WITH_TEXTS = ("onnx",)


@stage
def export(config: ExportConfig) -> Exports:
    """Export a model to each format, and certify each.

    Args:
        config: which model, which formats.

    Raises:
        NotFoundError: the model does not exist.
        ModelError: the file is not a sealed model.
        DataError: the images to compare on are missing.
        UnsupportedError, MissingExtraError: the only format cannot be written.
    """
    exporter = Exporter(config)
    done: list[Exported] = []
    failed: dict[str, EyebrightError] = {}
    for target in exporter.targets:
        try:
            done.append(exporter.export(target))
        except EyebrightError as error:
            if len(exporter.targets) == 1:
                raise
            progress().say(f"{target.name}: {error.text()}")
            failed[target.name] = error
    return Exports(exporter.directory, done, failed)


class Exporter:
    """Export one model; the original is run and compressed once for all formats."""

    def __init__(self, config: ExportConfig) -> None:
        self.config = config
        self.model = SealedModel(config.model, threads=1)
        require_unmodified(self.model.path)
        self.directory = config.out or self.model.path.parent / EXPORTS
        self.criteria = AcceptanceCriteria(config.min_agreement, config.max_loss / 100)
        names = [_name(name, config.plain) for name in dict.fromkeys(config.to)]
        self.targets = [FORMATS[name] for name in names]
        if self.model.has_text:
            _require_texts_kept(config, names, self.model)
        self.precision: Precision = "int8" if config.int8 else "fp16" if config.fp16 else "fp32"
        self._coming = quantisation_candidates(self.model, self.precision, lambda: self.images, config.seed)
        self._made: list[QuantisationCandidate | Exception | None] = []

    @cached_property
    def images(self) -> ExportImages:
        """Return the images to compare and calibrate on."""
        config = self.config
        return export_images(
            self.model, config.data, config.max_images, config.seed, columns_for(config, self.model)
        )

    @cached_property
    def reference(self) -> ReferencePredictions:
        """Return the original's predictions."""
        images = self.images
        # An export is asked about images alone, as whoever knows no texts asks it.
        compared = [replace(sample, text="") for sample in images.compared]
        answers = predict_samples(self.model, images.root, compared)
        if answers.skipped:
            say(
                "{count} of {total:image|images} could not be read; only the rest is compared.",
                count=len(answers.skipped),
                total=len(images.compared),
            )

        def pixels() -> Iterator[UInt8Array]:
            return (self.model.pixels(images.root / s.path, s.sha) for s in answers.samples)

        return ReferencePredictions(
            answers.probabilities,
            answers.truth,
            pixels,
            images.split,
            self.model.decisions,
            answers.scores,
            answers.groups(np.arange(len(answers.samples))),
        )

    def export(self, target: Format) -> Exported:
        """Export to one format, with the first candidate that passes; with the best, if none does."""
        check_precision(target, self.precision)
        name = target.name if self.precision == "fp32" else f"{target.name}-{self.precision}"
        tried: list[tuple[QuantisationCandidate, Exported]] = []
        refused: UnsupportedError | None = None
        # An earlier export stays until the last candidate: the search may be stopped, or end with an error.
        with waiting(self.directory / name) as best:
            for candidate in self._candidates():
                # As it is, a model may be a compressed one already.
                computes = precision_of(candidate.graph) if self.precision == "fp32" else self.precision
                # Files of earlier versions have no answer, and what is exported has one.
                graph = sealed_with(candidate.graph, self.model.labels, self.model.metadata)
                source = ExportSource(self.model, graph, computes)
                target.check(source)
                try:
                    exported = self._attempt(_Attempt(target, name, source, candidate, tuple(tried)), best)
                except UnsupportedError as error:
                    if self.precision != "int8":
                        raise
                    # A runtime that cannot load one candidate may load the next, which keeps more in float.
                    progress().say(error.text())
                    refused = error
                    continue
                tried.append((candidate, exported))
                if exported.certificate.passed:
                    return exported
            if refused is not None and not tried:
                raise refused
            rejected(best, self.directory / name)
        return max((exported for _, exported in tried), key=_quality)

    def _candidates(self) -> Iterator[QuantisationCandidate]:
        """Yield the candidates, each made once for all formats; an error is raised for each of them."""
        for place in count():
            if place == len(self._made):
                try:
                    self._made.append(next(self._coming, None))
                except Exception as error:  # a generator that raised is over: the next format must hear why
                    self._made.append(error)
            made = self._made[place]
            if isinstance(made, Exception):
                raise made
            if made is None:
                return
            yield made

    def _attempt(self, attempt: _Attempt, best: Path) -> Exported:
        """Write and certify one candidate; a failed one is kept in ``best`` if none before was better."""
        name = attempt.name
        folder = self.directory / name
        reference = self.reference  # before anything is written: its images may be missing
        with in_progress(folder) as temporary:
            say("Exporting to {format}: {how}", format=name, how=translate(attempt.candidate.summary))
            with wrap_converter_errors(name):
                attempt.target.export(attempt.source, temporary)
            certificate = self._certified(attempt, temporary, reference)
            exported = Exported(name, folder, certificate)
            sidecar_files = (
                write_sidecar_files(attempt.target, attempt.source, temporary, certificate)
                if certificate.passed
                else {}
            )
            content = certificate.to_json() | {"sidecar_files": sidecar_files}
            write_text(
                temporary / CERTIFICATE, json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
            )
            if certificate.passed:
                finished(temporary, folder)
            elif all(_quality(exported) > _quality(other) for _, other in attempt.before):
                finished(temporary, best)
        return exported

    def _certified(self, attempt: _Attempt, folder: Path, reference: ReferencePredictions) -> Certificate:
        target, source = attempt.target, attempt.source
        details = {"compression": attempt.candidate.summary, **attempt.candidate.details}
        if self.precision == "int8":
            before = [_summary(candidate, exported) for candidate, exported in attempt.before]
            with wrap_converter_errors(attempt.name):
                details |= {"rejected_candidates": before, **asdict(kernels(target, source, folder))}
        total = len(reference.truth)
        with progress_task("Comparing {format} with the original", total, format=attempt.name) as task:
            certificate = certify(
                target,
                source,
                folder,
                reference,
                self.criteria,
                versions=versions(*target.packages),
                details=details,
                on_image=task.advance,
            )
        for reason in (*certificate.reasons, *undecided(target, self.model.decisions)):
            progress().say(reason.text())
        if self.precision == "fp32":
            return certificate
        found = speedup(certificate, original_bytes(target, source))
        progress().say(found.text())
        return replace(certificate, notes=(*certificate.notes, str(found)))


def _require_texts_kept(config: ExportConfig, names: Sequence[str], model: SealedModel) -> None:
    """Refuse formats and precisions that would lose the texts of a model.

    Raises:
        ConfigError: naming them.
    """
    lost = [name for name in names if name not in _WITH_TEXTS]
    lost += [f"--{name}" for name, asked in (("int8", config.int8), ("fp16", config.fp16)) if asked]
    if lost:
        raise ConfigError(
            "A model that reads texts is exported to {kept}, in full precision. {lost} would lose the "
            "texts of {path}. Leave it out, or train a model without --text.",
            kept=", ".join(_WITH_TEXTS),
            lost=", ".join(lost),
            path=model.path,
        )


@dataclass(frozen=True)
class _Attempt:
    """One candidate in one format, and the candidates that were rejected before it."""

    target: Format
    name: str
    source: ExportSource
    candidate: QuantisationCandidate
    before: tuple[tuple[QuantisationCandidate, Exported], ...]


def _summary(candidate: QuantisationCandidate, exported: Exported) -> JsonObject:
    """Return what the certificate of a later candidate says of a rejected one."""
    found = exported.certificate.comparison
    return {
        "compression": candidate.summary,
        "accuracy_difference": found.accuracy_difference.value,
        "mean_difference": found.mean_difference,
        **candidate.details,
    }


def _quality(exported: Exported) -> tuple[float, float]:
    """Order rejected exports: by accuracy, then by how little the probabilities moved."""
    found = exported.certificate.comparison
    return found.accuracy, -found.mean_difference


def _name(name: str, plain: bool) -> str:
    return "onnx-plain" if name == "onnx" and plain else name
