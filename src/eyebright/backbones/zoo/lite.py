"""The EfficientNets-Lite as PyTorch modules, with the weights of their ONNX graphs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import timm
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from eyebright.backbones import embedded
from eyebright.backbones.backbone import Backbone
from eyebright.backbones.card import BackboneCard, Layer
from eyebright.backbones.lite.lite import NAMES, lite_backbone
from eyebright.backbones.torch.network import Network, Origin, make_network
from eyebright.backbones.zoo.source import Entry, Weights, lite_entry
from eyebright.backbones.zoo.timm import Timm
from eyebright.types import FloatArray

#: timm's architectures by our names.
ARCHITECTURES = {name: f"tf_{name}" for name in NAMES}


class Embedded:
    """The backbone that is always there, and its larger siblings."""

    name = "embedded"

    def names(self) -> Sequence[str]:
        """Return their names."""
        return NAMES

    def supports(self, name: str) -> bool:
        """Return whether ``name`` is one of them."""
        return name in NAMES

    def entry(self, name: str) -> Entry:
        """Return the line from what is known of its weights."""
        return lite_entry(name)

    def build(self, name: str, weights: Weights, size: int | None) -> Network:
        """Build it with batch norms folded into the convolutions; with other weights, timm's architecture."""
        if weights is not None:
            network = Timm().build(ARCHITECTURES[name], weights, size)
            network.card = replace(network.card, name=name, stride=embedded.card().stride)
            network.refresh_card()
            return network
        backbone = lite_backbone(name)
        card = backbone.card
        preprocessing = replace(card.preprocessing, size=size or card.preprocessing.size)
        origin = Origin(name, preprocessing, False, card.licence, card.source, card.accuracy, True)
        network = make_network(_folded(backbone), origin)
        *stages, final = network.card.layers
        layers = (*stages, *_depthwise(network.body, card), final)
        network.card = replace(network.card, stride=card.stride, layers=layers)
        return network


def _depthwise(body: nn.Module, card: BackboneCard) -> Iterator[Layer]:
    """Return the widest map of each block, behind its activation, as in the card of the graph."""
    widths = iter([layer.channels for layer in card.layers if layer.kind == "depthwise"])
    for stage, blocks in enumerate(body.get_submodule("blocks").children()):
        for number, block in enumerate(blocks.children()):
            activation = "bn2" if hasattr(block, "conv_pwl") else "bn1"
            yield Layer(f"blocks.{stage}.{number}.{activation}", next(widths), stage, "depthwise")


def graph_tensors(body: nn.Module) -> dict[str, FloatArray]:
    """Return the weights of the folded network by their names in the ONNX graph."""
    found: dict[str, FloatArray] = {}
    for name, conv, _ in _pairs(body):
        module = body.get_submodule(conv)
        for part in ("weight", "bias"):
            found[f"{name}_{part}"] = getattr(module, part).detach().cpu().numpy()
    return found


def timm_tensors(body: nn.Module, name: str) -> dict[str, Tensor]:
    """Return the weights of the folded network as timm's architecture has them, with batch norms.

    Each norm adds the bias and changes nothing else.

    Args:
        body: the folded network.
        name: of the backbone.
    """
    expected = timm.create_model(ARCHITECTURES[name], num_classes=0)
    tensors = {key: tensor.detach().clone() for key, tensor in expected.state_dict().items()}
    for _, conv, norm in _pairs(body):
        module, own = cast(nn.Conv2d, body.get_submodule(conv)), expected.get_submodule(norm)
        eps, like = cast(nn.BatchNorm2d, own).eps, tensors[f"{norm}.weight"]
        tensors[f"{conv}.weight"] = module.weight.detach().cpu().clone()
        tensors[f"{norm}.weight"] = torch.ones_like(like)
        tensors[f"{norm}.bias"] = cast(Tensor, module.bias).detach().cpu().clone()
        tensors[f"{norm}.running_mean"] = torch.zeros_like(like)
        tensors[f"{norm}.running_var"] = torch.full_like(like, 1 - eps)
    return tensors


def _folded(backbone: Backbone) -> nn.Module:
    """Return the architecture whose convolutions have biases instead of batch norms behind them."""
    body: nn.Module = timm.create_model(ARCHITECTURES[backbone.card.name], num_classes=0, drop_path_rate=0.1)
    tensors = _stored(backbone)
    for name, conv, norm in _pairs(body):
        module = body.get_submodule(conv)
        module.weight = nn.Parameter(tensors[f"{name}_weight"])
        module.bias = nn.Parameter(tensors[f"{name}_bias"])
        parent, _, own = norm.rpartition(".")
        # What is left of a batch norm with activation is the activation.
        setattr(body.get_submodule(parent), own, body.get_submodule(norm).act)
    return body


def _pairs(body: nn.Module) -> Iterator[tuple[str, str, str]]:
    """Return each convolution: its name in the ONNX file, its module's and its batch norm's."""
    yield "stem", "conv_stem", "bn1"
    for stage, blocks in enumerate(body.get_submodule("blocks").children()):
        for number, block in enumerate(blocks.children()):
            here, there = f"stage{stage}_block{number}", f"blocks.{stage}.{number}"
            if hasattr(block, "conv_pwl"):
                parts = [("expand", "conv_pw"), ("depthwise", "conv_dw"), ("project", "conv_pwl")]
            else:
                parts = [("depthwise", "conv_dw"), ("project", "conv_pw")]
            for place, (part, conv) in enumerate(parts, start=1):
                yield f"{here}_{part}", f"{there}.{conv}", f"{there}.bn{place}"
    yield "head", "conv_head", "bn2"


def _stored(backbone: Backbone) -> dict[str, Tensor]:
    """Return weights and biases by their names in the ONNX graph, unpacked from 16 bits."""
    graph = backbone.model(backbone.card.preprocessing.size).graph
    arrays = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    packed = [name.removesuffix("_int16") for name in arrays if name.endswith("_int16")]
    unpacked = {name: arrays[f"{name}_int16"].astype(np.float32) * arrays[f"{name}_scale"] for name in packed}
    biases = {name: array.copy() for name, array in arrays.items() if name.endswith("_bias")}
    return {name: torch.from_numpy(array) for name, array in (unpacked | biases).items()}
