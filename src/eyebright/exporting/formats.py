"""The formats there are, by name."""

from __future__ import annotations

from eyebright.exporting.base import Format
from eyebright.exporting.offline_page import OfflinePage
from eyebright.exporting.onnx_file import PlainOnnx, SealedOnnx
from eyebright.exporting.openvino_ir import OpenVino
from eyebright.exporting.triton import Triton

_FORMATS: tuple[Format, ...] = (SealedOnnx(), PlainOnnx(), OpenVino(), Triton(), OfflinePage())
FORMATS: dict[str, Format] = {target.name: target for target in _FORMATS}
