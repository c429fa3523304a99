"""Hugging Face's `AutoModelForImageClassification`: a repository of the hub, or a folder in its layout."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from eyebright.backbones.card import Preprocessing, wrong_size
from eyebright.backbones.torch.network import Network, Origin, drop_layer, make_network
from eyebright.backbones.zoo import hub
from eyebright.backbones.zoo.source import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    Entry,
    Weights,
    interpolation,
    licence,
)
from eyebright.backbones.zoo.weights import load_file
from eyebright.errors import MissingExtraError, ModelError
from eyebright.runtime.install import install_command

_RESAMPLING = {2: "bilinear", 3: "bicubic"}  # Pillow's numbers


class _Body(nn.Module):
    """Pixels in, what the classifier would see out, without dictionaries or keywords."""

    def __init__(self, model: nn.Module, options: dict[str, bool]) -> None:
        super().__init__()
        self.model = model
        self.options = options

    def forward(self, pixels: Tensor) -> Tensor:
        logits: Tensor = self.model(pixel_values=pixels, **self.options).logits
        return logits


class Repositories:
    """What sources of Hugging Face's repositories and folders have in common."""

    def names(self) -> Sequence[str]:
        """Return nothing: the hub has too many, which are unknown without a network."""
        return []

    def supports(self, name: str) -> bool:
        """Return whether it may be a repository or is a folder."""
        return "/" in name or Path(name).is_dir()


class HuggingFace(Repositories):
    """Hugging Face as a source."""

    name = "hf"

    def entry(self, name: str) -> Entry:
        """Return the line from the configuration; weights are not read."""
        transformers = library()
        config = _config(transformers, name)
        with readable(name), torch.device("meta"):
            model = transformers.AutoModelForImageClassification.from_config(config)
        parameters = sum(p.numel() for p in model.parameters())
        return Entry(f"hf:{name}", self.name, parameters, image_size(config), "unknown", accuracy=None)

    def build(self, name: str, weights: Weights, size: int | None) -> Network:
        """See :class:`~eyebright.backbones.zoo.source.ModelZoo`."""
        transformers = library()
        config = _config(transformers, name)
        if hasattr(config, "drop_path_rate"):
            config.drop_path_rate = (
                0.1  # so that the places are made; they skip nothing until they are told to
            )
        auto = transformers.AutoModelForImageClassification
        with readable(name):
            model = _pretrained(auto, name, config) if weights is None else auto.from_config(config)
        classifier = _drop_classifier(model)
        if isinstance(weights, Path):
            load_file(model, weights, name, (f"{classifier}.",))
        size = size or image_size(config)
        body = _Body(model, _options(model, size, image_size(config))).eval()
        if not _takes(body, size):
            raise wrong_size(name, size)
        return make_network(body, _origin(transformers, name, weights, body, size))


def library() -> Any:
    """Return the package transformers, without its progress bars and its remarks on loading.

    Raises:
        MissingExtraError: it is not installed.
    """
    logging.getLogger("torch.utils._pytree").setLevel(logging.ERROR)
    try:
        import transformers
    except ImportError as error:
        raise MissingExtraError(
            "Hugging Face backbones need the package transformers, which is not installed. Run: {command}",
            command=install_command("torch"),
        ) from error
    speaking: Any = transformers.utils.logging
    speaking.disable_progress_bar()
    speaking.set_verbosity_error()
    return transformers


@contextmanager
def readable(name: str) -> Iterator[None]:
    """Turn errors of the hub, and of folders with other content, into errors of ours."""
    place = nullcontext() if Path(name).is_dir() else hub.hugging_face(name)
    try:
        with place:
            yield
    except (hub.HubError, ModelError):
        raise
    except (OSError, ValueError) as error:
        raise ModelError(
            "A Hugging Face folder or repository must contain an image classifier. {name} does not: "
            "{reason}. Choose another one.",
            name=name,
            reason=str(error).splitlines()[0].rstrip("."),
        ) from error
    except RuntimeError as error:
        if "mismatched" not in str(error):
            raise
        raise ModelError(
            "The weights of a repository must have the sizes that its config.json names. Those of {name} do "
            "not. Use the files of one model.",
            name=name,
        ) from error


def _config(transformers: Any, name: str) -> Any:
    with readable(name):
        return transformers.AutoConfig.from_pretrained(name, trust_remote_code=False)


def _pretrained(auto: Any, name: str, config: Any) -> nn.Module:
    """Return the repository's weights; only its classifier may be missing."""
    model, found = auto.from_pretrained(
        name, config=config, trust_remote_code=False, use_safetensors=True, output_loading_info=True
    )
    last = _classifier(model)
    missing = [key for key in found["missing_keys"] if not key.startswith(last)]
    if missing:
        raise ModelError(
            "The repository must contain all weights of the backbone. {name} lacks "
            "{count:tensor|tensors}, for example {tensor}. Choose another repository.",
            name=name,
            count=len(missing),
            tensor=missing[0],
        )
    trained: nn.Module = model
    return trained


def image_size(config: Any) -> int:
    """Return S, the side in pixels that a configuration names; 224 where it names none."""
    size = getattr(config, "image_size", None)
    if isinstance(size, (list, tuple)):
        size = size[0]
    return size if isinstance(size, int) else 224


def _classifier(model: nn.Module) -> str:
    names: list[str] = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    return names[-1]


def _drop_classifier(model: nn.Module) -> str:
    """Replace the last linear layer and the dropout before it; return the layer's name."""
    return drop_layer(model, _classifier(model))


def _options(model: nn.Module, size: int, native: int) -> dict[str, bool]:
    """Return the options that interpolate position embeddings of another size, where the model can."""
    name = "interpolate_pos_encoding"
    return {name: True} if size != native and name in inspect.signature(model.forward).parameters else {}


def _takes(body: nn.Module, size: int) -> bool:
    try:
        with torch.no_grad():
            body(torch.zeros(1, 3, size, size))
    except (ValueError, RuntimeError):
        return False
    return True


def _origin(transformers: Any, name: str, weights: Weights, body: _Body, size: int) -> Origin:
    sources = {None: f"Hugging Face {name}", "none": "random weights"}
    return Origin(
        name=f"hf:{name}",
        preprocessing=preprocessing(transformers, name, size),
        fixed=bool(body.options) or not _takes(body, size + 64),
        licence=repository_licence(name) if weights is None else "unknown",
        source=weights.name if isinstance(weights, Path) else sources[weights],
        accuracy=None,
        pretrained=weights != "none",
    )


def repository_licence(name: str) -> str:
    """Return the licence from the head of the repository's README, without the network."""
    readme = Path(name) / "README.md"
    lines = readme.read_text(encoding="utf-8", errors="replace").splitlines() if readme.is_file() else []
    named = [line.partition(":")[2].strip() for line in lines[:50] if line.startswith("license:")]
    return licence(named[0] if named else None)


def preprocessing(transformers: Any, name: str, size: int) -> Preprocessing:
    """Return the repository's preprocessing; ImageNet's usual one where there is none."""
    try:
        with readable(name):
            found = transformers.AutoImageProcessor.from_pretrained(name, trust_remote_code=False)
    except (hub.HubError, ModelError):
        return Preprocessing(size, "bicubic", None, IMAGENET_MEAN, IMAGENET_STD)
    settings = getattr(found, "data_config", None)
    if settings is not None:  # a network of timm's
        mean, std, way = settings["mean"], settings["std"], settings["interpolation"]
        return Preprocessing(size, interpolation(way), settings["crop_pct"], tuple(mean), tuple(std))
    normalises = getattr(found, "do_normalize", True)
    mean = getattr(found, "image_mean", None) if normalises else (0.0, 0.0, 0.0)
    std = getattr(found, "image_std", None) if normalises else (1.0, 1.0, 1.0)
    way = _RESAMPLING.get(int(getattr(found, "resample", None) or 3), "bicubic")
    crop = getattr(found, "crop_pct", None)
    return Preprocessing(
        size, interpolation(way), crop, tuple(mean or IMAGENET_MEAN), tuple(std or IMAGENET_STD)
    )
