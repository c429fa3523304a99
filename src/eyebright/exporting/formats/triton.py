"""A model repository for NVIDIA Triton: the sealed graph with a `config.pbtxt`."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

from eyebright.exporting.base import GIVEN, ExportSource, Precision
from eyebright.exporting.certificate.sidecar_files import LABELS, label_lines
from eyebright.exporting.certificate.signature import Tensor, onnx_signature
from eyebright.exporting.formats.onnx_file import FILE, OnnxRunner, write_onnx
from eyebright.runtime.atomic import write_text
from eyebright.sealed.graph import OUTPUT

_CONFIG = "config.pbtxt"
_VERSION = "1"
_LARGEST_BATCH = 32
_TYPES = {"uint8": "TYPE_UINT8", "float32": "TYPE_FP32", "int64": "TYPE_INT64"}


class Triton:
    """`NAME/config.pbtxt`, `NAME/1/model.onnx` and `NAME/labels.txt`, for Triton's ONNX Runtime backend."""

    name = "triton"
    input = "uint8 RGB images (B, H, W, 3) of any size, up to 32 of one size at once; " + GIVEN
    packages = ("tritonclient",)
    notes = ("Triton puts requests together only where their images have one size.",)
    decides = True
    precisions: frozenset[Precision] = frozenset({"fp32", "fp16", "int8"})

    def check(self, source: ExportSource) -> None:
        """Accept every model."""

    def export(self, source: ExportSource, folder: Path) -> None:
        """Write the repository; Triton's own schema reads the configuration first, if it is installed."""
        config = configuration(source)
        if find_spec("tritonclient") and find_spec("grpc"):
            read_configuration(config)
        model = folder / source.name
        (model / _VERSION).mkdir(parents=True)
        write_onnx(source.graph, source, model / _VERSION)
        write_text(model / _CONFIG, config)
        write_text(model / LABELS, label_lines(source.labels))

    def load(self, source: ExportSource, folder: Path, threads: int) -> OnnxRunner:
        """Load the repository's model with ONNX Runtime, as Triton's backend does."""
        (config,) = folder.glob(f"*/{_CONFIG}")
        return OnnxRunner(config.parent / _VERSION / FILE, threads)


def configuration(source: ExportSource) -> str:
    """Return the text of `config.pbtxt`, from the inputs and outputs of the graph.

    The first dimension is the batch, which Triton adds by itself; those that are free stand as -1.
    """
    graph = onnx_signature(source.graph)
    inputs = ",\n".join(_tensor(tensor, "") for tensor in graph.inputs)
    named = {OUTPUT: f'\n    label_filename: "{LABELS}"'}
    outputs = ",\n".join(_tensor(tensor, named.get(tensor.name, "")) for tensor in graph.outputs)
    return (
        f'name: "{source.name}"\nbackend: "onnxruntime"\nmax_batch_size: {_LARGEST_BATCH}\n'
        f"input [\n{inputs}\n]\noutput [\n{outputs}\n]\ndynamic_batching {{ }}\n"
    )


def _tensor(tensor: Tensor, more: str) -> str:
    sizes = ", ".join(str(size if isinstance(size, int) else -1) for size in tensor.shape[1:])
    if not sizes:  # one number an image: Triton wants a dimension, and is told that there is none
        sizes, more = "1", f"{more}\n    reshape: {{ shape: [ ] }}"
    return (
        f"  {{\n    name: {json.dumps(tensor.name)}\n    data_type: {_TYPES[tensor.type]}\n"
        f"    dims: [ {sizes} ]{more}\n  }}"
    )


def read_configuration(text: str) -> object:
    """Parse a `config.pbtxt` as Triton's own message, `inference.ModelConfig`.

    Raises:
        google.protobuf.text_format.ParseError: Triton could not read it.
    """
    from google.protobuf import text_format
    from tritonclient.grpc import model_config_pb2

    return text_format.Parse(text, model_config_pb2.ModelConfig())
