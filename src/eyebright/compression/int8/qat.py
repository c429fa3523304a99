"""Quantisation-aware training: a backbone learns from its own float predictions to tolerate its rounding.

torchao is not used: it quantises what `torch.export` gives and returns a graph of its own, whereas this loop
keeps the values' names and exactly the scales that the file will have.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, fx, nn
from torch.nn import functional
from torch.nn.utils import parametrize

from eyebright.compression.backbone import SealedBackbone
from eyebright.compression.graph.head_correction import logits_graph
from eyebright.onnx_graph.index import GraphIndex
from eyebright.onnx_torch.module import to_module
from eyebright.types import FloatArray, UInt8Array

_BATCH = 8
_RATE = 2e-5
_LEVELS = 127  # of a weight's eight bits, on either side of 0


class RoundedNetwork:
    """A float backbone and its twin with rounded weights and activations, which is trained.

    Args:
        backbone: in float32; the teacher.
        quantised: the same with static integer layers: its scales are the twin's.
        layers: names of these layers.
    """

    def __init__(self, backbone: SealedBackbone, quantised: onnx.ModelProto, layers: Sequence[str]) -> None:
        graph = logits_graph(backbone.graph, backbone.size)
        self._teacher = to_module(graph).requires_grad_(False)
        self._student = to_module(graph).requires_grad_(False)
        targets = {value: node.target for node in self._student.graph.nodes for value in _values(node)}
        chosen = [node for node in backbone.members if node.name in set(layers) and node.op_type == "Conv"]
        self._layers = [(node, self._student.get_submodule(str(targets[node.output[0]]))) for node in chosen]
        for _, layer in self._layers:
            layer.requires_grad_(True)
            parametrize.register_parametrization(layer, "weight", _RoundedWeight())
        _round_activations(self._student, quantised)
        learning = [p for p in self._student.parameters() if p.requires_grad]
        self._optimizer = torch.optim.Adam(learning, lr=_RATE)

    def epoch(self, images: UInt8Array, seed: int, on_image: Callable[[int], None]) -> None:
        """Train on resized images (N, S, S, 3) once, mirrored at random."""
        draw = np.random.default_rng(seed)
        order = draw.permutation(len(images))
        for start in range(0, len(order), _BATCH):
            rows = images[order[start : start + _BATCH]]
            mirrored = rows[:, :, ::-1] if draw.random() < 0.5 else rows
            pixels = torch.from_numpy(np.ascontiguousarray(mirrored.transpose(0, 3, 1, 2), np.float32))
            with torch.no_grad():
                wanted = self._teacher(pixels)
            loss = functional.mse_loss(self._student(pixels), wanted)
            self._optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self._optimizer.step()
            on_image(len(rows))

    def constants(self) -> dict[str, FloatArray]:
        """Return the trained weights before rounding, by the names of the backbone's constants."""
        found: dict[str, FloatArray] = {}
        for node, layer in self._layers:
            weight: Tensor = layer.parametrizations.weight.original  # type: ignore[union-attr,assignment]
            found[node.input[1]] = weight.detach().numpy().copy()
            if len(node.input) == 3:
                bias: Tensor = layer.bias  # type: ignore[assignment]
                found[node.input[2]] = bias.detach().numpy().copy()
        return found


class _RoundedWeight(nn.Module):
    """A convolution's weight (O, I, h, w), rounded with a scale for each output channel."""

    def forward(self, weight: Tensor) -> Tensor:
        peaks = weight.detach().abs().amax(dim=(1, 2, 3))
        scales = (peaks / _LEVELS).clamp(min=1e-12)
        zeros = torch.zeros_like(scales, dtype=torch.int32)
        return torch.fake_quantize_per_channel_affine(weight, scales, zeros, 0, -_LEVELS, _LEVELS)


class _RoundedActivation(nn.Module):
    """A map in unsigned eight bits; gradients pass where it is not clipped."""

    def __init__(self, scale: float, zero: int) -> None:
        super().__init__()
        self.scale = scale
        self.zero = zero

    def forward(self, x: Tensor) -> Tensor:
        return torch.fake_quantize_per_tensor_affine(x, self.scale, self.zero, 0, 255)


def _round_activations(module: fx.GraphModule, quantised: onnx.ModelProto) -> None:
    """Round each value where the quantised graph does, in place."""
    index = GraphIndex(quantised)
    steps = {
        node.input[0]: node.input[1:3] for node in quantised.graph.node if node.op_type == "QuantizeLinear"
    }
    for node in list(module.graph.nodes):
        for value in _values(node):
            if value not in steps:
                continue
            scale, zero = (numpy_helper.to_array(index.tensors[name]).item() for name in steps[value])
            name = f"rounded_{node.name}"
            module.add_module(name, _RoundedActivation(scale, int(zero)))
            with module.graph.inserting_after(node):
                rounded = module.graph.call_module(name, (node,))
            node.replace_all_uses_with(rounded, delete_user_cb=lambda user, own=rounded: user is not own)
            break
    module.recompile()


def _values(node: fx.Node) -> Sequence[str]:
    values: Sequence[str] = node.meta.get("values", ())
    return values
