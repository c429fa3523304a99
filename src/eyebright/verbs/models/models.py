"""`models`: the backbones that can be used, and how fast they are here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from eyebright.backbones import catalog, embedded
from eyebright.backbones.backbone import Backbone
from eyebright.backbones.feature_layers import FeatureLayer
from eyebright.backbones.graph import features_graph
from eyebright.backbones.lite.lite import NAMES, VARIANTS, installed, lite_backbone, weights_path
from eyebright.backbones.zoo.source import lite_entry
from eyebright.engines.choose import race
from eyebright.runtime.context import progress, stage
from eyebright.text.language import translate
from eyebright.verbs.models.options import ModelsConfig

if TYPE_CHECKING:
    from eyebright.backbones.zoo.source import Entry

_TIMED_IMAGES = 8


@dataclass(frozen=True)
class ModelInfo:
    """One backbone, as `eyebright models` lists it.

    Attributes:
        name: of the backbone.
        parameters: number of weights; None where unknown.
        input_size: S in pixels that it was trained at; training may choose another.
        licence: SPDX identifier of the weights' licence.
        accuracy: ImageNet top-1 as a fraction, None where unknown.
        size_bytes: of the stored file, None where it is not on this machine.
        source: where the weights come from.
        images_per_second: speed of its features here, by the fastest engine; None where not measured, or
            where the backbone cannot be built here.
    """

    name: str
    parameters: int | None
    input_size: int
    licence: str
    accuracy: float | None
    size_bytes: int | None
    source: str
    images_per_second: float | None = None


@dataclass(frozen=True)
class ModelList:
    """The backbones that match a search, and how many more do."""

    models: tuple[ModelInfo, ...]
    more: int = 0


@stage
def models(config: ModelsConfig) -> ModelList:
    """Return the embedded backbone and its installed siblings, or those that a search finds.

    Args:
        config: what to search for, and whether to measure speed.

    Raises:
        MissingExtraError: a search needs one of PyTorch's libraries that is not installed.
    """
    ready = ModelList(tuple(map(_lite, (embedded.NAME, *installed()))))
    found = ready if config.search is None else _found(config.search, config.limit)
    if not config.speed:
        return found
    text = translate("Measuring speed")
    with progress().task(text, total=len(found.models)) as task:
        timed = []
        for model in found.models:
            timed.append(replace(model, images_per_second=images_per_second(model.name)))
            task.advance()
    return replace(found, models=tuple(timed))


def images_per_second(name: str) -> float | None:
    """Return images per second that ``name`` turns into features; None if it cannot be built here."""
    with TemporaryDirectory() as folder:
        try:
            return _speed(_backbone(name, Path(folder)))
        except Exception:  # libraries fail in their own ways on some of their hundreds of networks
            return None


def _speed(backbone: Backbone) -> float:
    preprocessing = backbone.card.preprocessing
    final = [FeatureLayer(layer, "mean") for layer in backbone.card.layers if layer.kind == "final"]
    graph = features_graph(backbone.model(preprocessing.size), preprocessing, final).SerializeToString()
    side = preprocessing.size
    noise = np.random.default_rng(0).integers(0, 256, (_TIMED_IMAGES, side, side, 3), np.uint8)
    return race(graph, list(noise)).trials[0].images_per_second


def _backbone(name: str, folder: Path) -> Backbone:
    if name in NAMES:
        return lite_backbone(name)
    from eyebright.backbones.torch.exported import ExportedBackbone

    return ExportedBackbone(catalog.load(name, "none"), folder)


def _lite(name: str) -> ModelInfo:
    """Return the embedded backbone or one of its siblings, whose weights need not be installed."""
    if name in VARIANTS and weights_path(name) is None:
        return _entry(lite_entry(name), VARIANTS[name].source)
    card = lite_backbone(name).card
    return ModelInfo(
        name=card.name,
        parameters=card.parameters,
        input_size=card.preprocessing.size,
        licence=card.licence,
        accuracy=card.accuracy,
        size_bytes=card.size_bytes,
        source=card.source,
    )


def _found(text: str, limit: int) -> ModelList:
    found = catalog.search(text, limit)
    return ModelList(tuple(_listed(found.entries)), found.more)


def _listed(entries: Sequence[Entry]) -> list[ModelInfo]:
    return [
        _lite(entry.name) if entry.source == "embedded" else _entry(entry, entry.source) for entry in entries
    ]


def _entry(entry: Entry, source: str) -> ModelInfo:
    return ModelInfo(
        name=entry.name,
        parameters=entry.parameters,
        input_size=entry.input_size,
        licence=entry.licence,
        accuracy=entry.accuracy,
        size_bytes=None,
        source=source,
    )
