"""ONNX: the sealed graph as it is, or the bare network for a normalised tensor."""

from __future__ import annotations

from pathlib import Path

import onnx

from eyebright.exporting.base import Precision, Source
from eyebright.exporting.session import OnnxSession
from eyebright.runtime.atomic import write_bytes
from eyebright.sealed.graph import INPUT
from eyebright.sealed.model import set_metadata
from eyebright.sealed.subgraphs import PIXELS

FILE = "model.onnx"


class SealedOnnx:
    """The sealed graph, for ONNX Runtime; int8 and fp16 are compressed graphs with the same contract."""

    name = "onnx"
    input = "uint8 RGB images (B, H, W, 3) of any size; probabilities (B, K)"
    packages = ()
    notes = ()
    precisions: frozenset[Precision] = frozenset({"fp32", "fp16", "int8"})

    def check(self, source: Source) -> None:
        """Takes every network."""

    def export(self, source: Source, folder: Path) -> None:
        """Writes `model.onnx` with the original's metadata."""
        write_onnx(source.graph, source, folder)

    def load(self, source: Source, folder: Path, threads: int) -> OnnxSession:
        """Loads it with ONNX Runtime."""
        return OnnxSession(folder / FILE, threads, INPUT, lambda image: image[None])


class PlainOnnx:
    """The network alone, for programs that resize and normalise by themselves."""

    name = "onnx-plain"
    input = "float32 (B, 3, S, S), resized and normalised as the card says; probabilities (B, K)"
    packages = ()
    notes = ()
    precisions: frozenset[Precision] = frozenset({"fp32", "fp16", "int8"})

    def check(self, source: Source) -> None:
        """Takes every network."""

    def export(self, source: Source, folder: Path) -> None:
        """Writes `model.onnx` with the original's metadata."""
        write_onnx(source.plain, source, folder)

    def load(self, source: Source, folder: Path, threads: int) -> OnnxSession:
        """Loads it with ONNX Runtime; resize and normalisation are Pillow's and numpy's."""
        return OnnxSession(folder / FILE, threads, PIXELS, source.normalised)


def write_onnx(graph: onnx.ModelProto, source: Source, folder: Path) -> None:
    """Writes a graph as `model.onnx`, with the labels and all that the original says of itself."""
    whole = onnx.ModelProto()
    whole.CopyFrom(graph)
    set_metadata(whole, source.model.metadata)
    write_bytes(folder / FILE, whole.SerializeToString())
