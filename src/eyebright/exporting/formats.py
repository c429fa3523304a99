"""The formats there are, by name."""

from __future__ import annotations

from eyebright.exporting.base import Format
from eyebright.exporting.coreml_package import CoreMl
from eyebright.exporting.executorch_program import ExecuTorch
from eyebright.exporting.litert_file import LiteRt
from eyebright.exporting.ncnn_net import Ncnn
from eyebright.exporting.offline_page import OfflinePage
from eyebright.exporting.onnx_file import PlainOnnx, SealedOnnx
from eyebright.exporting.openvino_ir import OpenVino
from eyebright.exporting.torch_program import TorchProgram
from eyebright.exporting.torchscript import TorchScript
from eyebright.exporting.triton import Triton

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
