"""Where a backbone still has places, found by the shapes of its values: maps, tokens and attention."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isqrt
from typing import Literal

import onnx

from eyebright.onnx_graph.index import GraphIndex
from eyebright.sealed.graph import LOGITS
from eyebright.sealed.subgraphs import RESIZED, subgraph_from

# What mixes tokens or only moves them; attention's own values are as square as maps.
_NO_MAPS = ("Softmax", "MatMul", "Transpose", "Reshape", "Sub", "Constant")


@dataclass(frozen=True)
class Places:
    """A value whose places form a square.

    Attributes:
        value: its name.
        order: "nchw" (1, C, h, h), "nhwc" (1, h, h, C) or "tokens" (1, prefix + h · h, C).
        side: h.
        prefix: tokens before those of the square, such as a class token.
    """

    value: str
    order: Literal["nchw", "nhwc", "tokens"]
    side: int
    prefix: int = 0


def one_image_graph(sealed: onnx.ModelProto, size: int) -> onnx.ModelProto:
    """Return the graph from one resized image, float32 (1, 3, S, S) to 255, to its logits (1, K)."""
    graph = subgraph_from(sealed, RESIZED, size, [LOGITS], "images")
    graph.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    return graph


def attentions(graph: onnx.ModelProto, index: GraphIndex) -> list[str]:
    """Return the names of attention weights (1, heads, N, N) of all tokens, in the order of the layers.

    Empty if there are none, or where attention stays within windows or changes its number of tokens.
    """
    shapes = {
        node.output[0]: index.shape(node.output[0]) for node in graph.graph.node if node.op_type == "Softmax"
    }
    square = {name: s for name, s in shapes.items() if len(s) == 4 and s[2] == s[3] > 1}
    alike = {(shape[0], shape[2]) for shape in square.values()}
    return list(square) if len(alike) == 1 and alike.pop()[0] == 1 else []


def last_places(graph: onnx.ModelProto) -> Iterator[Places]:
    """Yield values whose places still influence the prediction, the last first.

    After a transformer's last attention only the class token counts, so its tokens are taken before it.
    """
    index = GraphIndex(graph)
    weights = attentions(graph, index)
    tokens = _norm_before(index, weights[-1]) if weights else None
    if tokens is not None:
        yield tokens
    for node in reversed(graph.graph.node):
        squared = node.op_type == "Mul" and node.input[0] == node.input[1]  # of a deviation
        if node.op_type not in _NO_MAPS and not squared and node.output:
            found = _map(node.output[0], index.shape(node.output[0]))
            if found is not None:
                yield found


def token_square(count: int) -> tuple[int, int]:
    """Return the side and the prefix of so many tokens."""
    side = isqrt(count)
    return side, count - side * side


def _map(value: str, shape: tuple[int, ...]) -> Places | None:
    match shape:
        case (1, _, high, wide) if high == wide > 1:
            return Places(value, "nchw", high)
        case (1, high, wide, _) if high == wide > 1:
            return Places(value, "nhwc", high)
        case _:
            return None


def _norm_before(index: GraphIndex, attention: str) -> Places | None:
    """Return the nearest norm of tokens before an attention."""
    waiting, seen = [attention], set()
    while waiting:
        node = index.producers.get(waiting.pop(0))
        if node is None or node.output[0] in seen:
            continue
        seen.add(node.output[0])
        shape = index.shape(node.output[0])
        if node.op_type == "LayerNormalization" and len(shape) == 3 and shape[1] > 1:
            return Places(node.output[0], "tokens", *token_square(shape[1]))
        waiting += node.input
    return None
