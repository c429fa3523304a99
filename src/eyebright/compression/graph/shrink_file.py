"""A quantised file without needless bytes besides its weights: a third of the bytes of small networks."""

from __future__ import annotations

import onnx
from onnx import helper, numpy_helper

from eyebright.onnx_graph.edit import copy_of, rename_inputs
from eyebright.onnx_graph.index import GraphIndex


def shrink_file(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Return the same graph with short names for what the quantiser added, and without needless constants.

    Args:
        graph: with QDQ pairs, which is left as it is.
    """
    whole = copy_of(graph)
    _compute_scales(whole)
    _share_equal(whole)
    _shorten(whole)
    onnx.checker.check_model(whole)
    return whole


def _compute_scales(graph: onnx.ModelProto) -> None:
    """Compute a bias's scale as the product of its convolution's two others, where it is equal; in place.

    ONNX Runtime computes such products when the session starts.
    """
    index = GraphIndex(graph)
    producers, tensors, readers = index.producers, index.tensors, index.readers
    products = []
    for node in graph.graph.node:
        if node.op_type != "Conv" or len(node.input) < 3:
            continue
        image, weight, bias = (producers.get(name) for name in node.input)
        if not (image and weight and bias):
            continue
        back = [part for part in (image, weight, bias) if part.op_type == "DequantizeLinear"]
        scales = [tensors[part.input[1]] for part in back if part.input[1] in tensors]
        if len(scales) < 3 or readers[bias.input[1]] > 1:
            continue
        first, second, product = (numpy_helper.to_array(tensor) for tensor in scales)
        if not (first * second == product).all():
            continue
        inputs = [image.input[1], weight.input[1]]
        products.append(helper.make_node("Mul", inputs, [bias.input[1]]))
        graph.graph.initializer.remove(scales[2])
        del bias.input[2:]
    for number, node in enumerate(products):
        graph.graph.node.insert(number, node)


def _share_equal(graph: onnx.ModelProto) -> None:
    """Give equal scales and zero points one name, and drop constants that no node reads; in place."""
    given = {name for node in _quantisation(graph) for name in node.input[1:]}
    first: dict[tuple[object, ...], str] = {}
    names: dict[str, str] = {}
    for tensor in graph.graph.initializer:
        if tensor.name in given:
            content = (tensor.data_type, tuple(tensor.dims), numpy_helper.to_array(tensor).tobytes())
            names[tensor.name] = first.setdefault(content, tensor.name)
    rename_inputs(graph.graph.node, names)
    used = {name for node in graph.graph.node for name in node.input}
    kept = [tensor for tensor in graph.graph.initializer if tensor.name in used]
    del graph.graph.initializer[:]
    graph.graph.initializer.extend(kept)


def _shorten(graph: onnx.ModelProto) -> None:
    """Replace the long names of quantised values and their scales with numbers, in place."""
    added = _quantisation(graph)
    scales = [name for node in added for name in node.input[1:]]
    values = [
        name
        for node in added
        for name in (*node.output, *(node.input[:1] if node.op_type == "DequantizeLinear" else ()))
    ]
    short = {name: f"q{number}" for number, name in enumerate(dict.fromkeys([*scales, *values]))}
    for node in added:
        node.name = ""
    rename_inputs(graph.graph.node, short)
    for node in graph.graph.node:
        node.output[:] = [short.get(name, name) for name in node.output]
    for tensor in graph.graph.initializer:
        tensor.name = short.get(tensor.name, tensor.name)


def _quantisation(graph: onnx.ModelProto) -> list[onnx.NodeProto]:
    return [node for node in graph.graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")]
