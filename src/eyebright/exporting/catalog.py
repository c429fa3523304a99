"""All export formats by name."""

from __future__ import annotations

from eyebright.exporting.base import Format
from eyebright.exporting.formats.coreml_package import CoreMl
from eyebright.exporting.formats.executorch_program import ExecuTorch
from eyebright.exporting.formats.litert_file import LiteRt
from eyebright.exporting.formats.ncnn_net import Ncnn
from eyebright.exporting.formats.offline_page import OfflinePage
from eyebright.exporting.formats.onnx_file import PlainOnnx, SealedOnnx
from eyebright.exporting.formats.openvino_ir import OpenVino
from eyebright.exporting.formats.torch_file import TorchProgram, TorchScript
from eyebright.exporting.formats.triton import Triton

_FORMATS: tuple[Format, ...] = (
    SealedOnnx(),
    PlainOnnx(),
    OpenVino(),
    Triton(),
    OfflinePage(),
    TorchScript(),
    TorchProgram(),
    ExecuTorch(),
    CoreMl(),
    Ncnn(),
    LiteRt(),
)
FORMATS: dict[str, Format] = {target.name: target for target in _FORMATS}
