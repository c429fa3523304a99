"""Towers in Hugging Face's layout: a repository of the hub, or a folder (CLIP, SigLIP and their kin)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from eyebright.backbones.licences import licence_of_repository
from eyebright.backbones.torch.network import Network, Origin, make_network
from eyebright.backbones.towers.towers import TextTower, Towers
from eyebright.backbones.zoo.huggingface import (
    Repositories,
    image_size,
    library,
    preprocessing,
    readable,
    repository_licence,
)
from eyebright.backbones.zoo.source import Entry, Weights
from eyebright.backbones.zoo.weights import load_file
from eyebright.errors import ModelError

_TEMPLATES = {
    "siglip": "This is a photo of {}.",
    "chinese_clip": "一张{}的照片。",
}
_USUAL = "a photo of a {}."
# SigLIP was trained on texts padded to their full length, with attention to the padding: padded otherwise, it
# recognises hardly more than chance.
_PADDED = frozenset({"siglip"})
_KINDS = ("clip", "siglip", "chinese_clip", "altclip", "metaclip_2")


class _ImageTower(nn.Module):
    """Normalised pixels (B, 3, S, S) in, unit vectors (B, D) out."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.vision_model: Any = model.vision_model
        # SigLIP's vision model ends in its embedding; the others project.
        names = ("visual_projection", "vision_projection")
        self.projection: Any = next((getattr(model, n) for n in names if hasattr(model, n)), None)

    def forward(self, pixels: Tensor) -> Tensor:
        pooled = self.vision_model(pixel_values=pixels).pooler_output
        return normalize(pooled if self.projection is None else self.projection(pooled), dim=-1)


class _TextTower(nn.Module):
    """Token numbers and mask (n, L) in, unit vectors (n, D) out."""

    def __init__(self, model: Any, masked: bool) -> None:
        super().__init__()
        self.model = model
        self.masked = masked

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        given = {"attention_mask": mask} if self.masked else {}
        found = self.model.get_text_features(input_ids=ids, **given)
        pooled = getattr(found, "pooler_output", found)
        return normalize(pooled, dim=-1)


class HuggingFaceTowers(Repositories):
    """Hugging Face's towers as a source of backbones."""

    name = "clip"

    def entry(self, name: str) -> Entry:
        """Return the line from the configuration; weights are not read."""
        transformers = library()
        config = _config(transformers, name)
        with readable(name), torch.device("meta"):
            model = transformers.AutoModel.from_config(config)
        parameters = sum(p.numel() for p in model.parameters())
        size = image_size(config.vision_config)
        return Entry(f"clip:{name}", self.name, parameters, size, _licence(name), accuracy=None)

    def build(self, name: str, weights: Weights, size: int | None) -> Network:
        """See :class:`~eyebright.backbones.zoo.source.ModelZoo`: the image tower alone."""
        return self.towers(name, weights).network

    def towers(self, name: str, weights: Weights) -> Towers:
        """Build both towers; they take images of the size that they were trained at.

        Raises:
            HubError: the published weights cannot be fetched.
            ModelError: the repository or the file holds no such towers, or no tokenizer.
        """
        transformers = library()
        config = _config(transformers, name)
        with readable(name):
            if weights is None:
                model = transformers.AutoModel.from_pretrained(
                    name, config=config, trust_remote_code=False, use_safetensors=True
                )
            else:
                model = transformers.AutoModel.from_config(config)
        if isinstance(weights, Path):
            load_file(model, weights, name)
        model = model.float().eval()
        bias = getattr(model, "logit_bias", None)
        network = make_network(_ImageTower(model), _origin(transformers, name, weights, config))
        return Towers(
            network,
            TextTower(
                _TextTower(model, config.model_type not in _PADDED).eval(),
                _tokenizer(transformers, name, config),
                (_TEMPLATES.get(config.model_type, _USUAL),),
            ),
            scale=model.logit_scale.detach().exp().item(),
            bias=0.0 if bias is None else bias.detach().item(),
            activation="softmax" if bias is None else "sigmoid",
        )


def _config(transformers: Any, name: str) -> Any:
    with readable(name):
        config = transformers.AutoConfig.from_pretrained(name, trust_remote_code=False)
    if config.model_type not in _KINDS:
        raise ModelError(
            "A backbone of clip: must be an image tower and a text tower ({kinds}). {name} is {kind}. Choose "
            "another one.",
            kinds=", ".join(_KINDS),
            name=name,
            kind=config.model_type,
        )
    return config


def _tokenizer(transformers: Any, name: str, config: Any) -> Callable[[Sequence[str]], tuple[Tensor, Tensor]]:
    """Return the tokenizer of the text tower; every text is padded or cut to the tower's length."""
    length = config.text_config.max_position_embeddings
    if config.model_type == "altclip":
        length -= config.text_config.pad_token_id + 1  # as RoBERTa counts
    with readable(name):
        tokenizer = transformers.AutoTokenizer.from_pretrained(name, trust_remote_code=False)
    vocabulary = config.text_config.vocab_size
    if len(tokenizer) > vocabulary:
        raise ModelError(
            "The tokenizer must belong to the text tower. In {name} it has {found} tokens, and the tower "
            "knows {known}. Use the files of one model.",
            name=name,
            found=len(tokenizer),
            known=vocabulary,
        )

    def tokenize(texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        found = tokenizer(
            list(texts),
            padding="max_length",
            max_length=length,
            truncation=True,
            return_tensors="pt",
            return_attention_mask=True,
        )
        return found["input_ids"], found["attention_mask"]

    return tokenize


def _licence(name: str) -> str:
    found = repository_licence(name)
    return licence_of_repository(name) if found == "unknown" else found


def _origin(transformers: Any, name: str, weights: Weights, config: Any) -> Origin:
    sources = {None: f"Hugging Face {name}", "none": "random weights"}
    size = image_size(config.vision_config)
    return Origin(
        name=f"clip:{name}",
        preprocessing=preprocessing(transformers, name, size),
        fixed=True,
        licence=_licence(name) if weights is None else "unknown",
        source=weights.name if isinstance(weights, Path) else sources[weights],
        accuracy=None,
        pretrained=weights != "none",
    )
