"""Attention rollout (Abnar and Zuidema, 2020): how far each place reaches the prediction."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import onnx
from onnx import TensorProto, helper

from eyebright.data.decode import to_square
from eyebright.explaining.base import Method, NoHeatMapError
from eyebright.explaining.places import attentions, one_image_graph, token_square
from eyebright.onnx_graph.index import GraphIndex
from eyebright.runtime.onnx_session import open_session
from eyebright.types import FloatArray, Interpolation, UInt8Array


class Rollout:
    """Make one map for all classes: which places are attended to, not which class they count for.

    Args:
        sealed: the sealed graph.
        size: S.
        interpolation: of the resize to S × S.

    Raises:
        NoHeatMapError: the model has no attention, or none over the whole image.
    """

    method: Method = "rollout"
    signed = False
    of_class = False
    full = None
    placeless = 0.0

    def __init__(self, sealed: onnx.ModelProto, size: int, interpolation: Interpolation) -> None:
        graph = one_image_graph(sealed, size)
        self._layers = attentions(graph, GraphIndex(graph))
        if not self._layers:
            raise NoHeatMapError(
                "Attention rollout needs a transformer with self-attention over the whole image. "
                "This model has none. Use --method exact or gradcam."
            )
        graph.graph.output.extend(
            helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in self._layers
        )
        self._session = open_session(graph, threads=1)
        self._size, self._interpolation = size, interpolation

    def heat(self, image: UInt8Array, number: int) -> FloatArray:
        """Return the map (h, h) of shares that sum to at most 1; ``number`` is ignored."""
        square = to_square(image, self._size, interpolation=self._interpolation)
        given = np.ascontiguousarray(square.transpose(2, 0, 1)[None], np.float32)
        return rolled_out(weights[0] for weights in self._session.run(self._layers, {"images": given}))


def rolled_out(layers: Iterable[FloatArray]) -> FloatArray:
    """Multiply attention through the layers, each with its residual connection.

    Args:
        layers: (heads, N, N) weights, whose rows sum to 1, the first layer first.

    Returns:
        (h, h): how much of the class token, or of the mean of all tokens, comes from each place.
    """
    reach: FloatArray | None = None
    for weights in layers:
        mixed = (weights.mean(axis=0) + np.eye(weights.shape[1], dtype=np.float32)) / 2
        reach = mixed if reach is None else mixed @ reach
    if reach is None:
        raise ValueError("there must be a layer")
    side, prefix = token_square(len(reach))
    answer: FloatArray = reach[0] if prefix else reach.mean(axis=0)
    return answer[prefix:].reshape(side, side)
