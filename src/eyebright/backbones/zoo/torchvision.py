"""torchvision's classification models, with what their weights' descriptions say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torchvision import models
from torchvision.models.vision_transformer import VisionTransformer, interpolate_embeddings

from eyebright.backbones.card import Preprocessing, wrong_size
from eyebright.backbones.torch.network import Network, Origin, drop_layer, make_network
from eyebright.backbones.zoo import hub
from eyebright.backbones.zoo.source import Entry, Weights, interpolation
from eyebright.backbones.zoo.weights import check_fit, read, strip_prefixes

# Whose published weights expect a normalisation that the forward pass makes; classifiers for training only.
_INCEPTIONS = ("googlenet", "inception_v3")
_EXTRA_CLASSIFIERS = ("aux1.", "aux2.", "AuxLogits.")
_FIXED = ("vit_", "maxvit_")


class Torchvision:
    """torchvision as a source."""

    name = "torchvision"

    def names(self) -> Sequence[str]:
        """Return its classifiers of images."""
        names: list[str] = models.list_models(module=models)
        return names

    def supports(self, name: str) -> bool:
        """Return whether torchvision has it."""
        return name in self.names()

    def entry(self, name: str) -> Entry:
        """Return the line from the description of its weights."""
        published = _published(name)
        return Entry(
            f"{self.name}:{name}",
            self.name,
            published.meta["num_params"],
            _crop(published),
            _licence(published),
            _accuracy(published),
        )

    def build(self, name: str, weights: Weights, size: int | None) -> Network:
        """See :class:`~eyebright.backbones.zoo.source.ModelZoo`."""
        published = _published(name)
        size = size or _crop(published)
        body = _create(name, size, weights)
        classifier = _drop_classifier(body)
        if weights != "none":
            where = weights or Path(published.url).name
            found = read(weights) if isinstance(weights, Path) else _fetch(name, published)
            _load(body, found, name, Path(where), classifier)
        return make_network(body, _origin(name, published, weights, size))


def _published(name: str) -> Any:
    """Return the description of the newest weights."""
    return models.get_model_weights(name).DEFAULT


def _crop(published: Any) -> int:
    crop: int = published.transforms().crop_size[0]
    return crop


def _licence(published: Any) -> str:
    licence: str = published.meta.get("license", "BSD-3-Clause")
    return licence


def _accuracy(published: Any) -> float:
    top: float = published.meta["_metrics"]["ImageNet-1K"]["acc@1"]
    return top / 100


def _create(name: str, size: int, weights: Weights) -> nn.Module:
    options: dict[str, Any] = {}
    if name in _INCEPTIONS:
        options = {"aux_logits": False, "init_weights": True, "transform_input": weights != "none"}
    elif name.startswith("vit_"):
        options = {"image_size": size}
    try:
        body: nn.Module = models.get_model(name, weights=None, **options)
    except (ValueError, AssertionError) as error:
        raise wrong_size(name, size) from error
    return body


def _drop_classifier(body: nn.Module) -> str:
    """Replace the last linear layer, or convolution, and the dropout beside it; return the layer's name."""
    kinds = (nn.Linear,) if any(isinstance(m, nn.Linear) for m in body.modules()) else (nn.Conv2d,)
    last: str = [name for name, module in body.named_modules() if isinstance(module, kinds)][-1]
    return drop_layer(body, last)


def _fetch(name: str, published: Any) -> dict[str, Tensor]:
    try:
        tensors: dict[str, Tensor] = published.get_state_dict(progress=False, check_hash=True)
    except (OSError, RuntimeError) as error:
        raise hub.unreachable(name, "download.pytorch.org") from error
    return tensors


def _load(body: nn.Module, found: dict[str, Tensor], name: str, path: Path, classifier: str) -> None:
    expected = body.state_dict()
    ignored = (f"{classifier}.", *_EXTRA_CLASSIFIERS)
    kept = {k: t for k, t in strip_prefixes(found, expected).items() if not k.startswith(ignored)}
    if isinstance(body, VisionTransformer) and "encoder.pos_embedding" in kept:
        kept = dict(interpolate_embeddings(body.image_size, body.patch_size, kept))
    check_fit(expected, kept, name, path)
    body.load_state_dict(kept, strict=False)


def _origin(name: str, published: Any, weights: Weights, size: int) -> Origin:
    view = published.transforms()
    sources = {None: f"torchvision {published}", "none": "random weights"}
    return Origin(
        name=name,
        preprocessing=Preprocessing(
            size,
            interpolation(view.interpolation.value),
            view.crop_size[0] / view.resize_size[0],
            tuple(view.mean),
            tuple(view.std),
        ),
        fixed=name.startswith(_FIXED),
        licence=_licence(published) if weights is None else "unknown",
        source=weights.name if isinstance(weights, Path) else sources[weights],
        accuracy=_accuracy(published) if weights is None else None,
        pretrained=weights != "none",
    )
