"""ncnn: convolutional networks for phones, converted by pnnx."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from eyebright.errors import ModelError
from eyebright.exporting.base import ExportOutput, ExportSource, Precision
from eyebright.exporting.formats.torch_source import (
    ONE_IMAGE,
    TorchFormat,
    module_of,
    quietly,
    trace,
    unsupported,
    write_through_memory,
)
from eyebright.runtime.atomic import write_bytes
from eyebright.types import UInt8Array

_PARAM, _BIN = "model.ncnn.param", "model.ncnn.bin"
_INPUT, _OUTPUT = "in0", "out0"


class Ncnn(TorchFormat):
    """`model.ncnn.param` and `model.ncnn.bin`; fp16 halves the weights."""

    name, purpose = "ncnn", "ncnn"
    needed = (("pnnx", "ncnn"), ("ncnn", "ncnn"))
    input = ONE_IMAGE + f"probabilities (1, K); blobs {_INPUT} and {_OUTPUT}"
    decides = False
    packages = ("ncnn", "pnnx", "torch")
    notes = ("Only convolutional networks can be converted.",)
    precisions: frozenset[Precision] = frozenset({"fp32", "fp16"})

    def export(self, source: ExportSource, folder: Path) -> None:
        """Trace the model for one image and let pnnx convert the trace.

        Raises:
            UnsupportedError: ncnn lacks a layer.
            ModelError: pnnx ended with an error.
        """
        module = module_of(source, self.purpose, batch=1, decides=False)
        import torch

        shape = (1, 3, source.size, source.size)
        with tempfile.TemporaryDirectory() as name:
            place = Path(name)
            with quietly(), torch.no_grad():
                traced = trace(module, shape)
                write_through_memory(place / "model.pt", lambda file: torch.jit.save(traced, file))
            _convert(place, shape, half=source.precision == "fp16")
            param = (place / _PARAM).read_bytes()
            if missing := _unknown_layers(param.decode()):
                raise unsupported(self.purpose, ", ".join(missing), "onnx, openvino, executorch")
            write_bytes(folder / _PARAM, param)
            write_bytes(folder / _BIN, (place / _BIN).read_bytes())

    def load(self, source: ExportSource, folder: Path, threads: int) -> _Net:
        """Load it with ncnn, on the CPU and in float32."""
        return _Net(source, folder, threads)


def _convert(place: Path, shape: tuple[int, ...], *, half: bool) -> None:
    import pnnx

    sizes = ",".join(map(str, shape))
    command = [pnnx.EXEC_PATH, "model.pt", f"inputshape=[{sizes}]", f"fp16={int(half)}"]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode or not (place / _PARAM).is_file():
        raise ModelError(
            "pnnx must be able to convert the model. It failed with status {code}: {reason}. Use "
            "onnx, openvino or executorch.",
            code=done.returncode,
            reason=(done.stderr.strip().splitlines() or ["no message"])[-1],
        )


def _unknown_layers(param: str) -> list[str]:
    """Return the layers that ncnn lacks; pnnx leaves them under PyTorch's name, with a dot or colon."""
    kinds = {line.split()[0] for line in param.splitlines()[2:] if line.strip()}
    return sorted(kind for kind in kinds if "." in kind or ":" in kind)


class _Net:
    def __init__(self, source: ExportSource, folder: Path, threads: int) -> None:
        import ncnn

        self._source = source
        self._library: Any = ncnn
        self._net = ncnn.Net()
        options = self._net.opt
        options.num_threads = threads
        options.use_vulkan_compute = options.use_bf16_storage = False
        options.use_fp16_packed = options.use_fp16_storage = options.use_fp16_arithmetic = False
        for load, name in ((self._net.load_param, _PARAM), (self._net.load_model, _BIN)):
            if load(str(folder / name)):
                raise ModelError(
                    "ncnn must be able to load the model. It rejected {path}. Use onnx or openvino.",
                    path=folder / name,
                )

    def predict(self, image: UInt8Array) -> ExportOutput:
        """Return the probabilities of one RGB image (H, W, 3)."""
        pixels = self._source.resized(image)[0]  # must live until the extraction ends: Mat takes no copy
        with self._net.create_extractor() as extractor:
            extractor.input(_INPUT, self._library.Mat(pixels))
            status, output = extractor.extract(_OUTPUT)
            if status:
                raise ModelError(
                    "ncnn must be able to run the model. It failed with status {code}. Use onnx or openvino.",
                    code=status,
                )
            return ExportOutput(np.array(output, np.float32).reshape(-1))
