"""Which feature maps are pooled, and into what: the features of a frozen backbone.

Early stages see texture and late ones see things, so every stage is pooled, not only the last layer. A *tap*
is a layer with a kind of pooling; a *tap set* is a choice among them that training compares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from eyebright.backbones.card import BackboneCard, Layer
from eyebright.types import IntArray

TapKind = Literal["moments", "mean", "grid"]
_NUMBERS = {"moments": 3, "mean": 1, "grid": 4}


@dataclass(frozen=True)
class Tap:
    """A layer and how its map is pooled: "moments" (mean, maximum and standard deviation), "mean", or "grid"
    (the means of its four quarters).
    """

    layer: Layer
    kind: TapKind

    @property
    def width(self) -> int:
        """How many features it gives."""
        return self.layer.channels * _NUMBERS[self.kind]


def all_taps(card: BackboneCard) -> tuple[Tap, ...]:
    """Everything that the cache keeps of an image."""
    *stages, final = card.layers
    moments = [Tap(layer, "moments") for layer in stages]
    grids = [Tap(layer, "grid") for layer in stages[-3:]]
    return (*moments, Tap(final, "mean"), *grids)


def tap_sets(card: BackboneCard) -> Mapping[str, tuple[Tap, ...]]:
    """The choices that training compares, the cheapest at prediction time first.

    - "texture": the moments of all but the last stage; the network is cut off there.
    - "all": the moments of every stage and the mean of the last convolution.
    - "all and place": also the quarters' means of the last stages, for where things are.
    """
    moments = [tap for tap in all_taps(card) if tap.kind == "moments"]
    rest = [tap for tap in all_taps(card) if tap.kind != "grid"]
    return {"texture": tuple(moments[:-1]), "all": tuple(rest), "all and place": all_taps(card)}


def columns(card: BackboneCard, taps: Sequence[Tap]) -> IntArray:
    """Where the features of ``taps`` stand in a row of :func:`all_taps`."""
    every = all_taps(card)
    ends = np.cumsum([tap.width for tap in every])
    starts = dict(zip(every, ends - [tap.width for tap in every], strict=True))
    return np.concatenate([np.arange(starts[tap], starts[tap] + tap.width) for tap in taps]).astype(np.int64)
