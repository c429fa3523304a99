"""`models`: the backbones that can be used."""

from __future__ import annotations

from dataclasses import dataclass

from eyebright.backbones import embedded


@dataclass(frozen=True)
class ModelInfo:
    """One backbone, as `eyebright models` lists it.

    Attributes:
        name: of the backbone.
        parameters: how many weights.
        input_size: S in pixels that it was trained at; training may choose another.
        licence: SPDX identifier of the weights' licence.
        accuracy: ImageNet top-1 as a fraction, None where unknown.
        size_bytes: of the stored file.
        source: where the weights come from.
    """

    name: str
    parameters: int
    input_size: int
    licence: str
    accuracy: float | None
    size_bytes: int
    source: str


def models() -> list[ModelInfo]:
    """The backbones of this installation."""
    return [
        ModelInfo(
            name=card.name,
            parameters=card.parameters,
            input_size=card.preprocessing.size,
            licence=card.licence,
            accuracy=card.accuracy,
            size_bytes=card.size_bytes,
            source=card.source,
        )
        for card in (embedded.card(),)
    ]
