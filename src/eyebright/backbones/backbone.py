"""A frozen backbone: a card, and an ONNX graph for each input size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import onnx

    from eyebright.backbones.card import BackboneCard


class Backbone(Protocol):
    """A network that turns pixels into feature maps, ready to run."""

    @property
    def card(self) -> BackboneCard:
        """Return the card, which must travel with the weights."""

    def model(self, size: int) -> onnx.ModelProto:
        """Return the network for inputs of ``size`` pixels a side, free to be changed.

        Returns:
            A graph with the input `pixels` (B, 3, S, S), float32 and normalised; each layer of the card is a
            value in it, of that name and of shape (B, C, h, w).
        """
