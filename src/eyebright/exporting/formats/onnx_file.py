"""ONNX: the sealed graph as it is, or the part of it behind resize and normalisation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx

from eyebright.exporting.base import GIVEN, ExportOutput, ExportSource, Precision
from eyebright.onnx_graph.edit import copy_of
from eyebright.runtime.atomic import write_bytes
from eyebright.runtime.onnx_session import open_session
from eyebright.sealed.graph import ANSWER, INPUT, OUTPUT
from eyebright.sealed.model import set_metadata
from eyebright.sealed.subgraphs import PIXELS
from eyebright.types import UInt8Array

FILE = "model.onnx"


class _OnnxFile:
    """`model.onnx`, run by ONNX Runtime; int8 and fp16 are compressed graphs with the same interface."""

    packages: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    decides = True
    precisions: frozenset[Precision] = frozenset({"fp32", "fp16", "int8"})

    def check(self, source: ExportSource) -> None:
        """Accept every model."""


class SealedOnnx(_OnnxFile):
    """The sealed graph, which takes raw pixels."""

    name = "onnx"
    input = "uint8 RGB images (B, H, W, 3) of any size; " + GIVEN

    def export(self, source: ExportSource, folder: Path) -> None:
        """Write `model.onnx` with the original's metadata."""
        write_onnx(source.graph, source, folder)

    def load(self, source: ExportSource, folder: Path, threads: int) -> OnnxRunner:
        """Load it with ONNX Runtime."""
        return OnnxRunner(folder / FILE, threads)


class PlainOnnx(_OnnxFile):
    """Backbone and head alone, for programs that resize and normalise by themselves."""

    name = "onnx-plain"
    input = "float32 (B, 3, S, S), resized and normalised as the card says; " + GIVEN

    def export(self, source: ExportSource, folder: Path) -> None:
        """Write `model.onnx` with the original's metadata."""
        write_onnx(source.normalised_graph, source, folder)

    def load(self, source: ExportSource, folder: Path, threads: int) -> OnnxRunner:
        """Load it with ONNX Runtime; Pillow resizes and numpy normalises."""
        return OnnxRunner(folder / FILE, threads, PIXELS, source.normalised)


class OnnxRunner:
    """An ONNX file that predicts one image per call.

    Args:
        model: the file, or its bytes.
        threads: of one call.
        input_name: of the graph's input.
        prepare: turns an RGB image (H, W, 3) into a batch of one, as the input takes it.
    """

    def __init__(
        self,
        model: Path | bytes,
        threads: int,
        input_name: str = INPUT,
        prepare: Callable[[UInt8Array], Any] = lambda image: image[None],
    ) -> None:
        self._session = open_session(model, threads)
        given = {output.name for output in self._session.get_outputs()}
        self._outputs = [name for name in (OUTPUT, ANSWER) if name in given]
        self._input = input_name
        self._prepare = prepare

    def predict(self, image: UInt8Array) -> ExportOutput:
        """Return what the file gives for one RGB image (H, W, 3)."""
        return ExportOutput.of(self._session.run(self._outputs, {self._input: self._prepare(image)}))


def write_onnx(graph: onnx.ModelProto, source: ExportSource, folder: Path) -> None:
    """Write a graph as `model.onnx`, with the labels and all other metadata of the original."""
    whole = copy_of(graph)
    set_metadata(whole, source.model.metadata)
    write_bytes(folder / FILE, whole.SerializeToString())
