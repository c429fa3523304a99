"""The exact map: a linear head on pooled features, taken apart into places, with nothing estimated."""

from __future__ import annotations

import numpy as np
import onnx

from eyebright.explaining.base import Method, NoHeatError
from eyebright.sealed.graph import BIAS, INPUT
from eyebright.sealed.graph_index import Wiring
from eyebright.sealed.heatmap import HEAT, HEAT_CLASS, with_heat
from eyebright.sealed.pooled_features import pooled_parts
from eyebright.sealed.split_model import start
from eyebright.types import FloatArray, UInt8Array


class Exact:
    """Each cell has its share of the class's logit; the cells' sum is the logit.

    The bias is spread evenly. Training's mean features lie in it, so a cell that looks as training images do
    on average has about 0, whatever the features' own zero is.

    Args:
        sealed: the sealed graph.

    Raises:
        NoHeatError: no feature has places, or the head is not float32.
    """

    method: Method = "exact"
    signed = True
    of_class = True

    def __init__(self, sealed: onnx.ModelProto) -> None:
        heated, wiring = with_heat(sealed, asked=True), Wiring(sealed)
        bias, parts = wiring.constant(BIAS), pooled_parts(wiring)
        if heated is None or bias is None or parts is None:
            raise NoHeatError(
                "An exact heat map needs features that are pooled over image positions. The features "
                "of this model are not. Use --method gradcam."
            )
        self._session = start(heated.SerializeToString(), threads=1)
        self._bias = bias.astype(np.float32)
        without = sum(part.channels for part in parts if part.side == 1)
        self.placeless = without / sum(part.channels for part in parts)

    def heat(self, image: UInt8Array, number: int) -> FloatArray:
        """The map (g, g), with g = S // 8, in nats."""
        given = {INPUT: image[None], HEAT_CLASS: np.array([number], np.int64)}
        cells: FloatArray = self._session.run([HEAT], given)[0][0]
        whole: FloatArray = cells + self._bias[number] / np.float32(cells.size)
        return whole
