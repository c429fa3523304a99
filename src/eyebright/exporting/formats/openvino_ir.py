"""OpenVINO's own format, with the resize done by OpenVINO as Pillow does it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from eyebright.exporting.base import GIVEN_OF_ONE, ExportOutput, ExportSource, Precision, require
from eyebright.runtime.atomic import not_written
from eyebright.runtime.telemetry import load_openvino, openvino_core
from eyebright.sealed.graph import ANSWER, INPUT, OUTPUT
from eyebright.types import UInt8Array

FILE = "model.xml"


class OpenVino:
    """`model.xml` and `model.bin`: raw pixels in, as the sealed model takes them."""

    name = "openvino"
    input = "uint8 RGB images (1, H, W, 3) of any size; " + GIVEN_OF_ONE
    packages = ()
    notes = (
        "OpenVINO prepares its resize anew for each size of photo, which takes seconds where photos are "
        "large: give it photos of few sizes, or make large ones smaller first.",
    )
    decides = True
    precisions: frozenset[Precision] = frozenset({"fp32", "fp16", "int8"})

    def check(self, source: ExportSource) -> None:
        """Check that OpenVINO is installed."""
        require("openvino", "openvino", "OpenVINO")

    def export(self, source: ExportSource, folder: Path) -> None:
        """Convert the graph behind the resize, and put OpenVINO's own resize before it.

        OpenVINO's reading of ONNX's antialiased Resize differs by up to 80 grey levels.

        Raises:
            StorageError: the disk is full.
        """
        openvino = load_openvino()
        model = openvino_core().read_model(source.resized_graph.SerializeToString())
        model.reshape([1, 3, source.size, source.size])
        model = _with_resize(openvino, model, source.preprocessing.interpolation)
        for key, value in source.model.metadata.items():
            model.set_rt_info(value, ["eyebright", key])
        try:
            openvino.save_model(model, folder / FILE, compress_to_fp16=source.precision == "fp16")
        except RuntimeError as error:
            if "stream" not in str(error):
                raise
            raise not_written(folder / FILE, error) from error  # it tells no more of a full disk

    def load(self, source: ExportSource, folder: Path, threads: int) -> _Compiled:
        """Load it on the CPU in float32; by default OpenVINO uses bfloat16 where it can."""
        return _Compiled(folder / FILE, threads)


def _with_resize(openvino: Any, model: Any, interpolation: str) -> Any:
    from openvino.preprocess import ColorFormat, PrePostProcessor, ResizeAlgorithm

    algorithms = {
        "bilinear": ResizeAlgorithm.RESIZE_BILINEAR_PILLOW,
        "bicubic": ResizeAlgorithm.RESIZE_BICUBIC_PILLOW,
    }
    steps = PrePostProcessor(model)
    tensor = steps.input().tensor()
    tensor.set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
    tensor.set_color_format(ColorFormat.RGB).set_spatial_dynamic_shape()
    # On bytes it rounds between its two passes, as Pillow does; on floats probabilities move by up to 0.04.
    steps.input().preprocess().resize(algorithms[interpolation]).convert_element_type(openvino.Type.f32)
    steps.input().model().set_layout(openvino.Layout("NCHW"))
    return steps.build()


class _Compiled:
    def __init__(self, path: Path, threads: int) -> None:
        self._request = compiled(path, threads).create_infer_request()

    def predict(self, image: UInt8Array) -> ExportOutput:
        """Return what the file gives for one RGB image (H, W, 3)."""
        self._request.infer({INPUT: np.ascontiguousarray(image[None])})
        return ExportOutput.of([self._request.get_tensor(name).data for name in (OUTPUT, ANSWER)])


def compiled(path: Path, threads: int, **more: str) -> Any:
    """Compile a model for this CPU, in float32 unless the model says otherwise.

    Args:
        path: of `model.xml`.
        threads: for one prediction.
        **more: settings of OpenVINO.
    """
    settings = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": str(threads),
        "NUM_STREAMS": "1",
    }
    return openvino_core().compile_model(path, "CPU", settings | more)
