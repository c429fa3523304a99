"""An image with the heat map of one class over it, and what the model says of that class."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from eyebright.data.decode import decode
from eyebright.errors import ConfigError, nearest
from eyebright.explaining.base import Explainer
from eyebright.explaining.overlay import overlay
from eyebright.explaining.words import WordEvidence, word_evidence
from eyebright.sealed.model import SealedModel
from eyebright.types import FloatArray, ImageLike, UInt8Array


@dataclass(frozen=True)
class DrawnHeatMap:
    """A heat map and its picture.

    Attributes:
        label: the class whose evidence is shown.
        probability: of that class, calibrated.
        answer: the class that the model answers.
        heat: (h, h), laid over the whole image; above 0 speaks for the class, below 0 against.
        image: (H, W, 3), without the map.
        picture: with it.
        words: of the text beside the image, the strongest first.
    """

    label: str
    probability: float
    answer: str
    heat: FloatArray
    image: UInt8Array
    picture: Image.Image
    words: Sequence[WordEvidence] = ()

    def png(self) -> bytes:
        """Return the picture as a PNG file."""
        buffer = io.BytesIO()
        self.picture.save(buffer, "PNG")
        return buffer.getvalue()


def require_class(model: SealedModel, name: str | None) -> None:
    """Refuse a class that the model does not know.

    Raises:
        ConfigError: naming those that it knows.
    """
    if name is not None and name not in model.labels:
        raise ConfigError(
            "The class must be one of the model's classes. Got {name}. The closest are: {nearest}.",
            name=name,
            nearest=nearest(name, model.labels),
        )


def draw(
    model: SealedModel,
    how: Explainer,
    source: ImageLike,
    asked: str | None,
    side: int,
    text: str = "",
) -> DrawnHeatMap:
    """Draw the heat map of one class over an image.

    Args:
        model: that answers.
        how: makes the map.
        source: the image; of an open file only its content at once may be given.
        asked: the class; None for the one that is predicted.
        side: largest width and height of the picture, in pixels.
        text: of the image, for a model that reads texts.

    Raises:
        NotFoundError: the image does not exist.
        ImageError: it cannot be read.
    """
    level = model.white_level
    pixels = decode(source, min_side=model.size, white_level=level)  # what the model answers about
    image = decode(source, min_side=side // 2, white_level=level)
    prediction = model.predict(pixels, text=text)
    label = asked or next(x for x in prediction.labels if x in model.labels)
    probability = prediction.probabilities[prediction.labels.index(label)]
    heat = how.heat(pixels, model.labels.index(label))
    picture = overlay(image, heat, side, how.signed, how.full)
    words = word_evidence(model, text, label)
    return DrawnHeatMap(label, probability, prediction.label, heat, image, picture, words)
