"""What is exported, what a format must be able to do, and what runs an export once it is loaded again."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
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
from eyebright.runtime.install import install_command
from eyebright.sealed.graph import ANSWER, OUTPUT, UNKNOWN
from eyebright.sealed.model import SealedModel
from eyebright.sealed.subgraphs import PIXELS, RESIZED, subgraph_from
from eyebright.types import FloatArray, IntArray, UInt8Array

Precision = Literal["fp32", "fp16", "int8"]

#: What exports give that hold the model's decisions, in a format's sentence on its input and output.
GIVEN = "probabilities (B, K), answer (B), or (B, K) of several labels, and unknown_score (B)"
#: The same of one image at a time.
GIVEN_OF_ONE = GIVEN.replace("B", "1")


class UnsupportedError(EyebrightError, ValueError):
    """A format cannot take this model, or not in this precision; the text says which to use instead."""


@dataclass(frozen=True)
class ExportSource:
    """A sealed model to be exported.

    Attributes:
        model: the original, with which every export is compared.
        graph: what is exported: the original's sealed graph, or a compressed one of the same contract.
        precision: of ``graph``'s arithmetic, or the one that the format converts to.
    """

    model: SealedModel
    graph: onnx.ModelProto
    precision: Precision = "fp32"

    @property
    def name(self) -> str:
        """Return the run's name in letters, digits and underscores."""
        return plain_name(self.model.path.absolute().parent.name)

    @property
    def labels(self) -> tuple[str, ...]:
        """Return the K classes in the order of the outputs."""
        return self.model.labels

    @property
    def size(self) -> int:
        """Return S, the side in pixels of the backbone's input."""
        return self.model.size

    @cached_property
    def preprocessing(self) -> Preprocessing:
        """Return how a resized image becomes the backbone's input."""
        return self.model.card.preprocessing

    @property
    def outputs(self) -> tuple[str, ...]:
        """Return the names of the graph's outputs: probabilities, answer, and OOD score if it has one."""
        given = {output.name for output in self.graph.graph.output}
        return tuple(name for name in (OUTPUT, ANSWER, UNKNOWN) if name in given)

    @cached_property
    def resized_graph(self) -> onnx.ModelProto:
        """Return the graph from `images` float32 (B, 3, S, S), grey levels to 255, to :attr:`outputs`.

        Runtimes differ in their resize, so most formats begin after it.
        """
        return subgraph_from(self.graph, RESIZED, self.size, self.outputs, name="images")

    @cached_property
    def undecided_graph(self) -> onnx.ModelProto:
        """Return :attr:`resized_graph` with `probabilities` (B, K) alone, for formats that cannot decide."""
        return subgraph_from(self.graph, RESIZED, self.size, name="images")

    @cached_property
    def normalised_graph(self) -> onnx.ModelProto:
        """Return the graph from `pixels` float32 (B, 3, S, S), normalised, to :attr:`outputs`."""
        return subgraph_from(self.graph, PIXELS, self.size, self.outputs)

    def resized(self, image: UInt8Array) -> FloatArray:
        """Return an RGB image (H, W, 3) as input (1, 3, S, S) of :attr:`resized_graph`, resized by Pillow."""
        pixels = to_square(image, self.size, interpolation=self.preprocessing.interpolation)
        return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], dtype=np.float32)

    def normalised(self, image: UInt8Array) -> FloatArray:
        """Return an RGB image (H, W, 3) as input (1, 3, S, S) of :attr:`normalised_graph`."""
        statistics = (self.preprocessing.mean, self.preprocessing.std)
        mean, std = (np.array(values, np.float32).reshape(3, 1, 1) for values in statistics)
        rows: FloatArray = (self.resized(image) / np.float32(255) - mean) / std
        return rows


@dataclass(frozen=True)
class ExportOutput:
    """What an export gives for one image.

    Attributes:
        probabilities: (K,).
        answer: int64 (), a class number or -1 for unknown, or (K,) of several labels; None of a format that
            holds probabilities alone.
    """

    probabilities: FloatArray
    answer: IntArray | None = None

    @classmethod
    def of(cls, outputs: Sequence[FloatArray | IntArray]) -> ExportOutput:
        """Return the first row of outputs (1, …) in the order of :attr:`ExportSource.outputs`."""
        answer = np.array(outputs[1][0], np.int64) if len(outputs) > 1 else None
        return cls(np.array(outputs[0][0], np.float32), answer)


class Runner(Protocol):
    """An export, loaded by its own runtime as its user would load it."""

    def predict(self, image: UInt8Array) -> ExportOutput:
        """Return what the export gives for one upright RGB image (H, W, 3)."""


class Format(Protocol):
    """One target: a file or folder that another program takes."""

    @property
    def name(self) -> str:
        """Return the name that the user types, and that the folder gets."""

    @property
    def input(self) -> str:
        """Return an English sentence: what the export takes and what it gives."""

    @property
    def packages(self) -> tuple[str, ...]:
        """Return the packages that convert or run it, besides those of the base install."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Return English sentences that a user of the export must know, such as where it runs."""

    @property
    def decides(self) -> bool:
        """Return whether an export gives the answer, which holds the decisions, beside probabilities."""

    @property
    def precisions(self) -> frozenset[Precision]:
        """Return the precisions that it can hold."""

    def check(self, source: ExportSource) -> None:
        """Check whether this model can be exported here.

        Raises:
            UnsupportedError: the format cannot take the model; the text names the part and another format.
            MissingExtraError: a package is not installed; the text has the command.
        """

    def export(self, source: ExportSource, folder: Path) -> None:
        """Write the file or files into ``folder``, which is empty.

        Raises:
            UnsupportedError: the conversion failed.
        """

    def load(self, source: ExportSource, folder: Path, threads: int) -> Runner:
        """Load what :meth:`export` wrote with the format's own runtime, as far as it can run here.

        Args:
            source: as it was exported: labels and preprocessing, for what happens outside the file.
            folder: as :meth:`export` left it.
            threads: for one prediction.
        """


def require(package: str, extra: str, purpose: str) -> None:
    """Make sure that a package is installed, without importing it.

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
            "{format} requires {package}. It is not installed. Run: {command}",
            format=purpose,
            package=package,
            command=install_command(extra),
        )


@contextmanager
def wrap_converter_errors(name: str) -> Iterator[None]:
    """Turn any error that a converter or runtime raises about a model into an :class:`UnsupportedError`.

    Args:
        name: of the format.

    Raises:
        UnsupportedError: in place of theirs; Eyebright's own, system and memory errors stay what they are.
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
    """Return a label as a name that programs and files accept: letters, digits and underscores."""
    return re.sub(r"\W+", "_", label, flags=re.ASCII).strip("_") or "model"
