"""OpenCLIP's towers: `open_clip:ARCHITECTURE:TAG`, or a folder with `open_clip_config.json`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn.functional import normalize

from eyebright.backbones.card import Preprocessing
from eyebright.backbones.licences import licence_of_tag
from eyebright.backbones.torch.network import Network, Origin, make_network
from eyebright.backbones.towers.towers import TextTower, Towers
from eyebright.backbones.zoo import hub
from eyebright.backbones.zoo.huggingface import repository_licence
from eyebright.backbones.zoo.source import Entry, Weights, interpolation
from eyebright.backbones.zoo.weights import load_file
from eyebright.errors import ConfigError, MissingExtraError, ModelError
from eyebright.runtime.install import install_command

_CONFIG = "open_clip_config.json"


class _ImageTower(nn.Module):
    """Normalised pixels (B, 3, S, S) in, unit vectors (B, D) out."""

    def __init__(self, visual: nn.Module) -> None:
        super().__init__()
        self.visual = visual

    def forward(self, pixels: Tensor) -> Tensor:
        return normalize(self.visual(pixels), dim=-1)


class _TextTower(nn.Module):
    """Token numbers (n, L) in, unit vectors (n, D) out; the mask is unused, as the towers find the end."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        found: Tensor = self.model.encode_text(ids * mask, normalize=True)
        return found


class OpenClipTowers:
    """OpenCLIP's towers as a source of backbones."""

    name = "open_clip"

    def names(self) -> Sequence[str]:
        """Return the architectures with the tags of their published weights."""
        try:
            return [f"{architecture}:{tag}" for architecture, tag in _library().list_pretrained()]
        except MissingExtraError:
            return []

    def supports(self, name: str) -> bool:
        """Return whether it is an architecture, one of its tags after a colon, or a folder."""
        if Path(name).is_dir():
            return True
        try:
            open_clip = _library()
        except MissingExtraError:
            return True  # the error comes where it is built
        architecture, _, tag = name.partition(":")
        known = architecture in open_clip.list_models()
        return known and (not tag or tag in open_clip.list_pretrained_tags_by_model(architecture))

    def entry(self, name: str) -> Entry:
        """Return the line; weights are not read."""
        model = _model(_library(), name, "none")
        parameters = sum(p.numel() for p in model.parameters())
        return Entry(f"open_clip:{name}", self.name, parameters, _size(model), _licence(name), accuracy=None)

    def build(self, name: str, weights: Weights, size: int | None) -> Network:
        """See :class:`~eyebright.backbones.zoo.source.ModelZoo`: the image tower alone."""
        return self.towers(name, weights).network

    def towers(self, name: str, weights: Weights) -> Towers:
        """Build both towers; they take images of the size that they were trained at.

        Raises:
            HubError: the published weights cannot be fetched.
            ModelError: the folder or the file holds no such towers.
        """
        open_clip = _library()
        model = _model(open_clip, name, weights)
        if isinstance(weights, Path):
            load_file(model, weights, name)
        model = model.float().eval()
        bias = getattr(model, "logit_bias", None)
        origin = Origin(
            name=f"open_clip:{name}",
            preprocessing=_preprocessing(model),
            fixed=True,
            licence=_licence(name) if weights is None else "unknown",
            source=_source(name, weights),
            accuracy=None,
            pretrained=weights != "none",
        )
        return Towers(
            make_network(_ImageTower(model.visual), origin),
            TextTower(_TextTower(model), _tokenizer(open_clip, name), ("a photo of a {}.",)),
            scale=model.logit_scale.detach().exp().item(),
            bias=0.0 if bias is None else bias.detach().item(),
            activation="softmax" if bias is None else "sigmoid",
        )


def _library() -> Any:
    try:
        import open_clip
    except ImportError as error:
        raise MissingExtraError(
            "OpenCLIP's backbones need the package open_clip_torch, which is not installed. Run: {command}",
            command=install_command("torch"),
        ) from error
    return open_clip


def _model(open_clip: Any, name: str, weights: Weights) -> Any:
    """Build the towers; weights by a tag and of a folder are loaded, by the library's own rules for each."""
    folder = Path(name).is_dir()
    architecture, _, tag = name.partition(":")
    if folder and not (Path(name) / _CONFIG).is_file():
        raise ModelError(
            "A folder of OpenCLIP must contain {file}. {name} does not. Give another folder.",
            file=_CONFIG,
            name=name,
        )
    published = weights is None
    if published and not folder and not tag:
        raise ConfigError(
            "Weights of OpenCLIP must be named by their tag. Got {name} without one. Its tags are: {tags}.",
            name=name,
            tags=", ".join(open_clip.list_pretrained_tags_by_model(architecture)),
        )
    try:
        with nullcontext() if folder or not published else hub.hugging_face(f"open_clip:{name}"):
            return open_clip.create_model(
                f"local-dir:{name}" if folder else architecture,
                pretrained=tag if published and not folder else None,
                load_weights=published,
                require_pretrained=published,
                weights_only=True,
                pretrained_text=False,
            )
    except hub.HubError:
        raise
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError, OSError, SafetensorError) as error:
        # of a configuration or of weights that anyone may have written
        raise ModelError(
            "OpenCLIP must be able to build the towers. {name}: {reason}. Choose other ones.",
            name=name,
            reason=(str(error).strip() or type(error).__name__).splitlines()[0].rstrip("."),
        ) from error


def _source(name: str, weights: Weights) -> str:
    if isinstance(weights, Path):
        return weights.name
    return "random weights" if weights == "none" else f"OpenCLIP {Path(name).name}"


def _tokenizer(open_clip: Any, name: str) -> Callable[[Sequence[str]], tuple[Tensor, Tensor]]:
    place = f"local-dir:{name}" if Path(name).is_dir() else name.partition(":")[0]
    with hub.hugging_face(f"open_clip:{name}"):
        tokenizer = open_clip.get_tokenizer(place)

    def tokenize(texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        ids = tokenizer(list(texts)).to(torch.int64)
        return ids, torch.ones_like(ids)

    return tokenize


def _size(model: Any) -> int:
    size = model.visual.image_size
    return int(size[0] if isinstance(size, (tuple, list)) else size)


def _preprocessing(model: Any) -> Preprocessing:
    settings = model.visual.preprocess_cfg
    way = interpolation(settings.get("interpolation", "bicubic"))
    return Preprocessing(_size(model), way, None, tuple(settings["mean"]), tuple(settings["std"]))


def _licence(name: str) -> str:
    return repository_licence(name) if Path(name).is_dir() else licence_of_tag(name.partition(":")[2])
