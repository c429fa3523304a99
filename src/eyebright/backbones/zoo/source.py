"""A source of backbones: a library that lists and builds networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from eyebright.backbones import embedded
from eyebright.backbones.lite.lite import LICENCE, VARIANTS
from eyebright.types import Interpolation

if TYPE_CHECKING:
    from eyebright.backbones.torch.network import Network
    from eyebright.backbones.towers.towers import Towers

#: Where a network's weights come from: a file, "none" for random ones, or None for the published ones.
Weights: TypeAlias = "Path | Literal['none'] | None"

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Entry:
    """One row in a list of backbones.

    Attributes:
        name: that `--backbone` takes.
        source: "embedded", "timm", "torchvision" or "hf".
        parameters: how many weights, the classifier's included; None where they could not be counted.
        input_size: S in pixels that it was trained at.
        licence: SPDX identifier of the published weights' licence, "unknown" where nobody said.
        accuracy: ImageNet top-1 as a fraction, None where unknown.
    """

    name: str
    source: str
    parameters: int | None
    input_size: int
    licence: str
    accuracy: float | None


class ModelZoo(Protocol):
    """A library of networks."""

    name: str

    def names(self) -> Sequence[str]:
        """Return the names of all that it can build."""

    def supports(self, name: str) -> bool:
        """Return whether it can build ``name``."""

    def entry(self, name: str) -> Entry:
        """Return a line about one network, in less than a second and without its weights."""

    def build(self, name: str, weights: Weights, size: int | None) -> Network:
        """Build a network.

        Args:
            name: one that :meth:`supports` knows.
            weights: see :data:`Weights`.
            size: S that it will be used at, for architectures built for one; None for the usual one.

        Raises:
            HubError: the published weights cannot be fetched.
            ModelError: the file does not fit.
            ConfigError: the architecture cannot take images of this size.
        """


class TowersZoo(ModelZoo, Protocol):
    """A library of image towers with text towers; as networks, its image towers stand alone."""

    def towers(self, name: str, weights: Weights) -> Towers:
        """Build both towers; raises what :meth:`build` does."""


def interpolation(name: str) -> Interpolation:
    """Return the nearer of the two resizes that there are."""
    return "bilinear" if "bilinear" in name.lower() else "bicubic"


def licence(name: str | None) -> str:
    """Return a library's licence text as an SPDX identifier where it is a well-known one."""
    known = {
        "apache-2.0": "Apache-2.0",
        "mit": "MIT",
        "bsd-3-clause": "BSD-3-Clause",
        "cc-by-4.0": "CC-BY-4.0",
        "cc-by-nc-4.0": "CC-BY-NC-4.0",
    }
    return known.get(name, name) if name else "unknown"


def lite_entry(name: str) -> Entry:
    """Return a line about the embedded backbone or a larger sibling, which need no PyTorch."""
    if name in VARIANTS:
        variant = VARIANTS[name]
        return Entry(name, "embedded", variant.parameters, variant.size, LICENCE, variant.accuracy)
    card = embedded.card()
    return Entry(card.name, "embedded", card.parameters, card.preprocessing.size, card.licence, card.accuracy)
