"""`export`: a sealed model in other formats, none handed out before it was compared with the original."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from eyebright.compression.int8.candidate import Rung
from eyebright.data.decode import decode
from eyebright.errors import EyebrightError
from eyebright.exporting.base import Format, Source, UnsupportedError, in_our_words
from eyebright.exporting.catalog import FORMATS
from eyebright.exporting.certificate.certificate import Bar, Certificate, certify
from eyebright.exporting.certificate.comparison import Originals
from eyebright.exporting.certificate.kernels import kernels
from eyebright.exporting.certificate.sidecar_files import write_beside
from eyebright.exporting.certificate.speedup import gain, original_bytes
from eyebright.exporting.precision import precision_of
from eyebright.runs.integrity import check_untouched
from eyebright.runs.scoring import ask
from eyebright.runs.write import versions
from eyebright.runtime.atomic import write_text
from eyebright.runtime.context import progress, say, stage
from eyebright.sealed.model import SealedModel
from eyebright.text.language import translate
from eyebright.types import UInt8Array
from eyebright.verbs.export.candidates import Rungs, check_precision
from eyebright.verbs.export.folder import CERTIFICATE, finished, in_progress, rejected, waiting
from eyebright.verbs.export.images import ExportImages, export_images
from eyebright.verbs.export.options import ExportConfig
from eyebright.verbs.export.result import Exported, Exports


@stage
def export(config: ExportConfig) -> Exports:
    """Exports a model to each format that is asked for, and certifies each.

    Args:
        config: which model, which formats.

    Raises:
        NotFoundError: the model does not exist.
        ModelError: the file is not a sealed model.
        DataError: the images to compare on are gone.
        UnsupportedError, MissingExtraError: the only format that is asked for cannot be had.
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
    """Exports of one model; the original is asked and compressed once for all formats."""

    def __init__(self, config: ExportConfig) -> None:
        self.config = config
        self.model = SealedModel(config.model, threads=1)
        check_untouched(self.model.path)
        self.directory = config.out or self.model.path.parent / "exports"
        self.bar = Bar(config.min_agreement, config.max_loss / 100)
        names = [_name(name, config.plain) for name in dict.fromkeys(config.to)]
        self.targets = [FORMATS[name] for name in names]
        self.rungs = Rungs(self.model, lambda: self.images, config)

    @cached_property
    def images(self) -> ExportImages:
        """The images to compare and calibrate on."""
        config = self.config
        return export_images(self.model, config.data, config.images, config.seed)

    @cached_property
    def originals(self) -> Originals:
        """The original's answers."""
        images = self.images
        text = translate("Running the sealed model")
        with progress().task(text, total=len(images.compared)) as task:
            answers = ask(self.model, images.root, images.compared, task)

        if answers.skipped:
            text = "{count} of {total:image|images} could not be read; only the rest is compared."
            counts = {"count": len(answers.skipped), "total": len(images.compared)}
            say(text, **counts)

        def pixels() -> Iterator[UInt8Array]:
            return (decode(images.root / s.path, min_side=self.model.size) for s in answers.samples)

        return Originals(answers.probabilities, answers.truth, pixels, "val", self.model.thresholds)

    def export(self, target: Format) -> Exported:
        """Exports to one format, by the first rung that reaches the bar; by the best, if none does."""
        precision = self.rungs.precision
        check_precision(target, precision)
        name = target.name if precision == "fp32" else f"{target.name}-{precision}"
        tried: list[tuple[Rung, Exported]] = []
        refused: UnsupportedError | None = None
        # An earlier export stays until the last rung: the ladder may be stopped, or end with an error.
        with waiting(self.directory / name) as best:
            for rung in self.rungs:
                # As it is, a model may be a compressed one already.
                computes = precision_of(rung.graph) if precision == "fp32" else precision
                source = Source(self.model, rung.graph, computes)
                target.check(source)
                try:
                    exported = self._one(_Attempt(target, name, source, rung, tuple(tried)), best)
                except UnsupportedError as error:
                    if precision != "int8":
                        raise
                    # What a runtime cannot load of one step, it may of the next, which keeps more in float.
                    progress().say(error.text())
                    refused = error
                    continue
                tried.append((rung, exported))
                if exported.certificate.passed:
                    return exported
            if refused is not None and not tried:
                raise refused
            rejected(best, self.directory / name)
        return max((exported for _, exported in tried), key=_worth)

    def _one(self, attempt: _Attempt, best: Path) -> Exported:
        """Where it fails, it is kept in ``best`` only if none before was better."""
        name = attempt.name
        folder = self.directory / name
        originals = self.originals  # before anything is written: its images may be gone
        with in_progress(folder) as temporary:
            how = translate(attempt.rung.summary)
            say("Exporting to {format}: {how}", format=name, how=how)
            with in_our_words(name):
                attempt.target.export(attempt.source, temporary)
            certificate = self._certified(attempt, temporary, originals)
            exported = Exported(name, folder, certificate)
            beside = (
                write_beside(attempt.target, attempt.source, temporary, certificate)
                if certificate.passed
                else {}
            )
            content = certificate.to_json() | {"beside": beside}
            write_text(
                temporary / CERTIFICATE, json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
            )
            if certificate.passed:
                finished(temporary, folder)
            elif all(_worth(exported) > _worth(other) for _, other in attempt.before):
                finished(temporary, best)
        return exported

    def _certified(self, attempt: _Attempt, folder: Path, originals: Originals) -> Certificate:
        target, source = attempt.target, attempt.source
        details = {"compression": attempt.rung.summary, **attempt.rung.details}
        if self.rungs.precision == "int8":
            before = [_summary(rung, exported) for rung, exported in attempt.before]
            with in_our_words(attempt.name):
                details |= {"tried_before": before, **asdict(kernels(target, source, folder))}
        text = translate("Comparing {format} with the original", format=attempt.name)
        with progress().task(text, total=len(originals.truth)) as task:
            certificate = certify(
                target,
                source,
                folder,
                originals,
                self.bar,
                versions=versions(*target.packages),
                details=details,
                on_image=task.advance,
            )
        for reason in certificate.reasons:
            progress().say(reason.text())
        if self.rungs.precision == "fp32":
            return certificate
        found = gain(certificate, original_bytes(target, source))
        progress().say(found.text())
        return replace(certificate, notes=(*certificate.notes, str(found)))


@dataclass(frozen=True)
class _Attempt:
    """One rung in one format, and the rungs that failed before it."""

    target: Format
    name: str
    source: Source
    rung: Rung
    before: tuple[tuple[Rung, Exported], ...]


def _summary(rung: Rung, exported: Exported) -> dict[str, Any]:
    """What the certificate of a later rung says of one that failed."""
    found = exported.certificate.comparison
    return {
        "compression": rung.summary,
        "accuracy_difference": found.accuracy_difference.value,
        "mean_difference": found.mean_difference,
        **rung.details,
    }


def _worth(exported: Exported) -> tuple[float, float]:
    """Orders exports that failed: by accuracy, then by how little the probabilities moved."""
    found = exported.certificate.comparison
    return found.accuracy, -found.mean_difference


def _name(name: str, plain: bool) -> str:
    return "onnx-plain" if name == "onnx" and plain else name
