"""Subgraphs of a sealed graph, for formats and tools that do not take raw pixels of any size."""

from __future__ import annotations

from collections.abc import Sequence

import onnx
from onnx import TensorProto, helper

from eyebright.errors import ModelError
from eyebright.onnx_graph.edit import copy_of, extracted, rename_inputs
from eyebright.sealed.graph import OUTPUT

#: Grey levels from 0 to 255 as float32 (B, 3, S, S), after the resize and before the normalisation.
RESIZED = "columns_clipped"
#: The backbone's input, float32 (B, 3, S, S), normalised.
PIXELS = "pixels"
#: The pooled features, float32 (B, D), before the head.
FEATURES = "features"


def subgraph_from(
    sealed: onnx.ModelProto,
    start: str,
    size: int,
    outputs: Sequence[str] = (OUTPUT,),
    name: str | None = None,
) -> onnx.ModelProto:
    """Return the part of a sealed graph from :data:`RESIZED` or :data:`PIXELS` to ``outputs``.

    Args:
        sealed: the sealed graph, which is left as it is.
        start: the value that becomes the input, float32 (B, 3, S, S) with a free batch size.
        size: S.
        outputs: names of values, float32 rows (B, D) such as the features.
        name: the name of the new input; the name of ``start`` unless given.

    Raises:
        ModelError: the graph, which anyone may have made, has no such values.
    """
    known = {output for node in sealed.graph.node for output in node.output}
    known |= {given.name for given in sealed.graph.input}
    if missing := [value for value in (start, *outputs) if value not in known]:
        raise ModelError(
            "The graph of a sealed model must be one that Eyebright wrote, with its values. This one has no "
            "{names}. Use the model of the run.",
            names=", ".join(missing),
        )
    whole = copy_of(sealed)
    del whole.graph.value_info[:]
    whole.graph.value_info.append(
        helper.make_tensor_value_info(start, TensorProto.FLOAT, ["B", 3, size, size])
    )
    listed = {output.name for output in whole.graph.output}
    # The extractor needs the type of every output; values inside the graph have none listed.
    whole.graph.value_info.extend(
        helper.make_tensor_value_info(output, TensorProto.FLOAT, ["B", None])
        for output in outputs
        if output not in listed
    )
    part = extracted(whole, [start], outputs)
    del part.metadata_props[:]
    if name is not None:
        part.graph.input[0].name = name
        rename_inputs(part.graph.node, {start: name})
    onnx.checker.check_model(part)
    return part
