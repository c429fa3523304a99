"""The backbone inside a sealed model, with the weights that it has there: frozen, fine-tuned or any other.

A new head can so be solved on the features of a finished model without PyTorch and without the weights' own
file. Features are the same, so those in the cache are found.
"""

from __future__ import annotations

import math
from dataclasses import replace

import onnx

from eyebright.backbones.card import BackboneCard, Layer, wrong_size
from eyebright.backbones.feature_layers import FeatureLayer, TapKind
from eyebright.compression.backbone import extract_backbone
from eyebright.errors import ModelError
from eyebright.sealed.model import SealedModel
from eyebright.sealed.subgraphs import PIXELS

_KINDS: dict[str, TapKind] = {"moments": "moments", "mean": "mean"}


class ModelBackbone:
    """The network of a sealed model as a :class:`~eyebright.backbones.backbone.Backbone`, for its own size.

    Args:
        model: as training sealed it, neither quantised nor converted.

    Raises:
        ModelError: its feature maps cannot be found in it.
    """

    def __init__(self, model: SealedModel) -> None:
        self._graph = model.graph()
        content = model.card.content
        shapes = _channels(self._graph)
        try:
            pairs = [
                (name, _KINDS[kind]) for name, _, kind in (tap.rpartition(":") for tap in content["taps"])
            ]
            #: The feature layers that the model's head stands on.
            self.taps = tuple(
                FeatureLayer(Layer(name, shapes[name], 0, "stage" if kind == "moments" else "final"), kind)
                for name, kind in pairs
            )
            sha, channels = str(content["backbone_sha"]), shapes[PIXELS]
        except KeyError:
            channels = 0
        if not channels or not self.taps:
            raise ModelError(
                "The model must be one that `eyebright train` sealed, neither quantised nor converted. The "
                "feature maps of {path} cannot be found in it. Use the run that it was made from.",
                path=model.path,
            )
        self._card = BackboneCard(
            name=model.card.backbone,
            parameters=sum(math.prod(tensor.dims) for tensor in self._graph.graph.initializer),
            size_bytes=model.size_bytes,
            accuracy=None,
            licence=model.metadata.get("licence", "unknown"),
            source=model.card.source,
            sha=sha,
            stride=1,
            preprocessing=replace(model.card.preprocessing, size=model.size),
            layers=tuple(tap.layer for tap in self.taps),
            fixed_size=model.size,
        )

    @property
    def card(self) -> BackboneCard:
        """Return the card, with the hash that the weights had when the model was sealed."""
        return self._card

    def model(self, size: int) -> onnx.ModelProto:
        """Return the network from `pixels` to the maps of the feature layers, for the model's own size."""
        if size != self._card.fixed_size:
            raise wrong_size(self._card.name, size)
        ends = list(dict.fromkeys(layer.name for layer in self._card.layers))
        return extract_backbone(self._graph, ends, size)


def _channels(graph: onnx.ModelProto) -> dict[str, int]:
    """Return the second dimension of every value inside a graph."""
    inferred = onnx.shape_inference.infer_shapes(graph)
    dims = {info.name: info.type.tensor_type.shape.dim for info in inferred.graph.value_info}
    return {name: dim[1].dim_value for name, dim in dims.items() if len(dim) > 1}
