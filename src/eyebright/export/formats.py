"""The formats there are, by name."""

from __future__ import annotations

from eyebright.export.base import Format
from eyebright.export.onnx_file import PlainOnnx, SealedOnnx
from eyebright.export.openvino_ir import OpenVino

_FORMATS: tuple[Format, ...] = (SealedOnnx(), PlainOnnx(), OpenVino())
FORMATS: dict[str, Format] = {target.name: target for target in _FORMATS}
