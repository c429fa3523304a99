"""The measurements of `eyebright benchmark`: each model in each runtime, by threads and batch size."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import onnx

from eyebright.errors import ModelError
from eyebright.exporting.base import ExportSource
from eyebright.exporting.certificate.hashes import sha256
from eyebright.exporting.certificate.integrity import check_files, export_folder, read_certificate
from eyebright.exporting.formats.openvino_ir import OpenVino
from eyebright.sealed.model import SealedModel, model_file

Kind = Literal["onnx", "openvino", "export"]


@dataclass(frozen=True)
class BenchmarkModel:
    """One model in one runtime, measured in a process of its own.

    Attributes:
        name: of the model, as it is shown.
        runtime: that runs it, or the format that was exported.
        kind: how the process loads it: a graph for raw pixels by ONNX Runtime or OpenVINO, which take
            batches, or an export by its format's own runtime, which answers one image a call.
        path: of the file, or of the export's folder.
        parent: the sealed model that an export was made of.
        threads: of a call.
        batch: images of a call.
    """

    name: str
    runtime: str
    kind: Kind
    path: Path
    parent: Path
    threads: int
    batch: int


def benchmark_models(
    models: Sequence[Path], threads: Sequence[int], batches: Sequence[int], stack: ExitStack
) -> list[BenchmarkModel]:
    """Return all that is to be measured, in the order of the models.

    Args:
        models: runs, sealed models and folders of exports.
        threads: numbers of threads.
        batches: numbers of images.
        stack: keeps converted files until the measuring is over.

    Raises:
        NotFoundError, ModelError: a path is not a model.
    """
    parents = _parents(models)
    found: list[BenchmarkModel] = []
    for path in models:
        folder = export_folder(path)
        ways = _sealed(path, stack) if folder is None else _exported(folder, parents)
        for name, runtime, kind, file, parent in ways:
            sizes = [1] if kind == "export" else list(dict.fromkeys(batches))
            found += [
                BenchmarkModel(name, runtime, kind, file, parent, count, batch)
                for count in dict.fromkeys(threads)
                for batch in sizes
            ]
    return found


_Way = tuple[str, str, Kind, Path, Path]


def _sealed(path: Path, stack: ExitStack) -> Iterator[_Way]:
    """Yield a sealed model in ONNX Runtime, and in OpenVINO if that is installed."""
    model = SealedModel(path, threads=1)
    name = model.path.absolute().parent.name if path.is_dir() else path.stem
    yield name, "onnxruntime", "onnx", model.path, model.path
    if find_spec("openvino") is None:
        return
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    OpenVino().export(ExportSource(model, onnx.load(model.path)), folder)
    yield name, "openvino", "openvino", folder / "model.xml", model.path


def _exported(folder: Path, parents: dict[str, Path]) -> Iterator[_Way]:
    certificate = read_certificate(folder)
    if not certificate.passed:
        raise ModelError(
            "An export must have passed its certificate to be measured. {path} has not. Export the "
            "model again, or remove this export.",
            path=folder,
        )
    if changed := [check.name for check in check_files(folder, certificate) if check.state != "unchanged"]:
        raise ModelError(
            "An export must be unmodified to be measured. Changed or missing in {path}: {files}. "
            "Export the model again.",
            path=folder,
            files=", ".join(changed),
        )
    beside = folder.absolute().parent.parent / "model.onnx"
    if beside.is_file():
        parents.setdefault(sha256(beside), beside)
    parent = parents.get(certificate.parent_sha256 or "")
    if parent is None:
        raise ModelError(
            "Benchmarking an export requires the model it was made from. The original of {path} was "
            "not found. Give its run directory as well.",
            path=folder,
        )
    name = f"{parent.absolute().parent.name}/{folder.absolute().name}"
    match certificate.format:
        case "onnx":
            yield name, "onnxruntime", "onnx", folder / "model.onnx", parent
        case "openvino":
            yield name, "openvino", "openvino", folder / "model.xml", parent
        case other:
            yield name, other, "export", folder, parent


def _parents(models: Sequence[Path]) -> dict[str, Path]:
    """Return the sealed models among the given paths, by their hash."""
    files = [model_file(path) for path in models if export_folder(path) is None]
    return {sha256(file): file for file in files if file.is_file()}
