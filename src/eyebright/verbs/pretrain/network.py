"""The network that is pretrained: which of its blocks learn, and what is written of it in the end."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from eyebright.backbones import catalog
from eyebright.backbones.lite.lite import NAMES, lite_backbone, with_weights
from eyebright.backbones.stored import CARD, GRAPH, WEIGHTS, read_card, stored_folder
from eyebright.backbones.torch.exported import ExportedBackbone
from eyebright.backbones.torch.network import Network
from eyebright.backbones.zoo import lite
from eyebright.runtime.atomic import write_bytes, write_text
from eyebright.runtime.context import say
from eyebright.training.finetune.system.seeding import seed_weights
from eyebright.training.pretrain.encoder import Encoder, Pretrainer, Projector, learning_taps
from eyebright.training.pretrain.recipe import PretrainRecipe
from eyebright.types import Json, JsonObject
from eyebright.verbs.pretrain.options import PretrainConfig


@dataclass(frozen=True)
class PretrainNetwork:
    """A backbone with what of it learns.

    Attributes:
        network: the backbone.
        encoder: it, as features.
        blocks: number of last blocks that learn.
    """

    network: Network
    encoder: Encoder
    blocks: int

    @property
    def stem_end(self) -> str | None:
        """Return the name of the last block that does not learn; None where all do."""
        frozen = len(self.network.blocks) - self.blocks
        return self.network.blocks[frozen - 1] if frozen else None

    def pretrainer(self, recipe: PretrainRecipe) -> Pretrainer:
        """Return the encoder with a projector whose weights come from the seed."""
        seed_weights(recipe.seed)
        net = Pretrainer(self.encoder, Projector(self.encoder.width, recipe.projected))
        net.encoder.requires_grad_(False)
        first = len(self.network.blocks) - self.blocks
        for name, parameter in self.network.body.named_parameters():
            parameter.requires_grad_(self.network.depths.get(name, 0) >= first)
        return net


def load_pretrain_network(config: PretrainConfig, device: torch.device) -> PretrainNetwork:
    """Return the backbone that the options name.

    Raises:
        ConfigError, HubError, ModelError: there is none, or it does not fit.
    """
    seed_weights(config.seed)
    size = None if config.size == "auto" else config.size
    network = catalog.load(config.backbone, config.weights, size)
    if not network.pretrained:
        say(
            "Warning: {name} starts from random weights. From a few thousand images, features learned "
            "without labels stay far behind pretrained ones (--weights FILE).",
            name=network.card.name,
        )
    count = len(network.blocks)
    if config.unfreeze == "auto":
        blocks = max(1, round(count / 2)) if device.type == "cpu" else count
    else:
        blocks = count if config.unfreeze == "all" else min(config.unfreeze, count)
    network.body.to(device)
    return PretrainNetwork(network, Encoder(network, learning_taps(network, count - blocks)), blocks)


def write_backbone(
    directory: Path, trained: PretrainNetwork, config: PretrainConfig, facts: Mapping[str, Json]
) -> None:
    """Write graph, weights and, last, the card.

    Args:
        directory: where to.
        trained: with the weights that are kept.
        config: names what it was made from.
        facts: what the card says of the pretraining.

    Raises:
        StorageError: the disk is full or must not be written.
        ModelError: the network cannot be exported.
    """
    network = trained.network
    network.body.cpu().eval()
    network.refresh_card()
    card = network.card
    own = network.body.state_dict()
    if _is_lite(config):
        backbone = lite_backbone(config.backbone)
        graph = with_weights(backbone, lite.graph_tensors(network.body))
        tensors = lite.timm_tensors(network.body, config.backbone)
        card = replace(card, layers=backbone.card.layers)
        library, architecture = "timm", lite.ARCHITECTURES[config.backbone]
    else:
        size = card.preprocessing.size
        graph, tensors = ExportedBackbone(network, None).model(size), own
        card = replace(card, fixed_size=size)
        source, architecture = catalog.find(_architecture(config))
        library = source.name
        if library == "embedded":
            library, architecture = "timm", lite.ARCHITECTURES[architecture]
    content = graph.SerializeToString()
    write_bytes(directory / GRAPH, content)
    weights = save(_contiguous(tensors), {"format": "pt", "architecture": architecture})
    write_bytes(directory / WEIGHTS, weights)
    stored: JsonObject = {
        "name": f"{card.name.removesuffix(' adapted')} adapted",
        "architecture": _architecture(config),
        "library": {"name": library, "architecture": architecture},
        "parameters": card.parameters,
        "licence": card.licence,
        "source": f"{card.source}; pretrained further without labels by Eyebright",
        "sha": card.sha,
        "stride": card.stride,
        "fixed_size": card.fixed_size,
        "preprocessing": asdict(card.preprocessing),
        "layers": [asdict(layer) for layer in card.layers],
        "onnx_sha256": hashlib.sha256(content).hexdigest(),
        "safetensors_sha256": hashlib.sha256(weights).hexdigest(),
        "pretraining": dict(facts),
    }
    write_text(directory / CARD, json.dumps(stored, indent=1, ensure_ascii=False) + "\n")


def _is_lite(config: PretrainConfig) -> bool:
    return config.backbone in NAMES and config.weights is None


def _architecture(config: PretrainConfig) -> str:
    """Return the architecture's name, also of a backbone that was pretrained before."""
    folder = stored_folder(config.backbone)
    return config.backbone if folder is None else read_card(folder).architecture


def _contiguous(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors that own their memory, as safetensors wants them."""
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
