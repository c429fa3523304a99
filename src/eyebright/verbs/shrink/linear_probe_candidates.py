"""Linear probes for a search: every input size and every set of feature layers, each sealed.

The backbone runs once a size; the heads of narrower sets stand on columns of the same features.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from eyebright.backbones.backbone import Backbone
from eyebright.backbones.card import BackboneCard
from eyebright.backbones.feature_layers import feature_layer_sets, width
from eyebright.data.manifest import Manifest
from eyebright.runtime.context import clocked, say
from eyebright.training.cache.store import default_folder
from eyebright.training.linear_probe.features import FeatureExtractor
from eyebright.training.linear_probe.probe import IN_MEMORY_BYTES, FrozenModel
from eyebright.verbs.train.frozen.linear_probe import as_trained, frozen_model
from eyebright.verbs.train.options import TrainConfig
from eyebright.verbs.train.provenance import provenance_of
from eyebright.verbs.train.seal import seal
from eyebright.verbs.train.trained_model import TrainedModel


@dataclass(frozen=True)
class SealedProbe:
    """A linear probe and its file.

    Attributes:
        name: of the candidate.
        path: of the file.
        trained: the classifier.
        scored: number of holdout images that scaled the OOD score; 0 without a score.
    """

    name: str
    path: Path
    trained: TrainedModel
    scored: int


def linear_probe_candidates(
    config: TrainConfig,
    manifest: Manifest,
    backbone: Backbone,
    sizes: Sequence[int],
    folder: Path,
    baseline: Path,
) -> Iterator[SealedProbe]:
    """Make one after the other, the smallest input first.

    Args:
        config: seed, language and false rejection.
        manifest: whose training split the heads are solved on.
        backbone: the network.
        sizes: in pixels; where the backbone takes only one, that one instead.
        folder: where the files go.
        baseline: the model that a smaller one is sought for.
    """
    card = backbone.card
    wanted = [card.fixed_size] if card.fixed_size else sorted({s for s in sizes if s % card.stride == 0})
    for size in wanted:
        widest: FrozenModel | None = None
        for layers in _sets(card, len(manifest.of("train"))):
            options = config.model_copy(update={"size": size, "layers": layers, "views": 1})
            name = f"{card.name} {size} px {layers}"
            say("Trying {name}", name=name)
            if widest is not None:
                _hand_down(widest, layers, manifest)
            with clocked():
                model = frozen_model(options, manifest, backbone)
            widest = widest or model
            trained = replace(as_trained(model), baseline=baseline)
            path = folder / f"{card.name.replace('/', '-')}-{size}-{layers}.onnx"
            provenance = provenance_of(trained, manifest)
            sealed = seal(trained, manifest, path, provenance, config.false_rejection, config.seed)
            sealed.model.completed(provenance.metadata()).write()
            yield SealedProbe(name, path, trained, sealed.scored)


def _sets(card: BackboneCard, images: int) -> list[str]:
    """Return the names of the layer sets, the widest first, without those that do not fit into memory."""
    sets = feature_layer_sets(card)
    fitting = [name for name in ("all", "stages") if images * width(sets[name]) * 4 <= IN_MEMORY_BYTES]
    if sets["all"] == sets["stages"]:
        fitting = fitting[1:]
    return [*(fitting or ["stages"]), "texture"]


def _hand_down(widest: FrozenModel, layers: str, manifest: Manifest) -> None:
    """Let a narrower set of layers find its features among those that were computed."""
    wide = widest.extractor
    taps = feature_layer_sets(wide.backbone.card)[layers]
    narrow = FeatureExtractor(default_folder(), wide.backbone, wide.preprocessing, taps, wide.engine, 1)
    gone = {s.path for s in widest.skipped}
    narrow.adopt(wide, [s for s in manifest.of("train") if s.path not in gone])
