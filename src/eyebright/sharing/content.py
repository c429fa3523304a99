"""Which files of a run are shared, in the layout of the Hugging Face hub; images and their names are not."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Literal, TypeAlias

from pydantic import TypeAdapter

from eyebright.backbones.stored import WEIGHTS
from eyebright.data.manifest_file import read_manifest
from eyebright.errors import ConfigError, ModelError
from eyebright.exporting.certificate.integrity import CERTIFICATE, StoredCertificate
from eyebright.runs.integrity import require_unmodified
from eyebright.runs.metrics import METRICS
from eyebright.runs.run import Run
from eyebright.runtime.stored import Value, read_json, read_stored, reason_of
from eyebright.sealed.model import SealedModel
from eyebright.sharing.place import Content, content_digest
from eyebright.sharing.sums import CARD, CERTIFICATES, CONFIG, EXPORTS, SUMS, sums_text
from eyebright.types import Json, StoredJson

#: What is shared only where it is asked for: the first two name every image.
More: TypeAlias = Literal["predictions", "manifest", "exports"]
_NAMED: Mapping[str, str] = {"predictions": "predictions.csv", "manifest": "manifest.parquet"}
_LEFT_OUT = "(left out)"
_OWN_CARD = "model_card.md"
_JSON: TypeAdapter[StoredJson] = TypeAdapter(StoredJson)
_CERTIFICATE = TypeAdapter(StoredCertificate)


def shared_files(run: Run, more: Collection[More], *, report: bool) -> dict[str, Content]:
    """Return the files of a run to share, by name: `SHA256SUMS` first, `metrics.json` last.

    Args:
        run: of a training.
        more: what is shared beyond the model, its card and its metrics.
        report: whether `report.html`, which shows some of the images, is shared.

    Raises:
        ConfigError: the run has no model, or lacks what was asked for.
        ModelError: its files are not those that the run wrote.
    """
    if not run.model.is_file():
        raise ConfigError(
            "Only a run with a model can be pushed. {path} has no model.onnx, as the run of an evaluation. "
            "Give the run of the training.",
            path=run.directory,
        )
    require_unmodified(run.model)
    names = frozenset() if _NAMED.keys() & set(more) else _image_names(run)
    files: dict[str, Content] = {run.model.name: run.model, CONFIG: _config(SealedModel(run.model))}
    card = next((path for name in (_OWN_CARD, CARD) if (path := run.directory / name).is_file()), None)
    if card is not None:
        files[CARD] = card
    if (run.directory / WEIGHTS).is_file():
        files[WEIGHTS] = run.directory / WEIGHTS
    if report and run.report.is_file():
        files[run.report.name] = run.report
    for name in more:
        files |= _exports(run) if name == "exports" else _asked(run, _NAMED[name])
    files |= _certificates(run, names)
    metrics = _without_names(run.directory / METRICS, names)
    sums = {name: content_digest(content) for name, content in (files | {METRICS: metrics}).items()}
    return {SUMS: sums_text(sums).encode(), **files, METRICS: metrics}


def _asked(run: Run, name: str) -> dict[str, Content]:
    if not (run.directory / name).is_file():
        raise ConfigError(
            "What --include names must be in the run. {path} has no {name}. Omit it.",
            path=run.directory,
            name=name,
        )
    return {name: run.directory / name}


def _config(model: SealedModel) -> bytes:
    """Return the labels as readers of the hub know them, and what the graph takes and gives."""
    labels = dict(enumerate(model.labels))
    content: Json = {
        "library_name": "onnx",
        "num_labels": len(labels),
        "id2label": {str(number): label for number, label in labels.items()},
        "label2id": {label: number for number, label in labels.items()},
        "problem_type": (
            "multi_label_classification" if model.task.multilabel else "single_label_classification"
        ),
        "image_size": model.size,
        "backbone": model.card.backbone,
        "onnx": {
            "file": "model.onnx",
            # Resizing and normalisation are inside: a preprocessor of a library would do them twice.
            "input": {"name": "images", "dtype": "uint8", "layout": "NHWC", "colour": "RGB"},
            "output": {"name": "probabilities", "dtype": "float32"},
        },
    }
    return json.dumps(content, indent=2, ensure_ascii=False).encode()


def _certificates(run: Run, names: Collection[str]) -> dict[str, Content]:
    """Return the certificates of exports, and those that were pulled with the run, by names of their own."""
    pulled = sorted((run.directory / CERTIFICATES).glob("*.json"))
    made = sorted((run.directory / EXPORTS).glob(f"*/{CERTIFICATE}"))
    found = {path.name: path for path in pulled} | {f"{path.parent.name}.json": path for path in made}
    return {f"{CERTIFICATES}/{name}": _without_names(path, names) for name, path in found.items()}


def _exports(run: Run) -> dict[str, Content]:
    """Return all files of the exports that were accepted."""
    folders = sorted(path.parent for path in (run.directory / EXPORTS).glob(f"*/{CERTIFICATE}"))
    accepted = [folder for folder in folders if _read(_CERTIFICATE, folder / CERTIFICATE).passed]
    if not accepted:
        raise ConfigError(
            "What --include names must be in the run. {path} has no accepted export. Run `eyebright export` "
            "first, or omit it.",
            path=run.directory,
        )
    return {
        path.relative_to(run.directory).as_posix(): path
        for folder in accepted
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }


def _image_names(run: Run) -> frozenset[str]:
    """Return the paths of all images that the run knows, relative to their folder."""
    manifest = run.directory / _NAMED["manifest"]
    if not manifest.is_file():  # pulled, so what it has may be shared
        return frozenset()
    return frozenset(sample.path for sample in read_manifest(manifest).samples)


def _without_names(path: Path, names: Collection[str]) -> bytes:
    """Return a file of JSON in which no image and no folder of this machine is named."""
    text = read_stored(path)
    content = _read(_JSON, path)
    changed = _left_out(content, frozenset(names))
    return text if changed == content else json.dumps(changed, indent=1, ensure_ascii=False).encode()


def _left_out(value: Json, names: frozenset[str]) -> Json:
    match value:
        case str():
            if PurePosixPath(value).is_absolute() or PureWindowsPath(value).is_absolute():
                value = PureWindowsPath(value).name or _LEFT_OUT
            return _LEFT_OUT if value in names else value
        case dict():
            skipped = {"path", "reason"} <= value.keys() and names
            return {
                key: _LEFT_OUT if skipped and key in ("path", "reason") else _left_out(inner, names)
                for key, inner in value.items()
            }
        case list():
            return [_left_out(inner, names) for inner in value]
        case _:
            return value


def _read(kind: TypeAdapter[Value], path: Path) -> Value:
    try:
        return read_json(kind, path)
    except (OSError, ValueError) as error:
        raise ModelError(
            "A run's files must be those that it wrote. {path} is not: {reason}. Restore it from a copy of "
            "the run, or make it again.",
            path=path,
            reason=reason_of(error),
        ) from error
