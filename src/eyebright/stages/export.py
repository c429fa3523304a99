"""`export`: a sealed model in other formats, none handed out before it was compared with the original."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import onnx

from eyebright.compression.rung import Rung
from eyebright.config.export import ExportConfig
from eyebright.data.decode import decode
from eyebright.errors import EyebrightError
from eyebright.exporting.base import Format, Precision, Source
from eyebright.exporting.beside import write_beside
from eyebright.exporting.certificate import Bar, Certificate, certify
from eyebright.exporting.comparison import Originals
from eyebright.exporting.formats import FORMATS
from eyebright.language import translate
from eyebright.runtime.atomic import write_text
from eyebright.runtime.progress import SILENT, Progress
from eyebright.sealed.model import SealedModel
from eyebright.stages.export_folder import CERTIFICATE, finished, in_progress, rejected
from eyebright.stages.export_images import ExportImages, export_images
from eyebright.stages.judge import ask
from eyebright.stages.outcome import versions
from eyebright.stages.untouched import check_untouched
from eyebright.types import UInt8Array


@dataclass(frozen=True)
class Exported:
    """One export: its folder's name, where it lies, and what the comparison found."""

    name: str
    folder: Path
    certificate: Certificate


@dataclass(frozen=True)
class Exports:
    """What an export left: everything that was written, and why the rest was not.

    Attributes:
        directory: holds a folder for each export.
        done: in the order that was asked for, rejected ones too.
        failed: errors by format.
    """

    directory: Path
    done: Sequence[Exported]
    failed: dict[str, EyebrightError]

    @property
    def passed(self) -> bool:
        """Whether everything that was asked for was written and reached its bar."""
        return not self.failed and all(exported.certificate.passed for exported in self.done)


def export(config: ExportConfig, progress: Progress = SILENT) -> Exports:
    """Exports a model to each format that is asked for, and certifies each.

    Args:
        config: which model, which formats.
        progress: is told what is done.

    Raises:
        NotFoundError: the model does not exist.
        ModelError: the file is not a sealed model.
        DataError: the images to compare on are gone.
        UnsupportedError, MissingExtraError: the only format that is asked for cannot be had.
    """
    exporter = Exporter(config, progress)
    done: list[Exported] = []
    failed: dict[str, EyebrightError] = {}
    for target in exporter.targets:
        try:
            done.append(exporter.export(target))
        except EyebrightError as error:
            if len(exporter.targets) == 1:
                raise
            progress.say(f"{target.name}: {error.text(config.lang)}")
            failed[target.name] = error
    return Exports(exporter.directory, done, failed)


class Exporter:
    """Exports of one model; the original is asked and compressed once for all formats."""

    def __init__(self, config: ExportConfig, progress: Progress) -> None:
        self.config = config
        self.progress = progress
        self.model = SealedModel(config.model, threads=1)
        check_untouched(self.model.path)
        self.directory = config.out or self.model.path.parent / "exports"
        self.precision: Precision = "fp32"
        self.bar = Bar(config.min_agreement)
        names = [_name(name, config.plain) for name in dict.fromkeys(config.to)]
        self.targets = [FORMATS[name] for name in names]
        self._graph = onnx.load(self.model.path)

    @cached_property
    def images(self) -> ExportImages:
        """The images to compare and calibrate on."""
        config = self.config
        return export_images(self.model, config.data, config.images, config.seed, self.progress, config.lang)

    @cached_property
    def originals(self) -> Originals:
        """The original's answers."""
        images, lang = self.images, self.config.lang
        text = translate("Asking the sealed model", lang)
        with self.progress.task(text, total=len(images.compared)) as task:
            answers = ask(self.model, images.root, images.compared, task)

        def pixels() -> Iterator[UInt8Array]:
            return (decode(images.root / s.path, min_side=self.model.size) for s in answers.samples)

        return Originals(answers.probabilities, answers.truth, pixels, "val")

    def export(self, target: Format) -> Exported:
        """Exports to one format, by the first rung that reaches the bar."""
        name = target.name if self.precision == "fp32" else f"{target.name}-{self.precision}"
        for rung in self._ladder():
            source = Source(self.model, rung.graph, self.precision)
            target.check(source)
            exported = self._one(target, source, name, rung)
            if exported.certificate.passed:
                break
        return exported

    def _one(self, target: Format, source: Source, name: str, rung: Rung) -> Exported:
        lang = self.config.lang
        folder = self.directory / name
        originals = self.originals  # before anything is written: its images may be gone
        with in_progress(folder) as temporary:
            how = translate(rung.summary, lang)
            self.progress.say(translate("Exporting to {format}: {how}", lang, format=name, how=how))
            target.export(source, temporary)
            text = translate("Comparing {format}", lang, format=name)
            with self.progress.task(text, total=len(originals.truth)) as task:
                certificate = certify(
                    target,
                    source,
                    temporary,
                    originals,
                    self.bar,
                    versions=versions(*target.packages),
                    details={"compression": rung.summary, **rung.details},
                    on_image=task.advance,
                )
            beside = write_beside(target, source, temporary, certificate) if certificate.passed else {}
            content = certificate.to_json() | {"beside": beside}
            write_text(temporary / CERTIFICATE, json.dumps(content, indent=1, ensure_ascii=False))
            (finished if certificate.passed else rejected)(temporary, folder)
        return Exported(name, folder, certificate)

    def _ladder(self) -> Iterator[Rung]:
        """The graphs to try, the most wanted first."""
        yield Rung("as it is", self._graph)


def _name(name: str, plain: bool) -> str:
    return "onnx-plain" if name == "onnx" and plain else name
