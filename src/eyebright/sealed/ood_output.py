"""The second output of a sealed graph: an OOD score, from the head's features and logits."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from eyebright.onnx_graph.builder import GraphBuilder
from eyebright.sealed.graph import LOGITS, UNKNOWN
from eyebright.sealed.subgraphs import FEATURES
from eyebright.training.ood import Residual, Scale, UnknownScore

#: Constant: the features' mean (D,), which compression moves as it moves the head's bias.
MEAN = "unknown_mean"
_SCALE, _DIRECTIONS, _STEP = "unknown_scale", "unknown_directions", "unknown_step"


def with_unknown(sealed: onnx.ModelProto, score: UnknownScore) -> onnx.ModelProto:
    """Add the output `unknown_score` float32 (B,) to a sealed graph; `probabilities` stay what they are.

    Args:
        sealed: the graph, which is left as it is.
        score: the OOD score, fitted on the same features.

    Returns:
        A new graph. Directions take one byte a number: 0.4 MB for 12,592 features, 15 kB for 480.
    """
    builder = GraphBuilder()
    _score(builder, score)
    return builder.appended_to(sealed, [helper.make_tensor_value_info(UNKNOWN, TensorProto.FLOAT, ["B"])])


def stored_residual(sealed: onnx.ModelProto) -> Residual | None:
    """Return the directions that a sealed graph's score rests on; None of a graph without."""
    known = {one.name: one for one in sealed.graph.initializer}
    if not {MEAN, _SCALE, _DIRECTIONS, _STEP} <= known.keys():
        return None
    mean, scale, directions, step = (
        numpy_helper.to_array(known[name]) for name in (MEAN, _SCALE, _DIRECTIONS, _STEP)
    )
    return Residual(mean, scale, directions, step)


def _score(builder: GraphBuilder, score: UnknownScore) -> None:
    """Add what :meth:`UnknownScore.scores` computes."""
    if score.energy_scale is None:
        _scaled(builder, _length(builder, score.residual), score.residual_scale, UNKNOWN)
        return
    length = _scaled(builder, _length(builder, score.residual), score.residual_scale, "unknown_residual")
    axis = builder.constant("unknown_classes", np.array([1], np.int64))
    total = builder.node("ReduceLogSumExp", [LOGITS, axis], "unknown_total", keepdims=0)
    energy = builder.node("Neg", [total], "unknown_energy")
    energy = _scaled(builder, energy, score.energy_scale, "unknown_energy_scaled")
    builder.node("Max", [length, energy], UNKNOWN)


def _length(builder: GraphBuilder, residual: Residual) -> str:
    """Add the squared length of the features outside of the directions, (B,)."""
    centred = builder.node("Sub", [FEATURES, builder.constant(MEAN, residual.mean)], "unknown_centred")
    rows = builder.node("Mul", [centred, builder.constant(_SCALE, residual.scale)], "unknown_rows")
    stored = builder.constant(_DIRECTIONS, residual.directions)
    directions = builder.node("Cast", [stored], "unknown_directions_float", to=TensorProto.FLOAT)
    steps = builder.node("MatMul", [rows, directions], "unknown_steps")
    along = builder.node("Mul", [steps, builder.constant(_STEP, residual.step)], "unknown_along")
    axis = builder.constant("unknown_columns", np.array([1], np.int64))
    lengths = [
        builder.node("ReduceSumSquare", [value, axis], f"{value}_length", keepdims=0)
        for value in (rows, along)
    ]
    rest = builder.node("Sub", lengths, "unknown_rest")
    nothing = builder.constant("unknown_nothing", np.array(0, np.float32))
    return builder.node("Max", [rest, nothing], "unknown_outside")


def _scaled(builder: GraphBuilder, value: str, scale: Scale, output: str) -> str:
    middle = builder.constant(f"{output}_middle", np.array(scale.middle, np.float32))
    span = builder.constant(f"{output}_span", np.array(scale.span, np.float32))
    above = builder.node("Sub", [value, middle], f"{output}_above")
    return builder.node("Div", [above, span], output)
