"""EfficientNet-Lite (Tan and Le, 2019) as an ONNX graph with 16-bit weights, from the published tensors.

Batch norms are folded into the convolutions. The padding is static, TensorFlow's "same" for even sides, so H
and W must be multiples of 32.

Weights are 16-bit integers with one scale for each output channel, not float16: the file is as small, and the
logits of photographs are off by 0.07 % at most instead of 0.7 % (relative norm, against timm in float32).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from eyebright.backbones.card import Layer
from eyebright.onnx_graph.builder import GraphBuilder
from eyebright.types import FloatArray

_OPSET = 18
_EPSILON = np.float32(1e-3)  # of the batch norms
_STRIDES = (1, 2, 2, 2, 1, 2, 1)  # of the first block of each stage
_CLASSES = 1000


@dataclass(frozen=True)
class LiteNetwork:
    """A network and what its card says of it.

    Attributes:
        model: `pixels` (B, 3, H, W) in; feature maps `stage0` to `stage6` and `final`, and `logits`, out.
        layers: of which features can be pooled: stages, the last convolution, depthwise convolutions.
    """

    model: onnx.ModelProto
    layers: tuple[Layer, ...]


def build(name: str, tensors: Mapping[str, FloatArray], repeats: Sequence[int]) -> LiteNetwork:
    """Return the network.

    Args:
        name: of the graph.
        tensors: by their published names, such as `_blocks.0._depthwise_conv.weight`; flat.
        repeats: how many blocks each stage has.
    """
    writer = _Writer(tensors)
    x = writer.relu6(writer.conv("pixels", "stem", "_conv_stem", "_bn0", stride=2, inputs=3))
    stages: list[Layer] = []
    depthwise: list[Layer] = []
    place = 0
    for index, (count, stride) in enumerate(zip(repeats, _STRIDES, strict=True)):
        for number in range(count):
            block = f"stage{index}_block{number}"
            out = f"stage{index}" if number == count - 1 else block
            x = writer.block(x, block, f"_blocks.{place}", stride if number == 0 else 1, out)
            channels = writer.channels(f"_blocks.{place}._bn1")
            depthwise.append(Layer(f"{block}_depthwise_relu6", channels, index, "depthwise"))
            place += 1
        stages.append(Layer(x, writer.channels(f"_blocks.{place - 1}._bn2"), index, "stage"))
    x = writer.relu6(writer.conv(x, "head", "_conv_head", "_bn1"), out="final")
    final = Layer(x, writer.channels("_bn1"), len(stages), "final")
    writer.classify(x)
    return LiteNetwork(_model(name, writer, [*stages, final]), (*stages, final, *depthwise))


class _Writer:
    """Appends layers to a graph; every method that adds one returns its output's name."""

    def __init__(self, tensors: Mapping[str, FloatArray]) -> None:
        self.tensors = tensors
        self.nodes: list[onnx.NodeProto] = []
        self.constants = GraphBuilder()
        self.constants.constant("relu6_low", np.array(0, np.float32))
        self.constants.constant("relu6_high", np.array(6, np.float32))

    def channels(self, norm: str) -> int:
        """Return how many channels a batch norm has."""
        return len(self.tensors[f"{norm}.weight"])

    def compact(self, name: str, weight: FloatArray) -> str:
        """Store weights in 16 bits with a scale for each output channel; runtimes unpack them at load."""
        largest = np.abs(weight).max(axis=tuple(range(1, weight.ndim)), keepdims=True)
        scale = np.where(largest > 0, largest / 32767, 1).astype(np.float32)
        packed = self.constants.constant(f"{name}_int16", np.round(weight / scale).astype(np.int16))
        scales = self.constants.constant(f"{name}_scale", scale)
        self._node("Cast", [packed], f"{name}_float", f"{name}_cast", to=TensorProto.FLOAT)
        return self._node("Mul", [f"{name}_float", scales], name, f"{name}_unpack")

    def conv(
        self,
        x: str,
        name: str,
        conv: str,
        norm: str,
        *,
        stride: int = 1,
        inputs: int | None = None,
        out: str | None = None,
    ) -> str:
        """Add a convolution with its batch norm folded in, without activation.

        Args:
            x: its input.
            name: in the graph.
            conv: its published name.
            norm: that of the batch norm behind it.
            stride: of the convolution.
            inputs: channels that a filter reads, where it is wider than a pixel; None of one that is not.
            out: of the output; None for ``name``.
        """
        filters = self.channels(norm)
        weight = self.tensors[f"{conv}.weight"]
        side = 1 if inputs is None else round((weight.size / filters / inputs) ** 0.5)
        spread = 1 / np.sqrt(self.tensors[f"{norm}.running_var"] + _EPSILON)
        gain, shift = (self.tensors[f"{norm}.{part}"] for part in ("weight", "bias"))
        kernels = weight.reshape(side, side, -1, filters).transpose(3, 2, 0, 1)  # from TensorFlow's order
        folded = kernels * (gain * spread)[:, None, None, None]
        bias = (0 - self.tensors[f"{norm}.running_mean"]) * spread * gain + shift
        before = (side - stride) // 2 if stride > 1 else (side - 1) // 2
        after = (side - stride if stride > 1 else side - 1) - before
        return self._node(
            "Conv",
            [x, self.compact(f"{name}_weight", folded), self.constants.constant(f"{name}_bias", bias)],
            out or name,
            f"{name}_conv",
            group=filters if inputs == 1 else 1,
            kernel_shape=[side, side],
            strides=[stride, stride],
            pads=[before, before, after, after],
        )

    def relu6(self, x: str, out: str | None = None) -> str:
        """Add min(max(x, 0), 6)."""
        out = out or f"{x}_relu6"
        return self._node("Clip", [x, "relu6_low", "relu6_high"], out, f"{out}_clip")

    def block(self, x: str, name: str, own: str, stride: int, out: str) -> str:
        """Add a depthwise-separable or an inverted-residual block with a linear bottleneck."""
        start, width = x, self.channels(f"{own}._bn1")
        entered = width
        if f"{own}._expand_conv.weight" in self.tensors:
            entered = self.tensors[f"{own}._expand_conv.weight"].size // width
            x = self.relu6(self.conv(x, f"{name}_expand", f"{own}._expand_conv", f"{own}._bn0"))
        x = self.conv(
            x, f"{name}_depthwise", f"{own}._depthwise_conv", f"{own}._bn1", stride=stride, inputs=1
        )
        x, last = self.relu6(x), (f"{own}._project_conv", f"{own}._bn2")
        if stride > 1 or entered != self.channels(f"{own}._bn2"):
            return self.conv(x, f"{name}_project", *last, out=out)
        x = self.conv(x, f"{name}_project", *last)
        return self._node("Add", [x, start], out, f"{out}_add")

    def classify(self, x: str) -> str:
        """Add ImageNet's classifier."""
        self._node("GlobalAveragePool", [x], "pooled", "pool")
        self._node("Flatten", ["pooled"], "embedding", "flatten")
        weight = self.compact("classifier_weight", self.tensors["_fc.weight"].reshape(-1, _CLASSES).T)
        bias = self.constants.constant("classifier_bias", self.tensors["_fc.bias"])
        return self._node("Gemm", ["embedding", weight, bias], "logits", "classifier", transB=1)

    def _node(self, kind: str, inputs: list[str], output: str, name: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], name=name, **attributes))
        return output


def _model(name: str, writer: _Writer, maps: Sequence[Layer]) -> onnx.ModelProto:
    outputs = [
        helper.make_tensor_value_info(layer.name, TensorProto.FLOAT, ["B", layer.channels, None, None])
        for layer in maps
    ]
    outputs.append(helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["B", _CLASSES]))
    pixels = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["B", 3, "H", "W"])
    graph = helper.make_graph(writer.nodes, name, [pixels], outputs, writer.constants.initializers)
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=8, producer_name="eyebright"
    )
