"""The result of `inspect`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from eyebright.data.manifest import FOLDS
from eyebright.exporting.certificate.integrity import FileCheck
from eyebright.exporting.certificate.signature import Signature, with_sizes
from eyebright.report.display import Displayed, ResultTable
from eyebright.report.metrics_content import MetricsContent
from eyebright.runs.summary import figure_rows
from eyebright.sealed.card import SealedCard
from eyebright.text.format import split_name
from eyebright.text.language import translate
from eyebright.text.table import printable
from eyebright.types import JsonObject

_LABELS = 20


@dataclass(frozen=True, kw_only=True, repr=False)
class Inspection(Displayed):
    """Facts on a model file or an export; it shows them when it is printed.

    Attributes:
        path: the file or folder.
        kind: a sealed model, or an export.
        format, precision, input: of an export; `input` describes its inputs and outputs.
        passed: whether an export met its acceptance criteria; None for a sealed model.
        labels: the classes in the order of the outputs.
        licence: of the weights and of the data, None where unknown.
        card: backbone, preprocessing, taps and temperature.
        metrics: headline metrics, and the split that they were measured on.
        hashes: of the file or export, of its baseline, of the configuration and of the data.
        versions: of packages, those of the training and those of the export.
        signature: the graph's inputs and outputs; None where the file cannot be read here.
        files: those whose hash was recorded, each unchanged, changed or missing.
        parent: whether the model beside an export is the one it was made from; None where that is not known.
        notes: other facts that a user must know, in English.
    """

    path: Path
    kind: Literal["sealed", "export"]
    format: str
    precision: str | None = None
    input: str | None = None
    passed: bool | None = None
    labels: tuple[str, ...] = ()
    licence: Mapping[str, str | None]
    card: SealedCard | None = None
    metrics: MetricsContent | None = None
    hashes: Mapping[str, str | None]
    versions: Mapping[str, Mapping[str, str] | None]
    signature: Signature | None = None
    files: tuple[FileCheck, ...] = ()
    parent: Literal["same", "other", "gone"] | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def untouched(self) -> bool:
        """Return whether no file was changed or is missing, as far as hashes were recorded."""
        return all(check.state == "unchanged" for check in self.files)

    def to_json(self) -> JsonObject:
        """Return the content of `inspect --json`."""
        card = None if self.card is None else self.card.content
        return asdict(self) | {"path": str(self.path), "card": card, "untouched": self.untouched}

    def display(self) -> Iterator[str | ResultTable]:
        """Yield what the file is, where it comes from, its metrics, and whether it was changed."""
        yield _heading(self)
        yield ResultTable([*_graph(self), *_origin(self)], head=False)
        if self.metrics:
            split = str(self.metrics.get("split"))
            yield (
                translate("Measured at training time, by cross-validation:")
                if split == FOLDS
                else translate("Measured at training time, on the {split} split:", split=split_name(split))
            )
            yield ResultTable(figure_rows(self.metrics), right=(1,))
        yield ResultTable([*_hashes(self), *_versions(self)], head=False)
        yield "\n".join(_verdict(self))


def _heading(found: Inspection) -> str:
    path = printable(str(found.path))
    if found.kind == "sealed":
        return translate("Sealed model: {path}", path=path)
    text = translate(
        "Export to {format}, {precision}: {path}",
        format=found.format,
        precision=found.precision,
        path=path,
    )
    return text if found.passed else f"{text}  {translate('REJECTED')}"


def _graph(found: Inspection) -> Iterator[tuple[str, str]]:
    if found.signature:
        for tensor in found.signature.inputs:
            yield translate("Input"), str(tensor)
        for tensor in found.signature.outputs:
            yield translate("Output"), str(tensor)
    elif found.input:
        size = found.card.size if found.card else None
        yield translate("Interface"), with_sizes(found.input, size, len(found.labels))


def _origin(found: Inspection) -> Iterator[tuple[str, str]]:
    if found.labels:
        shown = ", ".join(printable(label) for label in found.labels[:_LABELS])
        if (more := len(found.labels) - _LABELS) > 0:
            shown += " " + translate("and {count} more", count=more)
        yield translate("Classes"), f"{len(found.labels)}: {shown}"
    if card := found.card:
        preprocessing = card.content["preprocessing"]
        yield translate("Backbone"), f"{card.backbone}, {card.size} px"
        yield translate("Source"), card.source
        kept = {key: preprocessing[key] for key in ("interpolation", "mean", "std")}
        yield translate("Preprocessing"), ", ".join(f"{key} {value}" for key, value in kept.items())
    unknown = translate("unknown")
    yield translate("Licence of the weights"), found.licence.get("weights") or unknown
    yield translate("Licence of the data"), printable(found.licence.get("data") or unknown)


def _hashes(found: Inspection) -> Iterator[tuple[str, str]]:
    names = {
        "sha256": translate("SHA-256"),
        "parent_sha256": translate("SHA-256 of the baseline"),
        "config_sha256": translate("SHA-256 of config.toml"),
        "data_sha": translate("Hash of the data"),
    }
    for key, name in names.items():
        if value := found.hashes.get(key):
            yield name, value


def _versions(found: Inspection) -> Iterator[tuple[str, str]]:
    names = {"training": translate("Trained with"), "export": translate("Exported with")}
    for key, name in names.items():
        if versions := found.versions.get(key):
            yield name, _listed(versions)


def _listed(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{package} {number}" for package, number in versions.items())


def _verdict(found: Inspection) -> Iterator[str]:
    yield from found.notes
    if found.parent == "other":
        yield translate("STALE: the model of the run is another one than this export was made from.")
    elif found.parent == "gone":
        yield translate("STALE: the model that this export was made from is no longer in the run.")
    if not found.files:
        yield translate("Integrity unknown: no hash of this file is stored beside it.")
    elif found.untouched:
        count = len(found.files)
        yield translate(
            "OK: {count:file matches its recorded hash|files match their recorded hashes}.", count=count
        )
    for check in found.files:
        name = printable(check.name)
        if check.state == "changed":
            yield translate("CHANGED: {path} differs from what was written.", path=name)
        elif check.state == "missing":
            yield translate("MISSING: {path} no longer exists.", path=name)
