"""Words that the whole package shares.

Shapes are written with these letters: B images of a batch, H and W pixels, S pixels of a square side,
C channels, D features, K classes, N samples.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from os import PathLike
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from PIL.Image import Image

#: A part of the images; "folds" are all of them, each predicted by a model that did not learn from it.
Split = Literal["train", "val", "test", "folds"]
Lang = Literal["en", "zh"]
Interpolation = Literal["bilinear", "bicubic"]
#: Which licences weights may have: those that allow commercial use, or any.
LicenceUse = Literal["commercial", "any"]

UInt8Array: TypeAlias = npt.NDArray[np.uint8]
FloatArray: TypeAlias = npt.NDArray[np.float32]
IntArray: TypeAlias = npt.NDArray[np.signedinteger[Any]]
BoolArray: TypeAlias = npt.NDArray[np.bool_]

#: A value of a JSON file, and an object in one.
Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
JsonObject: TypeAlias = dict[str, Json]
#: An object of a JSON file that Eyebright wrote, as it was read: whoever reads it knows its keys.
StoredJson: TypeAlias = dict[str, Any]
#: What goes to a worker of a cluster and comes back, by name, as JSON: written and read by one function each.
ShardJson: TypeAlias = StoredJson

#: One image, as a user may hand it over: a path, encoded bytes or a file of them, a Pillow image, or an array
#: of RGB pixels (H, W, 3), grey ones (H, W) or (H, W, 1), or ones with transparency (H, W, 4).
ImageLike: TypeAlias = "str | PathLike[str] | bytes | bytearray | memoryview | BinaryIO | Image | UInt8Array"


@dataclass(frozen=True)
class Interval:
    """A figure with its 95 % interval, all three as fractions or in the figure's own unit."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Prediction:
    """The prediction for one image: the predicted class, then the others, most likely first.

    The answer is the likeliest class unless the model has operating points or costs.

    Attributes:
        path: of the image; None where it had none.
        labels: the classes, the answered one first.
        probabilities: theirs.
        named: where an image may have several labels, those that are answered, in the order of the model's,
            and the others always follow; else None.
        unknown_score: how strange the image is to the model; None of a model that does not tell.
        unknown: whether it is stranger than the model's own images are, so that no class should be believed.
        set: classes that together hold the true one as often as the model promises, the likeliest first.
        anomaly_score: how unlike good images it is, 1 at the limit; None of a model of several classes.
    """

    path: str | None
    labels: tuple[str, ...]
    probabilities: tuple[float, ...]
    named: tuple[str, ...] | None = None
    unknown_score: float | None = None
    unknown: bool | None = None
    set: tuple[str, ...] | None = None
    anomaly_score: float | None = None

    @property
    def label(self) -> str:
        """Return the class that is answered.

        Of several labels all of them as one text, perhaps an empty one.
        """
        return self.labels[0] if self.named is None else "; ".join(self.named)

    @property
    def confidence(self) -> float:
        """Return the answered class's calibrated probability.

        Of several labels, that just those named hold.
        """
        if self.named is None:
            return self.probabilities[0]
        pairs = zip(self.labels, self.probabilities, strict=True)
        return prod(p if label in self.named else 1 - p for label, p in pairs)


@dataclass(frozen=True)
class Skipped:
    """A file that was left out, with the reason, in English; ``reason_values`` fill its placeholders."""

    path: str
    reason: str
    reason_values: dict[str, object] = field(default_factory=dict)
