"""The exact map: a linear head on pooled features, decomposed into places, with nothing estimated."""

from __future__ import annotations

import numpy as np
import onnx

from eyebright.explaining.base import Method, NoHeatMapError
from eyebright.onnx_graph.index import GraphIndex
from eyebright.runtime.onnx_session import open_session
from eyebright.sealed.graph import BIAS, INPUT
from eyebright.sealed.heatmap import HEAT, HEAT_CLASS, with_heat
from eyebright.sealed.pooled_features import find_pooled_features
from eyebright.types import FloatArray, UInt8Array


class Exact:
    """Decompose the logit of a class into cells, whose sum is the logit.

    The bias is spread evenly. It contains the mean features of training, so a cell like the average
    training image has about 0, whatever the features' own zero is.

    Args:
        sealed: the sealed graph.

    Raises:
        NoHeatMapError: no feature has places, or the head is not float32.
    """

    method: Method = "exact"
    signed = True
    of_class = True
    full = None

    def __init__(self, sealed: onnx.ModelProto) -> None:
        heated, index = with_heat(sealed, class_input=True), GraphIndex(sealed)
        bias, parts = index.constant(BIAS), find_pooled_features(index)
        if heated is None or bias is None or parts is None:
            raise NoHeatMapError(
                "An exact heat map needs features that are pooled over image positions. The features "
                "of this model are not. Use --method gradcam."
            )
        self._session = open_session(heated, threads=1)
        self._bias = bias.astype(np.float32)
        without = sum(part.channels for part in parts if part.side == 1)
        self.placeless = without / sum(part.channels for part in parts)

    def heat(self, image: UInt8Array, number: int) -> FloatArray:
        """Return the map (g, g), with g = S // 8, in nats."""
        given = {INPUT: image[None], HEAT_CLASS: np.array([number], np.int64)}
        cells: FloatArray = self._session.run([HEAT], given)[0][0]
        whole: FloatArray = cells + self._bias[number] / np.float32(cells.size)
        return whole
