"""Parts of a sealed graph: what other formats take in place of raw pixels of any size."""

from __future__ import annotations

from collections.abc import Sequence

import onnx
from onnx.utils import Extractor

from eyebright.sealed.graph import OUTPUT

#: Grey levels from 0 to 255 as float32 (B, 3, S, S), after the resize and before the normalisation.
SQUARES = "columns_clipped"
#: The backbone's input, float32 (B, 3, S, S), normalised.
PIXELS = "pixels"
#: The pooled features, float32 (B, D), before the head.
FEATURES = "features"


def between(
    sealed: onnx.ModelProto,
    start: str,
    size: int,
    outputs: Sequence[str] = (OUTPUT,),
    name: str | None = None,
) -> onnx.ModelProto:
    """The part of a sealed graph from :data:`SQUARES` or :data:`PIXELS` to ``outputs``.

    Args:
        sealed: the sealed graph; it is left as it is.
        start: the value that becomes the input, float32 (B, 3, S, S) with a free batch size.
        size: S.
        outputs: names of values, float32 rows (B, D) such as the features.
        name: what the input is called; its own name unless given.
    """
    whole = onnx.ModelProto()
    whole.CopyFrom(sealed)
    given = onnx.helper.make_tensor_value_info(start, onnx.TensorProto.FLOAT, ["B", 3, size, size])
    del whole.graph.value_info[:]
    whole.graph.value_info.append(given)
    there = {output.name for output in whole.graph.output}
    inner = (name for name in outputs if name not in there)
    # The extractor wants to know every output's type; a value inside has none written down.
    whole.graph.value_info.extend(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["B", None]) for name in inner
    )
    part: onnx.ModelProto = Extractor(whole).extract_model([start], list(outputs))
    del part.graph.value_info[:]
    del part.metadata_props[:]
    if name is not None:
        part.graph.input[0].name = name
        for node in part.graph.node:
            node.input[:] = [name if value == start else value for value in node.input]
    onnx.checker.check_model(part)
    return part
