"""A backbone's card: everything that belongs to its weights and must travel with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from eyebright.errors import ConfigError
from eyebright.types import Interpolation, StoredJson


@dataclass(frozen=True)
class Preprocessing:
    """How an image becomes the backbone's input.

    Attributes:
        size: S, the side of the square input in pixels.
        interpolation: of the antialiased resize.
        crop: None squashes the whole image to S × S; a share c resizes the short side to S / c and takes the
            middle, as ImageNet evaluations do.
        mean, std: of the normalisation, a value a channel, for pixels between 0 and 1.
    """

    size: int
    interpolation: Interpolation
    crop: float | None
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @classmethod
    def from_json(cls, values: StoredJson) -> Preprocessing:
        """Return the preprocessing whose fields were written as JSON."""
        return cls(**values | {name: tuple(values[name]) for name in ("mean", "std")})


@dataclass(frozen=True)
class Layer:
    """A place in the network whose feature map can be pooled into features.

    Attributes:
        name: of the value in the graph.
        channels: of the feature map.
        stage: the stage that it belongs to, counted from 0; the last convolution stands after the last stage.
        kind: "stage" is a stage's output, "depthwise" a block's widest map, and "final" the last convolution.
    """

    name: str
    channels: int
    stage: int
    kind: Literal["stage", "depthwise", "final"]


@dataclass(frozen=True)
class BackboneCard:
    """The card of a backbone: what must be known to use its weights.

    Attributes:
        name: of the backbone.
        parameters: how many weights.
        size_bytes: of the stored file.
        accuracy: ImageNet top-1 as a fraction, None where unknown.
        licence: SPDX identifier of the weights' licence.
        source: where the weights come from.
        sha: BLAKE2b-128 of the stored file, in hex.
        stride: the input's sides must be multiples of it.
        preprocessing: as used for ImageNet.
        layers: from the input to the output.
        fixed_size: the only input size that the network takes, None where any multiple of the stride will do.
    """

    name: str
    parameters: int
    size_bytes: int
    accuracy: float | None
    licence: str
    source: str
    sha: str
    stride: int
    preprocessing: Preprocessing
    layers: tuple[Layer, ...]
    fixed_size: int | None = None


def wrong_size(name: str, size: int) -> ConfigError:
    """Return the error for an architecture that cannot be built for a size."""
    return ConfigError(
        "The backbone must accept the input size. {name} cannot be built for {size} px. Omit the "
        "size, or choose another backbone.",
        name=name,
        size=size,
    )
