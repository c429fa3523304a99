"""The sealed graph: raw pixels in, calibrated probabilities out, with nothing left to do outside."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper

from eyebright.backbones.card import Preprocessing
from eyebright.backbones.graph import GraphBuilder, assemble, normalise, pool
from eyebright.backbones.taps import Tap
from eyebright.training.head import LinearHead

INPUT = "images"
OUTPUT = "probabilities"


def sealed_graph(
    backbone: onnx.ModelProto,
    preprocessing: Preprocessing,
    taps: tuple[Tap, ...],
    head: LinearHead,
    temperature: float,
) -> onnx.ModelProto:
    """Builds the graph `images` uint8 (B, H, W, 3) → `probabilities` float32 (B, K), for any H and W.

    The antialiased Resize works on the uint8 pixels: ONNX Runtime then rounds as Pillow does, and agrees with
    it but for one grey level in a pixel of a thousand. On floats it would differ by 0.28 levels in the mean,
    and probabilities of fine textures by 0.03.

    Args:
        backbone: float32 `pixels` (B, 3, S, S) in, the taps' layers out.
        preprocessing: of the training images; the whole image is squashed to S × S.
        taps: the features that the head was trained on.
        head: on these features.
        temperature: divides the logits.
    """
    before, after = GraphBuilder(), GraphBuilder()
    side = preprocessing.size
    square = before.constant("square", np.array([side, side], np.int64))
    mode = {"mode": "linear"} if preprocessing.interpolation == "bilinear" else {"mode": "cubic", "cubic_coeff_a": -0.5}
    resize = mode | {"antialias": 1, "axes": [1, 2], "coordinate_transformation_mode": "half_pixel"}
    resized = before.node("Resize", [INPUT, "", "", square], "images_square", **resize)
    channels_first = before.node("Transpose", [resized], "images_nchw", perm=[0, 3, 1, 2])
    floats = before.node("Cast", [channels_first], "images_float", to=TensorProto.FLOAT)
    normalise(before, floats, preprocessing)
    features = pool(after, taps, side)
    weights = after.constant("sealed_weights", (head.weights / temperature).astype(np.float32))
    bias = after.constant("sealed_bias", (head.bias / temperature).astype(np.float32))
    logits = after.node("Gemm", [features, weights, bias], "sealed_logits")
    after.node("Softmax", [logits], OUTPUT, axis=1)
    images = helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["B", "H", "W", 3])
    probabilities = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["B", len(head.bias)])
    return assemble(backbone, before, after, images, [probabilities])
