"""A backbone that Eyebright pretrained and wrote to a directory: a card, an ONNX graph and safetensors.

The graph is used without PyTorch. Only fine-tuning needs the safetensors, and the architecture's library.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import onnx
from pydantic import BaseModel, Field, TypeAdapter

from eyebright.backbones.card import BackboneCard, Layer, Preprocessing, wrong_size
from eyebright.errors import ConfigError, ModelError, NotFoundError
from eyebright.onnx_graph.stored import parse_onnx, read_onnx_bytes
from eyebright.runtime.stored import STORED, open_regular, read_json, reason_of
from eyebright.types import Interpolation

CARD, GRAPH, WEIGHTS = "card.json", "backbone.onnx", "backbone.safetensors"
_CHUNK = 2**20

_Count = Annotated[int, Field(ge=1)]
_Positive = Annotated[float, Field(gt=0)]


class StoredSeenAs(BaseModel):
    """How an image becomes the backbone's input, as `card.json` says it."""

    model_config = STORED

    size: Annotated[int, Field(ge=1, le=8192)]
    interpolation: Interpolation
    crop: _Positive | None = None
    mean: tuple[float, float, float]
    std: tuple[_Positive, _Positive, _Positive]


class StoredLayer(BaseModel):
    """A layer whose map can be pooled into features."""

    model_config = STORED

    name: str
    channels: _Count
    stage: Annotated[int, Field(ge=0)]
    kind: Literal["stage", "depthwise", "final"]


class StoredBackboneCard(BaseModel):
    """The content of `card.json`; what else pretraining wrote in it is for people to read.

    Attributes:
        architecture: the backbone that it was made from, as `--backbone` takes it.
        onnx_sha256, safetensors_sha256: of the files beside it.
    """

    model_config = STORED

    name: str
    architecture: str
    parameters: _Count
    licence: str
    source: str
    sha: str
    stride: _Count
    fixed_size: _Count | None = None
    preprocessing: StoredSeenAs
    layers: Annotated[tuple[StoredLayer, ...], Field(min_length=1)]
    onnx_sha256: str
    safetensors_sha256: str

    def card(self, size_bytes: int) -> BackboneCard:
        """Return the card as backbones have it."""
        return BackboneCard(
            name=self.name,
            parameters=self.parameters,
            size_bytes=size_bytes,
            accuracy=None,
            licence=self.licence,
            source=self.source,
            sha=self.sha,
            stride=self.stride,
            preprocessing=Preprocessing(**self.preprocessing.model_dump()),
            layers=tuple(Layer(**layer.model_dump()) for layer in self.layers),
            fixed_size=self.fixed_size,
        )


_CARD = TypeAdapter(StoredBackboneCard)


@dataclass(frozen=True)
class StoredBackbone:
    """A backbone in a directory, as a :class:`~eyebright.backbones.backbone.Backbone`.

    Attributes:
        folder: the directory.
        stored: its `card.json`.
        graph: its network.
        size_bytes: of its file.
    """

    folder: Path
    stored: StoredBackboneCard
    graph: onnx.ModelProto
    size_bytes: int

    @property
    def card(self) -> BackboneCard:
        """Return its card."""
        return self.stored.card(self.size_bytes)

    def model(self, size: int) -> onnx.ModelProto:
        """Return the network; one that was exported for one size takes that only."""
        if self.stored.fixed_size not in (None, size):
            raise wrong_size(self.stored.name, size)
        copied = onnx.ModelProto()
        copied.CopyFrom(self.graph)
        return copied


def stored_folder(name: str) -> Path | None:
    """Return the directory that a backbone's name stands for; None of the name of an architecture.

    Args:
        name: as `--backbone` takes it: a directory with `card.json`, or the `backbone.onnx` in it.

    Raises:
        NotFoundError: it ends with `.onnx`, and there is no such file.
        ConfigError: no card lies beside the file.
    """
    path = Path(name)
    if path.suffix == ".onnx" and not name.startswith("pruned:"):
        if not path.is_file():
            raise NotFoundError(
                "The backbone must exist. {path} does not. Give the directory that `eyebright pretrain` "
                "wrote.",
                path=path,
            )
        path = path.parent
    elif not path.is_dir():
        return None
    if not (path / CARD).is_file():
        if path.name == name and Path(name).suffix != ".onnx":  # a folder here with an architecture's name
            return None
        raise ConfigError(
            "A backbone on disk needs its card.json, which says how images are shown to it. {path} has none. "
            "Give the directory that `eyebright pretrain` wrote.",
            path=path,
        )
    return path


def read_card(folder: Path) -> StoredBackboneCard:
    """Read `card.json`.

    Raises:
        ModelError: it is not one that `eyebright pretrain` wrote.
    """
    try:
        return read_json(_CARD, folder / CARD)
    except (OSError, ValueError) as error:
        raise ModelError(
            "The card of a backbone must be one that `eyebright pretrain` wrote. {path} is not: {reason}. "
            "Restore it, or pretrain again.",
            path=folder / CARD,
            reason=reason_of(error),
        ) from error


def load_stored(folder: Path) -> StoredBackbone:
    """Read a backbone that `eyebright pretrain` wrote.

    Raises:
        ModelError: a file is damaged, was changed, or is another one.
    """
    stored = read_card(folder)
    path = folder / GRAPH
    try:
        content = read_onnx_bytes(path)
        if hashlib.sha256(content).hexdigest() != stored.onnx_sha256:
            raise ValueError("its hash is not that of the card")
        graph = parse_onnx(content)
        values = {value for node in graph.graph.node for value in node.output}
        if missing := [layer.name for layer in stored.layers if layer.name not in values]:
            raise ValueError(f"it has no layer {missing[0]}")
    except (OSError, ValueError) as error:
        raise _damaged(path, error) from error
    return StoredBackbone(folder, stored, graph, len(content))


def stored_weights(folder: Path, stored: StoredBackboneCard) -> Path:
    """Return the file of the weights, which is as it was written.

    Raises:
        ModelError: it is not.
    """
    path = folder / WEIGHTS
    digest = hashlib.sha256()
    try:
        with open_regular(path) as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
        if digest.hexdigest() != stored.safetensors_sha256:
            raise ValueError("its hash is not that of the card")
    except (OSError, ValueError) as error:
        raise _damaged(path, error) from error
    return path


def with_stored_card(card: BackboneCard, stored: StoredBackboneCard) -> BackboneCard:
    """Return a network's own card with what pretraining says of its weights."""
    return replace(card, name=stored.name, licence=stored.licence, source=stored.source)


def _damaged(path: Path, error: Exception) -> ModelError:
    return ModelError(
        "A pretrained backbone must be as `eyebright pretrain` wrote it. {path} is not: {reason}. Restore it "
        "from a copy, or pretrain again.",
        path=path,
        reason=reason_of(error),
    )
