"""What is exported, what a format must be able to do, and what answers once it is loaded again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import onnx

from eyebright.backbones.card import Preprocessing
from eyebright.data.decode import to_square
from eyebright.errors import EyebrightError, MissingExtraError
from eyebright.sealed.model import SealedModel
from eyebright.sealed.subgraphs import PIXELS, SQUARES, between
from eyebright.types import FloatArray, UInt8Array

Precision = Literal["fp32", "fp16", "int8"]


class UnsupportedError(EyebrightError, ValueError):
    """A format cannot take this network, or not in this precision; the text says which to use instead."""


@dataclass(frozen=True)
class Source:
    """A sealed model on its way into other formats.

    Attributes:
        model: the original, with which every export is compared.
        graph: what is exported: the original's sealed graph, or a compressed one of the same contract.
        precision: of ``graph``'s arithmetic, or the one that the format is to bring about.
    """

    model: SealedModel
    graph: onnx.ModelProto
    precision: Precision = "fp32"

    @property
    def name(self) -> str:
        """What the model is called where names have a fixed alphabet: as its run."""
        return plain_name(self.model.path.absolute().parent.name)

    @property
    def labels(self) -> tuple[str, ...]:
        """The K classes in the order of the outputs."""
        return self.model.labels

    @property
    def size(self) -> int:
        """S, the side in pixels of the network's input."""
        return self.model.size

    @cached_property
    def preprocessing(self) -> Preprocessing:
        """How a square becomes the network's input."""
        fields = self.model.card["preprocessing"]
        return Preprocessing(**fields | {"mean": tuple(fields["mean"]), "std": tuple(fields["std"])})

    @cached_property
    def squares(self) -> onnx.ModelProto:
        """The graph from `images` float32 (B, 3, S, S), grey levels from 0 to 255, to `probabilities` (B, K).

        What the resize is to other runtimes differs, so most formats begin after it.
        """
        return between(self.graph, SQUARES, self.size, name="images")

    @cached_property
    def plain(self) -> onnx.ModelProto:
        """The graph from `pixels` float32 (B, 3, S, S), normalised, to `probabilities` (B, K)."""
        return between(self.graph, PIXELS, self.size)

    def square(self, image: UInt8Array) -> FloatArray:
        """An RGB image (H, W, 3) as the input (1, 3, S, S) of :attr:`squares`, resized by Pillow."""
        pixels = to_square(image, self.size, interpolation=self.preprocessing.interpolation)
        return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], dtype=np.float32)

    def normalised(self, image: UInt8Array) -> FloatArray:
        """An RGB image (H, W, 3) as the input (1, 3, S, S) of :attr:`plain`."""
        statistics = (self.preprocessing.mean, self.preprocessing.std)
        mean, std = (np.array(values, np.float32).reshape(3, 1, 1) for values in statistics)
        rows: FloatArray = (self.square(image) / np.float32(255) - mean) / std
        return rows


class Runner(Protocol):
    """An export, loaded by its own runtime as its user would load it."""

    def answer(self, image: UInt8Array) -> FloatArray:
        """Probabilities (K,) of one upright RGB image (H, W, 3)."""


class Format(Protocol):
    """One target: a file or folder that another program takes."""

    @property
    def name(self) -> str:
        """What the person types, and what the folder is called."""

    @property
    def input(self) -> str:
        """An English sentence: what the export takes and what it gives."""

    @property
    def packages(self) -> tuple[str, ...]:
        """Distributions that convert or run it, beside those of the base install."""

    @property
    def notes(self) -> tuple[str, ...]:
        """English sentences that a user of the export must know, such as where it runs."""

    @property
    def precisions(self) -> frozenset[Precision]:
        """Those that it can hold."""

    def check(self, source: Source) -> None:
        """Says whether this network can be exported here.

        Raises:
            UnsupportedError: the format cannot take the network; the text names the part and another format.
            MissingExtraError: a package is not installed; the text has the command.
        """

    def export(self, source: Source, folder: Path) -> None:
        """Writes the file or files into ``folder``, which is empty.

        Raises:
            UnsupportedError: only the conversion itself could tell.
        """

    def load(self, source: Source, folder: Path, threads: int) -> Runner:
        """Loads what :meth:`export` wrote with the format's own runtime, as far as it can run here.

        Args:
            source: as it was exported: labels and preprocessing, for what happens outside the file.
            folder: as :meth:`export` left it.
            threads: that one answer may use.
        """


def require(package: str, extra: str, purpose: str) -> None:
    """Makes sure that a package is installed, without importing it.

    Args:
        package: the module's name.
        extra: of this project.
        purpose: the format, for the text.

    Raises:
        MissingExtraError: it is not.
    """
    from importlib.util import find_spec

    if find_spec(package) is None:
        raise MissingExtraError(
            '{format} requires {package}. It is not installed. Run: pip install "eyebright[{extra}]"',
            format=purpose,
            package=package,
            extra=extra,
        )


@contextmanager
def in_our_words(name: str) -> Iterator[None]:
    """Tells of whatever a converter or runtime raises about a network: any error at all, and one of ours.

    Args:
        name: of the format.

    Raises:
        UnsupportedError: in place of theirs; errors of ours, of the system and of memory stay what they are.
    """
    try:
        yield
    except (EyebrightError, OSError, MemoryError):
        raise
    except Exception as error:  # their errors share no base
        raise UnsupportedError(
            "{format} must be able to convert this model. It failed: {reason}. Use another format, "
            "such as onnx or openvino.",
            format=name,
            reason=(str(error).strip().splitlines() or [type(error).__name__])[0][:200].rstrip("."),
        ) from error


def plain_name(label: str) -> str:
    """A label as a name that programs and files take: letters, digits and underscores."""
    return re.sub(r"\W+", "_", label, flags=re.ASCII).strip("_") or "model"
