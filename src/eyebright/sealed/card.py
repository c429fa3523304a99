"""The card of a sealed model: its backbone and preprocessing, as training wrote them into the metadata."""

from __future__ import annotations

from dataclasses import dataclass

from eyebright.backbones.card import Preprocessing
from eyebright.types import StoredJson


@dataclass(frozen=True)
class SealedCard:
    """What the metadata's entry `card` says; a key is looked up when it is asked for.

    Attributes:
        content: the entry as it was written, with the settings that training selected.

    Raises:
        KeyError: the model was made without what is asked for.
    """

    content: StoredJson

    @property
    def backbone(self) -> str:
        """Return the backbone's name."""
        return str(self.content["backbone"])

    @property
    def source(self) -> str:
        """Return where the backbone's weights come from; ``-`` where the model does not say."""
        return str(self.content.get("source", "-"))

    @property
    def size(self) -> int:
        """Return S, the side in pixels to which the model itself resizes images."""
        return int(self.content["preprocessing"]["size"])

    @property
    def preprocessing(self) -> Preprocessing:
        """Return how a resized image becomes the backbone's input."""
        return Preprocessing.from_json(self.content["preprocessing"])

    @property
    def feature_layers(self) -> list[str]:
        """Return the names of the graph's values that are pooled, one for each kind of pooling."""
        return [name.rpartition(":")[0] for name in self.content["taps"]]

    @property
    def layers(self) -> str:
        """Return the name of the feature layers; of an earlier model the layers themselves."""
        return str(self.content.get("layers", ", ".join(self.content["taps"])))
