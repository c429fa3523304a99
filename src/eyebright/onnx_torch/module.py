"""An ONNX graph as a torch module with the same outputs: for formats that begin at PyTorch, and for training.

A run keeps only the sealed file: a linear probe has no PyTorch weights, and those of a fine-tuned backbone
were folded and cut. onnx2torch, which does the same, lacks opset 18 and leaves arithmetic on shapes behind.
"""

from __future__ import annotations

import onnx
from torch import fx

from eyebright.onnx_torch.functions import FUNCTIONS
from eyebright.onnx_torch.layers import LAYERS
from eyebright.onnx_torch.reader import Reader, UnreadableError
from eyebright.onnx_torch.shapes import SHAPES

_OPERATORS = {**FUNCTIONS, **LAYERS, **SHAPES}


def to_module(graph: onnx.ModelProto, batch: int | None = None) -> fx.GraphModule:
    """Convert a graph of one input to a module; float16 becomes float32.

    Convolutions, linear layers and norms become layers of torch.nn with trainable weights; other constants
    become buffers. Layers have the names of their ONNX values, with underscores.

    Args:
        graph: such as ``subgraph_from`` gives; all sizes of its input but the first are known.
        batch: the only batch size that the module is to take; None leaves it free.

    Returns:
        A module in inference mode: one tensor in; one out, or a tuple in the order of the graph's outputs.
        `meta["values"]` of its nodes has the names of their ONNX values.

    Raises:
        UnreadableError: an operator is not known; its name is in the text.
    """
    reader = Reader(graph, batch)
    for node in graph.graph.node:
        if all(reader.is_done(name) for name in node.output if name):
            continue
        read = _OPERATORS.get(node.op_type) if node.domain in ("", "ai.onnx") else None
        if read is None:
            raise UnreadableError(node.op_type)
        result = read(reader, node)
        results = result if isinstance(result, list) else [result]
        for name, made in zip(node.output, results, strict=False):
            reader.values[name] = made
            made.meta.setdefault("values", []).append(name)
    outputs = tuple(reader.tensor(output.name) for output in graph.graph.output)
    reader.graph.output(outputs[0] if len(outputs) == 1 else outputs)
    module = fx.GraphModule(reader.module, reader.graph, "Graph")
    module.graph.eliminate_dead_code()
    module.recompile()
    module.delete_all_unused_submodules()
    return module.eval()
