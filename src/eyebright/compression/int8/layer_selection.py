"""Which layers of a backbone become integers, and how: decided by the graph, not by the backbone's name."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from eyebright.compression.backbone import SealedBackbone
from eyebright.compression.int8.quantise import CONVOLUTIONS, PRODUCTS
from eyebright.onnx_graph.index import GraphIndex

# Shares of a backbone's multiplications.
_WORTH_IT = 0.1


@dataclass(frozen=True)
class QuantisationPlan:
    """How a backbone is quantised.

    Attributes:
        static: names of layers whose ranges are calibrated, in the backbone's order.
        dynamic: names of matrix products whose ranges are measured at run time.
        kinds: of the static layers.
    """

    static: tuple[str, ...]
    dynamic: tuple[str, ...]
    kinds: tuple[str, ...]

    @property
    def layers(self) -> tuple[str, ...]:
        """Return all quantised layers."""
        return (*self.static, *self.dynamic)


def plan_quantisation(backbone: SealedBackbone) -> QuantisationPlan:
    """Choose the layers by where a backbone multiplies.

    A backbone of convolutions is static throughout. In a transformer, whose activations have outliers that no
    fixed range fits, products with weights are dynamic, and products of activations stay float; convolutions
    beside them are static where they are a tenth of the work or more.
    """
    work = multiplications(backbone)
    convolutions = [node.name for node in backbone.members if node.op_type in CONVOLUTIONS]
    products = [node.name for node in backbone.members if node.op_type in PRODUCTS]
    weighted = [
        node.name
        for node in backbone.members
        if node.name in products and node.input[1] in backbone.constants
    ]
    total = sum(work.values()) or 1
    by_convolutions = sum(work.get(name, 0) for name in convolutions) / total
    if not weighted or by_convolutions > 1 - _WORTH_IT:
        static = [n.name for n in backbone.members if n.op_type in CONVOLUTIONS or n.name in weighted]
        return QuantisationPlan(tuple(static), (), (*CONVOLUTIONS, *PRODUCTS))
    static = convolutions if by_convolutions >= _WORTH_IT else []
    return QuantisationPlan(tuple(static), tuple(weighted), CONVOLUTIONS)


def multiplications(backbone: SealedBackbone) -> dict[str, int]:
    """Return how often each layer multiplies for one image."""
    fixed = backbone.resized_graph()
    fixed.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    index, weights = GraphIndex(fixed), backbone.constants
    found: dict[str, int] = {}
    for node in backbone.members:
        if node.op_type in CONVOLUTIONS:
            found[node.name] = prod(index.shape(node.output[0])) * prod(weights[node.input[1]].shape[1:])
        elif node.op_type in PRODUCTS:
            found[node.name] = prod(index.shape(node.output[0])) * index.shape(node.input[0])[-1]
    return found
