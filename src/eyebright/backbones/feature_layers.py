"""Which feature maps are pooled, and into what: the features of a frozen backbone.

Early stages see texture and late ones see things, so every stage is pooled, not only the last layer. A *tap*
is a layer with a kind of pooling; a *feature layer set* is a choice among them that training compares.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from eyebright.backbones.card import BackboneCard, Layer
from eyebright.types import IntArray

TapKind = Literal["moments", "mean"]
_TEXTURE_SHARE = 4 / 7  # of the stages


@dataclass(frozen=True)
class FeatureLayer:
    """A layer and how its map is pooled: "moments" (mean, maximum and standard deviation) or "mean"."""

    layer: Layer
    kind: TapKind

    @property
    def width(self) -> int:
        """Return the number of its features."""
        return self.layer.channels * (3 if self.kind == "moments" else 1)


def feature_layer_sets(card: BackboneCard) -> Mapping[str, tuple[FeatureLayer, ...]]:
    """Return the sets that training compares, cheapest at prediction first; each contains those before it.

    - "texture": the moments of the first four sevenths of the stages; the network is cut off there.
    - "stages": the moments of every stage, and the mean of the last convolution.
    - "all": also the means of the blocks' depthwise maps, which are wider than the stages' outputs and before
      the projection that narrows them.
    """
    stages = tuple(FeatureLayer(layer, "moments") for layer in card.layers if layer.kind == "stage")
    final = tuple(FeatureLayer(layer, "mean") for layer in card.layers if layer.kind == "final")
    depthwise = tuple(FeatureLayer(layer, "mean") for layer in card.layers if layer.kind == "depthwise")
    return {
        "texture": stages[: math.ceil(_TEXTURE_SHARE * len(stages))],
        "stages": (*stages, *final),
        "all": (*stages, *final, *depthwise),
    }


def width(taps: Sequence[FeatureLayer]) -> int:
    """Return D, the number of features of all ``taps``."""
    return sum(tap.width for tap in taps)


def columns(taps: Sequence[FeatureLayer], within: Sequence[FeatureLayer]) -> IntArray:
    """Return the columns of the features of ``taps`` in a row of the features of ``within``."""
    ends = np.cumsum([tap.width for tap in within])
    places = {tap: np.arange(end - tap.width, end) for tap, end in zip(within, ends, strict=True)}
    return np.concatenate([places[tap] for tap in taps]).astype(np.int64)
