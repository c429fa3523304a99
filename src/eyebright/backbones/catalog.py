"""All backbones by name: where each comes from, and which there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from eyebright.backbones.lite.lite import NAMES
from eyebright.backbones.stored import read_card, stored_folder, stored_weights, with_stored_card
from eyebright.backbones.zoo.source import Entry, lite_entry
from eyebright.errors import ConfigError, MissingExtraError, nearest
from eyebright.runtime.install import install_command

if TYPE_CHECKING:
    from pathlib import Path

    from eyebright.backbones.torch.network import Network
    from eyebright.backbones.towers.towers import Towers
    from eyebright.backbones.zoo.source import ModelZoo, TowersZoo, Weights

Zoo = TypeVar("Zoo", bound="ModelZoo")


def _embedded() -> ModelZoo:
    from eyebright.backbones.zoo.lite import Embedded

    return Embedded()


def _timm() -> ModelZoo:
    from eyebright.backbones.zoo.timm import Timm

    return Timm()


def _torchvision() -> ModelZoo:
    from eyebright.backbones.zoo.torchvision import Torchvision

    return Torchvision()


def _hugging_face() -> ModelZoo:
    from eyebright.backbones.zoo.huggingface import HuggingFace

    return HuggingFace()


def _clip() -> TowersZoo:
    from eyebright.backbones.towers.huggingface import HuggingFaceTowers

    return HuggingFaceTowers()


def _open_clip() -> TowersZoo:
    from eyebright.backbones.towers.open_clip import OpenClipTowers

    return OpenClipTowers()


# In the order in which a name without a prefix is looked for; a name with a slash fits only the last.
_SOURCES: Mapping[str, Callable[[], ModelZoo]] = {
    "embedded": _embedded,
    "timm": _timm,
    "torchvision": _torchvision,
    "hf": _hugging_face,
}
# Of image towers with their text towers; found by their prefix only.
_TOWERS: Mapping[str, Callable[[], TowersZoo]] = {"clip": _clip, "open_clip": _open_clip}


@dataclass(frozen=True)
class SearchResult:
    """The first of the backbones that were looked for, and how many more there are."""

    entries: tuple[Entry, ...]
    more: int


def load(name: str, weights: Weights = None, size: int | None = None) -> Network:
    """Build the backbone ``name``.

    Args:
        name: `SOURCE:NAME` with timm, torchvision or hf, or a bare name: embedded, then timm, then
            torchvision; with a slash, a repository of Hugging Face; or a directory of `eyebright pretrain`.
        weights: a file; "none" for random weights; None for the published ones.
        size: S that it will be used at, for architectures that are built for one size.

    Raises:
        ConfigError: no source has it, or it cannot be built for this size.
        MissingExtraError: PyTorch is not installed.
        HubError: the published weights cannot be fetched.
        ModelError: the file does not fit.
    """
    if (folder := stored_folder(name)) is not None:
        return _load_stored(folder, weights, size)
    source, own = find(name)
    return source.build(own, weights, size)


def load_towers(name: str, weights: Weights = None) -> Towers:
    """Build the image tower and the text tower ``name``.

    Args:
        name: `clip:FOLDER`, `clip:OWNER/NAME`, `open_clip:ARCHITECTURE:TAG` or `open_clip:FOLDER`.
        weights: as for :func:`load`.

    Raises:
        ConfigError: the backbone has no text tower, or there is none of this name.
        MissingExtraError, HubError, ModelError: as for :func:`load`.
    """
    prefix, _, own = name.partition(":")
    if prefix not in _TOWERS:
        raise ConfigError(
            "Recognition from names requires an image tower with a text tower: clip:FOLDER, clip:OWNER/NAME "
            "or open_clip:ARCHITECTURE:TAG. Got {name}. Choose one of these.",
            name=name,
        )
    source = _towers()[prefix]
    if not source.supports(own):
        raise _unknown(name, {f"{prefix}:{known}": None for known in source.names()})
    return source.towers(own, weights)


def _load_stored(folder: Path, weights: Weights, size: int | None) -> Network:
    """Build the network of a directory that `eyebright pretrain` wrote."""
    if weights is not None:
        raise ConfigError(
            "A pretrained backbone has its own weights. Got {path} together with --weights. Remove one of "
            "them.",
            path=folder,
        )
    stored = read_card(folder)
    source, own = find(stored.architecture)
    network = source.build(own, stored_weights(folder, stored), size or stored.preprocessing.size)
    network.card = with_stored_card(network.card, stored)
    return network


def require_torch() -> None:
    """Require the packages that fine-tuning needs.

    Raises:
        MissingExtraError: it is not installed.
    """
    _all_sources()


def find(name: str) -> tuple[ModelZoo, str]:
    """Return the source that has ``name``, and its name there.

    Raises:
        ConfigError: none has it.
        MissingExtraError: PyTorch is not installed.
    """
    prefix, colon, own = name.partition(":")
    sources = _all_sources()
    named = {**sources, **_towers()}
    if colon and prefix in named:
        if named[prefix].supports(own):
            return named[prefix], own
        raise _unknown(name, {f"{prefix}:{known}": None for known in named[prefix].names()})
    for source in sources.values():
        if source.supports(name):
            return source, name
    raise _unknown(name, {known: None for source in sources.values() for known in source.names()})


def search(text: str, limit: int = 20) -> SearchResult:
    """Return the backbones whose name holds ``text``; without PyTorch only the EfficientNets-Lite are known.

    The weights of those that are returned are counted, which takes a moment each.
    """
    wanted = text.casefold()
    try:
        sources = _all_sources()
    except MissingExtraError:
        return SearchResult(tuple(lite_entry(name) for name in NAMES if wanted in name), 0)
    hits = [
        (source, name)
        for source in {**sources, **_towers()}.values()
        for name in source.names()
        if wanted in name.casefold()
    ]
    hits.sort(key=lambda hit: not hit[1].casefold().startswith(wanted))
    return SearchResult(tuple(source.entry(name) for source, name in hits[:limit]), max(0, len(hits) - limit))


def _all_sources() -> dict[str, ModelZoo]:
    return _made(_SOURCES)


def _towers() -> dict[str, TowersZoo]:
    return _made(_TOWERS)


def _made(makers: Mapping[str, Callable[[], Zoo]]) -> dict[str, Zoo]:
    try:
        return {name: make() for name, make in makers.items()}
    except ImportError as error:
        if isinstance(error, MissingExtraError):
            raise
        raise MissingExtraError(
            "Fine-tuning, and every backbone except efficientnet_lite0, 1 and 2, needs PyTorch, "
            "torchvision and timm. {package} is not installed. Run: {command}",
            package=error.name,
            command=install_command("torch"),
        ) from error


def _unknown(name: str, known: Mapping[str, None]) -> ConfigError:
    return ConfigError(
        "The backbone must come from timm, torchvision, Hugging Face (hf:OWNER/NAME or hf:FOLDER; clip: for "
        "towers) or OpenCLIP (open_clip:ARCHITECTURE:TAG). "
        "There is none named {name}. The closest are: {near}. `eyebright models --search TEXT` lists "
        "more.",
        name=name,
        near=nearest(name, known),
    )
