"""timm's networks: all of its classifiers, by their names there, with or without the tag of the weights."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import timm
import torch
from torch import Tensor, nn

from eyebright.backbones.card import Preprocessing, wrong_size
from eyebright.backbones.torch.network import Network, Origin, make_network
from eyebright.backbones.zoo import hub
from eyebright.backbones.zoo.source import Entry, Weights, interpolation, licence
from eyebright.backbones.zoo.weights import load_file

_SHORT = {
    "vit_tiny": "vit_tiny_patch16_224",
    "vit_small": "vit_small_patch16_224",
    "vit_base": "vit_base_patch16_224",
    "swin_tiny": "swin_tiny_patch4_window7_224",
}


def architecture(name: str) -> str:
    """Return timm's own name of an architecture, without the tag of its weights."""
    return _SHORT.get(name, name).partition(".")[0]


class Timm:
    """timm as a source."""

    name = "timm"

    def names(self) -> Sequence[str]:
        """Return the architectures, and the short names that are added."""
        return [*_SHORT, *timm.list_models()]

    def supports(self, name: str) -> bool:
        """Return whether timm has the architecture; a tag after a dot must be one of its weights."""
        name = _SHORT.get(name, name)
        if not timm.is_model(name):
            return False
        try:
            return timm.get_pretrained_cfg(name) is not None
        except RuntimeError:  # no such tag
            return False

    def entry(self, name: str) -> Entry:
        """Return the line, counted on torch's meta device, where tensors have no content."""
        known = _SHORT.get(name, name)
        settings = _settings(known)
        with torch.device("meta"):
            parameters = sum(p.numel() for p in timm.create_model(known).parameters())
        return Entry(
            name, self.name, parameters, settings.input_size[-1], licence(settings.license), accuracy=None
        )

    def build(self, name: str, weights: Weights, size: int | None) -> Network:
        """See :class:`~eyebright.backbones.zoo.source.ModelZoo`."""
        known = _SHORT.get(name, name)
        settings = _settings(known)
        if weights is None and not settings.has_weights:
            raise hub.unreachable(name, "timm")
        size = size or settings.input_size[-1]
        options: dict[str, Any] = {"num_classes": 0, "pretrained": weights is None}
        if settings.fixed_input_size and size != settings.input_size[-1]:
            options["img_size"] = size
        with hub.hugging_face(name) if weights is None else nullcontext():
            body = _create(known, size, options)
        if isinstance(weights, Path):
            load_file(body, weights, name, _classifier(settings), _filter(body))
        return make_network(body, _origin(name, settings, weights, size))


def _settings(name: str) -> Any:
    """Return the PretrainedCfg: input size, normalisation, licence, whether there are weights."""
    return timm.get_pretrained_cfg(name)


def _create(name: str, size: int, options: dict[str, Any]) -> nn.Module:
    """Build with skippable branches where the architecture has them.

    They skip nothing until they are told to.
    """
    try:
        return timm.create_model(name, drop_path_rate=0.1, **options)
    except TypeError as error:
        if "drop_path_rate" in str(error):
            return _create_plain(name, size, options)
        if "img_size" in str(error):
            raise wrong_size(name, size) from error
        raise
    except AssertionError as error:
        raise wrong_size(name, size) from error


def _create_plain(name: str, size: int, options: dict[str, Any]) -> nn.Module:
    try:
        return timm.create_model(name, **options)
    except (TypeError, AssertionError) as error:
        if "img_size" in options:
            raise wrong_size(name, size) from error
        raise


def _classifier(settings: Any) -> tuple[str, ...]:
    """Return beginnings of the names of the classifier's tensors."""
    names = settings.classifier or ()
    return tuple(f"{name}." for name in ([names] if isinstance(names, str) else names))


def _filter(body: nn.Module) -> Callable[[dict[str, Tensor]], dict[str, Tensor]] | None:
    """Return the function that converts the authors' layout or position embeddings to the network's."""
    function = getattr(sys.modules[type(body).__module__], "checkpoint_filter_fn", None)
    return None if function is None else lambda found: function(found, body)


def _origin(name: str, settings: Any, weights: Weights, size: int) -> Origin:
    sources = {None: f"timm {settings.architecture}.{settings.tag}", "none": "random weights"}
    return Origin(
        name=name,
        preprocessing=Preprocessing(
            size,
            interpolation(settings.interpolation),
            settings.crop_pct,
            tuple(settings.mean),
            tuple(settings.std),
        ),
        fixed=settings.fixed_input_size,
        licence=licence(settings.license) if weights is None else "unknown",
        source=weights.name if isinstance(weights, Path) else sources[weights],
        accuracy=None,
        pretrained=weights != "none",
    )
