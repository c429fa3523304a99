"""The sealed graph: raw pixels in, calibrated probabilities out, with nothing left to do outside."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper

from eyebright.backbones.card import Preprocessing
from eyebright.backbones.feature_layers import FeatureLayer
from eyebright.backbones.graph import assemble, normalise, pool
from eyebright.onnx_graph.builder import GraphBuilder
from eyebright.training.linear_probe.linear import LinearHead

INPUT = "images"
OUTPUT = "probabilities"
#: Constants: the head's weights (D, K) and bias (K,) over its temperature, and S.
WEIGHTS, BIAS, SIDE = "sealed_weights", "sealed_bias", "side"
#: The value before the softmax, (B, K).
LOGITS = "sealed_logits"
#: The second output of files that give an OOD score.
UNKNOWN = "unknown_score"
#: What the model answers; files of earlier versions lack it.
ANSWER = "answer"
#: Outputs of files that learned from good images alone: 1 at the limit, (B,), and by pixel, (B, S, S).
ANOMALY_SCORE, ANOMALY_MAP = "anomaly_score", "anomaly_map"
#: The input string (B,) of files that read texts, which need not be given, and their output float32 (B, K):
#: what the text alone says.
TEXTS, TEXT_OUTPUT = "texts", "text_probabilities"
#: In place of texts, the inputs int64 (B, L) of files with a sentence encoder.
TOKENS = ("input_ids", "attention_mask")
#: The value float32 (B, K) that a text adds to the logits of the image.
TEXT_SHARE = "fused_text"


def sealed_graph(
    backbone: onnx.ModelProto,
    preprocessing: Preprocessing,
    taps: Sequence[FeatureLayer],
    head: LinearHead,
    temperature: float,
    multilabel: bool = False,
) -> onnx.ModelProto:
    """Build the graph `images` uint8 (B, H, W, 3) → `probabilities` float32 (B, K), for any H and W.

    Args:
        backbone: float32 `pixels` (B, 3, S, S) in, the taps' layers out.
        preprocessing: of the training images; the whole image is resized to S × S.
        taps: the features that the head was trained on.
        head: on these features.
        temperature: divides the logits.
        multilabel: whether the model is multi-label, so that probabilities do not add up to 1.
    """
    before, after = GraphBuilder(), GraphBuilder()
    channels_first = before.node("Transpose", [INPUT], "images_nchw", perm=[0, 3, 1, 2])
    floats = before.node("Cast", [channels_first], "images_float", to=TensorProto.FLOAT)
    normalise(before, resize(before, floats, preprocessing), preprocessing)
    features = pool(after, taps)
    weights = after.constant(WEIGHTS, (head.weights / temperature).astype(np.float32))
    bias = after.constant(BIAS, (head.bias / temperature).astype(np.float32))
    logits = after.node("Gemm", [features, weights, bias], LOGITS)
    if multilabel:
        after.node("Sigmoid", [logits], OUTPUT)
    else:
        after.node("Softmax", [logits], OUTPUT, axis=1)
    images = helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["B", "H", "W", 3])
    probabilities = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["B", len(head.bias)])
    return assemble(backbone, before, after, images, [probabilities])


def resize(builder: GraphBuilder, pixels: str, preprocessing: Preprocessing) -> str:
    """Add the antialiased resize of Pillow, which training used, to S × S.

    As there, rows come before columns, each pass ends in whole grey levels, and what lies outside the image
    has no weight. Measured, 2 pixels of 10,000 then differ, by one level, at Pillow's own speed. A single
    Resize without rounding differs by 0.2 levels in the mean, and probabilities of fine textures by 0.06.
    """
    side = builder.constant(SIDE, np.array([preprocessing.size], np.int64))
    levels = (("black", 0), ("half", 0.5), ("white", 255))
    black, half, white = (builder.constant(name, np.array(level, np.float32)) for name, level in levels)
    kernel = (
        {"mode": "cubic", "cubic_coeff_a": -0.5}
        if preprocessing.interpolation == "bicubic"
        else {"mode": "linear"}
    )
    settings = kernel | {"antialias": 1, "exclude_outside": 1, "coordinate_transformation_mode": "half_pixel"}
    for axis, name in ((3, "rows"), (2, "columns")):
        resized = builder.node("Resize", [pixels, "", "", side], f"{name}_resized", axes=[axis], **settings)
        # Halves are rounded up, as Pillow does; Round would take them to the even neighbour.
        raised = builder.node("Add", [resized, half], f"{name}_raised")
        rounded = builder.node("Floor", [raised], f"{name}_rounded")
        pixels = builder.node("Clip", [rounded, black, white], f"{name}_clipped")
    return pixels
