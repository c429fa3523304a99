"""Core ML: an ML program for Apple's devices, for iOS 16 and macOS 13 or newer."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from eyebright.exporting.base import Precision, Source, require
from eyebright.exporting.formats.torch_source import (
    ONE_IMAGE,
    TorchRunner,
    module_of,
    need_torch,
    quietly,
    unsupported,
)
from eyebright.runtime.atomic import not_written
from eyebright.sealed.graph import INPUT, OUTPUT

_NAME, _FOLDER = "Core ML", "model.mlpackage"


class CoreMl:
    """`model.mlpackage`; converted and read again anywhere, run by Core ML on macOS only."""

    name = "coreml"
    input = ONE_IMAGE
    packages = ("coremltools", "torch")
    notes = (
        "Core ML predicts on macOS only. Elsewhere PyTorch computes the certificate's answers from the "
        "program in the file, and its times say nothing of Apple's devices.",
    )
    precisions: frozenset[Precision] = frozenset({"fp32"})

    def check(self, source: Source) -> None:
        """Takes every network whose operators are known; the rest only the conversion tells."""
        need_torch(_NAME)
        require("coremltools", "coreml", _NAME)

    def export(self, source: Source, folder: Path) -> None:
        """Converts the network for one image.

        Raises:
            UnsupportedError: Core ML has no counterpart of an operator.
            StorageError: the disk is full.
        """
        module = module_of(source, _NAME, batch=1)
        import torch

        with quietly(), torch.no_grad():
            import coremltools

            shape = (1, 3, source.size, source.size)
            program = torch.export.export(module, (torch.zeros(shape),)).run_decompositions({})
            try:
                package = coremltools.convert(
                    program,
                    inputs=[coremltools.TensorType(name=INPUT, shape=shape)],
                    outputs=[coremltools.TensorType(name=OUTPUT)],
                    minimum_deployment_target=coremltools.target.iOS16,
                    compute_precision=coremltools.precision.FLOAT32,
                )
            except (NotImplementedError, ValueError, RuntimeError) as error:
                if "FileWriter" in str(error):  # weights go to the disk already while it converts
                    raise not_written(Path(tempfile.gettempdir()), error) from error
                raise unsupported(_NAME, _part(error), "onnx, openvino, executorch") from error
            package.user_defined_metadata.update(source.model.metadata)
            package.save(str(folder / _FOLDER))

    def load(self, source: Source, folder: Path, threads: int) -> TorchRunner:
        """Runs it with Core ML on macOS; computes its program elsewhere.

        Raises:
            UnsupportedError: the program cannot be computed here.
        """
        with quietly():
            import coremltools

            from eyebright.exporting.formats.coreml_program import Program, read_package

            if sys.platform == "darwin":
                return TorchRunner(
                    source, _Device(coremltools.models.MLModel(str(folder / _FOLDER))), threads
                )
            return TorchRunner(source, Program(read_package(folder / _FOLDER)), threads)


class _Device:
    """Core ML itself."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def __call__(self, pixels: Any) -> Any:
        import torch

        return torch.from_numpy(self._model.predict({INPUT: pixels.numpy()})[OUTPUT])


def _part(error: Exception) -> str:
    """What a converter names in its error: an operator if it says one, else its first line."""
    text = str(error)
    found = re.search(r"convert function for op '([^']+)'", text)
    return found[1] if found else (text.strip().splitlines() or [type(error).__name__])[0][:200]
