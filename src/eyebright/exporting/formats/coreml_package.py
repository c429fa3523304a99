"""Core ML: an ML program for Apple's devices, for iOS 16 and macOS 13 or newer."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from eyebright.exporting.base import ExportSource
from eyebright.exporting.formats.torch_source import (
    ONE_IMAGE,
    TorchFormat,
    TorchRunner,
    module_of,
    quietly,
    unsupported,
)
from eyebright.runtime.atomic import not_written
from eyebright.sealed.graph import INPUT, OUTPUT

_FOLDER = "model.mlpackage"


class CoreMl(TorchFormat):
    """`model.mlpackage`; converted and read again anywhere, run by Core ML on macOS only."""

    name, purpose = "coreml", "Core ML"
    needed = (("coremltools", "coreml"),)
    input = ONE_IMAGE + "probabilities (1, K)"
    decides = False
    packages = ("coremltools", "torch")
    notes = (
        "Core ML predicts on macOS only. Elsewhere PyTorch computes the certificate's answers from the "
        "program in the file, and its times say nothing of Apple's devices.",
    )

    def export(self, source: ExportSource, folder: Path) -> None:
        """Convert the model for one image.

        Raises:
            UnsupportedError: Core ML has no counterpart of an operator.
            StorageError: the disk is full.
        """
        module = module_of(source, self.purpose, batch=1, decides=False)
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
                raise unsupported(self.purpose, _part(error), "onnx, openvino, executorch") from error
            package.user_defined_metadata.update(source.model.metadata)
            package.save(str(folder / _FOLDER))

    def load(self, source: ExportSource, folder: Path, threads: int) -> TorchRunner:
        """Load it with Core ML on macOS; compute its program elsewhere.

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
    """Return what a converter names in its error: an operator if there is one, else its first line."""
    text = str(error)
    found = re.search(r"convert function for op '([^']+)'", text)
    return found[1] if found else (text.strip().splitlines() or [type(error).__name__])[0][:200]
