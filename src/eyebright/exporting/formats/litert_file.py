"""LiteRT, once TensorFlow Lite: one `.tflite` file for Android and small devices.

The converter needs its own versions of PyTorch and typing-extensions, so it has an environment of its own,
which the user creates: nothing is installed automatically. The file it writes runs with our packages.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import onnx

from eyebright.errors import MissingExtraError
from eyebright.exporting.base import ExportOutput, ExportSource, Precision, UnsupportedError, require
from eyebright.exporting.formats.litert_convert import UNREADABLE
from eyebright.exporting.formats.torch_source import ONE_IMAGE, unsupported
from eyebright.runtime.atomic import write_bytes
from eyebright.training.cache.store import default_folder
from eyebright.types import UInt8Array

_NAME, _FILE = "LiteRT", "model.tflite"
_VARIABLE = "EYEBRIGHT_LITERT"
_PACKAGES = '"litert-torch==0.10.*" onnx onnxruntime'


class LiteRt:
    """`model.tflite`, without TensorFlow."""

    name = "litert"
    input = ONE_IMAGE + "probabilities (1, K)"
    decides = False
    packages = ("ai-edge-litert",)
    notes = ("Converted by litert-torch in an environment of its own.",)
    precisions: frozenset[Precision] = frozenset({"fp32"})

    def check(self, source: ExportSource) -> None:
        """Look for the runtime and for the converter's environment."""
        require("ai_edge_litert", "litert", _NAME)
        _python()

    def export(self, source: ExportSource, folder: Path) -> None:
        """Convert the ONNX graph in the converter's environment.

        Raises:
            UnsupportedError: the converter lacks a part of the model.
        """
        with tempfile.TemporaryDirectory() as name:
            graph, target = Path(name) / "resized.onnx", Path(name) / _FILE
            onnx.save(source.undecided_graph, graph)
            script = Path(__file__).with_name("litert_convert.py")
            command = [str(_python()), "-I", str(script), str(graph), str(source.size), str(target)]
            done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
            if done.returncode or not target.is_file():
                raise _refusal(done.stderr)
            write_bytes(folder / _FILE, target.read_bytes())

    def load(self, source: ExportSource, folder: Path, threads: int) -> _Interpreter:
        """Load it with LiteRT's interpreter."""
        return _Interpreter(source, folder / _FILE, threads)


def _python() -> Path:
    """Return the Python of the converter's environment.

    Raises:
        MissingExtraError: there is none; the text says how to create it.
    """
    within = Path("Scripts", "python.exe") if sys.platform == "win32" else Path("bin", "python")
    chosen = os.environ.get(_VARIABLE)
    place = Path(chosen) if chosen else default_folder() / "litert"
    python = place / within
    if python.is_file():
        return python
    raise MissingExtraError(
        "LiteRT's converter needs its own environment, about 7 GB. None was found at {place}. Run: "
        "{make} && {install}\nOr set EYEBRIGHT_LITERT to the folder of an existing one.",
        place=place,
        make=f'"{sys.executable}" -m venv "{place}"',
        install=f'"{python}" -m pip install {_PACKAGES}',
    )


def _refusal(message: str) -> UnsupportedError:
    last = (message.strip().splitlines() or ["no message"])[-1].strip()
    if last.startswith(UNREADABLE):
        return unsupported(_NAME, last.removeprefix(UNREADABLE))
    return UnsupportedError(
        "LiteRT's converter failed: {reason}. Use onnx or openvino, or recreate the converter's "
        "environment if a package is missing there.",
        reason=last[:300],
    )


class _Interpreter:
    def __init__(self, source: ExportSource, path: Path, threads: int) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._source = source
        self._interpreter: Any = Interpreter(str(path), num_threads=threads)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]

    def predict(self, image: UInt8Array) -> ExportOutput:
        """Return the probabilities of one RGB image (H, W, 3)."""
        self._interpreter.set_tensor(self._input, self._source.resized(image))
        self._interpreter.invoke()
        return ExportOutput.of([self._interpreter.get_tensor(self._output)])
