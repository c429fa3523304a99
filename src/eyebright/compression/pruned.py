"""A pruned network as a backbone, `pruned:FILE`: a training with it is like any other, resume included."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import onnx
from pydantic import BaseModel, Field, TypeAdapter
from torch import nn

from eyebright.backbones.card import BackboneCard, Layer, Preprocessing
from eyebright.backbones.torch.network import Network
from eyebright.errors import ModelError, NotFoundError
from eyebright.onnx_graph.stored import read_onnx
from eyebright.onnx_torch.module import to_module
from eyebright.runtime.stored import STORED, parse_json
from eyebright.sealed.metadata import StoredPreprocessing
from eyebright.types import Json

_CARD = "card"
_BLOCK = "body"


class StoredPruned(BaseModel):
    """What :func:`write_card` wrote, read back."""

    model_config = STORED

    name: str
    licence: str
    source: str
    width: Annotated[int, Field(ge=1)]
    preprocessing: StoredPreprocessing


_STORED = TypeAdapter(StoredPruned)


def write_card(graph: onnx.ModelProto, card: Mapping[str, Json]) -> None:
    """Put into the graph's metadata what :func:`load_pruned` must know."""
    graph.metadata_props.add(key=_CARD, value=json.dumps(card))


def load_pruned(path: Path) -> Network:
    """Return the network of a file that `eyebright prune` wrote.

    Raises:
        NotFoundError: there is no such file.
        ModelError: it is another file.
    """
    if not path.is_file():
        raise NotFoundError(
            "The pruned backbone must exist. {path} does not. Run `eyebright prune` again.", path=path
        )
    try:
        graph = read_onnx(path)
        facts = {entry.key: entry.value for entry in graph.metadata_props}
        card = parse_json(_STORED, facts.get(_CARD, ""))
    except (OSError, ValueError) as error:
        raise ModelError(
            "A pruned network must be a file written by `eyebright prune`. {path} is not. Prune the "
            "model again.",
            path=path,
        ) from error
    body = nn.Sequential()
    body.add_module(_BLOCK, to_module(graph))
    network = Network(
        body=body,
        card=_card(card, sum(p.numel() for p in body.parameters())),
        blocks=(_BLOCK,),
        fixed_size=card.preprocessing.size,
        pretrained=True,
        depths={name: 0 for name, _ in body.named_parameters()},
    )
    network.refresh_card()
    return network


def _card(stored: StoredPruned, parameters: int) -> BackboneCard:
    size = stored.preprocessing.size
    return BackboneCard(
        name=stored.name,
        parameters=parameters,
        size_bytes=4 * parameters,
        accuracy=None,
        licence=stored.licence,
        source=stored.source,
        sha="",
        stride=size,
        preprocessing=Preprocessing(**stored.preprocessing.model_dump()),
        layers=(Layer("final", stored.width, 0, "final"),),
        fixed_size=size,
    )
