"""The last output of a sealed graph: what the model answers, from its probabilities and OOD score.

Decisions belong to the model: a program that runs the file takes them from here instead of repeating
:class:`Decisions`, whose arithmetic this is.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper

from eyebright.evaluation.decisions.costs import tolerance
from eyebright.evaluation.intervals import Float64Array
from eyebright.evaluation.rules.decisions import REACHED, UNKNOWN_ANSWER, Decisions
from eyebright.onnx_graph.builder import GraphBuilder
from eyebright.onnx_graph.edit import copy_of, extracted
from eyebright.sealed.graph import ANSWER, OUTPUT, UNKNOWN

#: What is predicted, unknown images too: int64 (B,), or (B, K) of several labels.
PREDICTED = "answer_predicted"


def with_answer(sealed: onnx.ModelProto, decisions: Decisions) -> onnx.ModelProto:
    """Add the output `answer` to a sealed graph, in place of one that it has; the others stay what they are.

    Its shape is int64 (B,), a class number or -1 for unknown; of several labels (B, K), 0 or 1, or -1 in all
    columns for unknown.

    Args:
        sealed: the graph, which is left as it is.
        decisions: of the model.
    """
    whole = _without_answer(sealed)
    builder = GraphBuilder()
    if decisions.multilabel:
        _labels(builder, decisions)
    elif decisions.costs is not None:
        _cheapest(builder, decisions.costs)
    elif decisions.changed:
        _at_thresholds(builder, decisions)
    else:
        _best(builder, OUTPUT)
    scored = any(output.name == UNKNOWN for output in whole.graph.output)
    _unknown(builder, decisions if scored else decisions.without_unknown())
    shape: list[str | int] = ["B", len(decisions.thresholds)] if decisions.multilabel else ["B"]
    return builder.appended_to(whole, [helper.make_tensor_value_info(ANSWER, TensorProto.INT64, shape)])


def answer_graph(sealed: onnx.ModelProto) -> onnx.ModelProto:
    """Return the part of a sealed graph from its probabilities and OOD scores, if any, to `answer`."""
    scored = any(output.name == UNKNOWN for output in sealed.graph.output)
    return extracted(sealed, [OUTPUT, UNKNOWN] if scored else [OUTPUT], [ANSWER])


def _without_answer(sealed: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy of a graph without the output and all that is computed for it alone."""
    whole = copy_of(sealed)
    for part in (whole.graph.output, whole.graph.node, whole.graph.initializer, whole.graph.value_info):
        for entry in [entry for entry in part if _name(entry).split("_")[0] == ANSWER]:
            part.remove(entry)
    return whole


def _name(entry: onnx.NodeProto | onnx.TensorProto | onnx.ValueInfoProto) -> str:
    return entry.output[0] if isinstance(entry, onnx.NodeProto) else entry.name


def _labels(builder: GraphBuilder, decisions: Decisions) -> None:
    least = builder.constant("answer_least", decisions.least)
    reached = builder.node("GreaterOrEqual", [OUTPUT, least], "answer_reached")
    builder.node("Cast", [reached], PREDICTED, to=TensorProto.INT64)


def _at_thresholds(builder: GraphBuilder, decisions: Decisions) -> None:
    weight, offset = decisions.otherwise
    least = builder.constant("answer_least", decisions.least)
    reached = builder.node("GreaterOrEqual", [OUTPUT, least], "answer_reached")
    gain = builder.constant("answer_gain", decisions.gain)
    above = builder.constant("answer_above", np.array(REACHED, np.float32))
    excess = builder.node("Mul", [OUTPUT, gain], "answer_excess")
    first = builder.node("Add", [excess, above], "answer_first")
    other = builder.node("Mul", [OUTPUT, builder.constant("answer_weight", weight)], "answer_other")
    second = builder.node("Add", [other, builder.constant("answer_offset", offset)], "answer_second")
    _best(builder, builder.node("Where", [reached, first, second], "answer_ranks"))


def _cheapest(builder: GraphBuilder, costs: Float64Array) -> None:
    table = builder.constant("answer_costs", costs.astype(np.float32))
    expected = builder.node("MatMul", [OUTPUT, table], "answer_expected")
    axis = builder.constant("answer_axis", np.array([1], np.int64))
    least = builder.node("ReduceMin", [expected, axis], "answer_least", keepdims=1)
    equal = builder.constant("answer_equal", np.array(tolerance(costs), np.float32))
    limit = builder.node("Add", [least, equal], "answer_limit")
    cheap = builder.node("LessOrEqual", [expected, limit], "answer_cheap")
    never = builder.constant("answer_never", np.array(-1, np.float32))
    _best(builder, builder.node("Where", [cheap, OUTPUT, never], "answer_ranks"))


def _best(builder: GraphBuilder, ranks: str) -> None:
    builder.node("ArgMax", [ranks], PREDICTED, axis=1, keepdims=0)


def _unknown(builder: GraphBuilder, decisions: Decisions) -> None:
    if decisions.limit is None:
        builder.node("Identity", [PREDICTED], ANSWER)
        return
    limit = builder.constant("answer_unknown_above", np.array(decisions.limit, np.float32))
    exceeds = builder.node("Greater", [UNKNOWN, limit], "answer_unknown")
    if decisions.multilabel:
        axis = builder.constant("answer_columns", np.array([1], np.int64))
        exceeds = builder.node("Unsqueeze", [exceeds, axis], "answer_unknown_rows")
    unknown = builder.constant("answer_none", np.array(UNKNOWN_ANSWER, np.int64))
    builder.node("Where", [exceeds, unknown, PREDICTED], ANSWER)
