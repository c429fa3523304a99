"""Which layers of a network become integers, and how: decided by what the graph holds, not by its name."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import onnx

from eyebright.compression.int8.quantise import CONVOLUTIONS, PRODUCTS
from eyebright.compression.network import Network

# Shares of a network's multiplications.
_WORTH_IT = 0.1


@dataclass(frozen=True)
class Plan:
    """How a network is quantised.

    Attributes:
        static: names of layers with ranges that are found beforehand, in the network's order.
        dynamic: names of matrix products whose ranges are found while the network runs.
        kinds: of the static layers.
    """

    static: tuple[str, ...]
    dynamic: tuple[str, ...]
    kinds: tuple[str, ...]

    @property
    def layers(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.static, *self.dynamic)


def plan(network: Network) -> Plan:
    """Chooses by where a network multiplies.

    A network of convolutions is static throughout. In a transformer, whose activations have outliers that no
    fixed range fits, products with weights are dynamic, and products of activations stay float; convolutions
    beside them are static where they are a tenth of the work or more.
    """
    work = multiplications(network)
    convolutions = [node.name for node in network.members if node.op_type in CONVOLUTIONS]
    products = [node.name for node in network.members if node.op_type in PRODUCTS]
    weighted = [
        node.name for node in network.members if node.name in products and node.input[1] in network.constants
    ]
    total = sum(work.values()) or 1
    by_convolutions = sum(work.get(name, 0) for name in convolutions) / total
    if not weighted or by_convolutions > 1 - _WORTH_IT:
        static = [n.name for n in network.members if n.op_type in CONVOLUTIONS or n.name in weighted]
        return Plan(tuple(static), (), (*CONVOLUTIONS, *PRODUCTS))
    static = convolutions if by_convolutions >= _WORTH_IT else []
    return Plan(tuple(static), tuple(weighted), CONVOLUTIONS)


def multiplications(network: Network) -> dict[str, int]:
    """How often each layer multiplies for one image."""
    fixed = network.squares()
    fixed.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    inferred = onnx.shape_inference.infer_shapes(fixed, data_prop=True)
    shapes = {
        info.name: [d.dim_value for d in info.type.tensor_type.shape.dim]
        for info in (*inferred.graph.value_info, *inferred.graph.output, *inferred.graph.input)
    } | {name: list(value.shape) for name, value in network.constants.items()}
    found: dict[str, int] = {}
    for node in network.members:
        if node.op_type in CONVOLUTIONS:
            found[node.name] = prod(shapes[node.output[0]]) * prod(shapes[node.input[1]][1:])
        elif node.op_type in PRODUCTS:
            found[node.name] = prod(shapes[node.output[0]]) * shapes[node.input[0]][-1]
    return found
