"""Code of the user's own in a training.

Objects come from Python alone: no option names code, and no path is imported.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from hashlib import blake2b
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

from eyebright.backbones.card import Preprocessing
from eyebright.errors import ConfigError
from eyebright.options.conflicts import named
from eyebright.training.finetune.recipe import OWN
from eyebright.types import Interpolation

if TYPE_CHECKING:
    from eyebright.backbones.torch.network import Network
    from eyebright.backbones.torch.own import TorchModule
    from eyebright.training.finetune.own_code import ImageTransform, OptimizerFactory
    from eyebright.training.finetune.step import Loss
    from eyebright.verbs.train.options import TrainConfig

_DEPTH = 4  # of lists in lists, within settings
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True, kw_only=True)
class OwnBackbone:
    """A module of your own as a backbone, with what it was trained on.

    Attributes:
        module: a torch.nn.Module from normalised pixels (B, 3, S, S) to features (B, D), or to a map
            (B, C, h, w), whose mean is taken.
        size: S that it was trained at.
        fixed: whether it takes that size only.
        mean, std: of the normalisation, a value a channel, for pixels from 0 to 1.
        interpolation: of the resize.
        licence: SPDX identifier of the weights' licence.
        pretrained: False where the weights are random.
    """

    module: TorchModule
    size: int = 224
    fixed: bool = False
    mean: tuple[float, float, float] = _IMAGENET_MEAN
    std: tuple[float, float, float] = _IMAGENET_STD
    interpolation: Interpolation = "bilinear"
    licence: str = "unknown"
    pretrained: bool = True

    @property
    def name(self) -> str:
        """Return the name that stands for it in options and cards."""
        return OWN + qualified_name(self.module)

    def network(self, size: int | None) -> Network:
        """Return a copy of the module as a network, watched at ``size`` or its own."""
        from eyebright.backbones.torch.own import own_network

        seen = Preprocessing(
            size=self.size if size is None or self.fixed else size,
            interpolation=self.interpolation,
            crop=None,
            mean=self.mean,
            std=self.std,
        )
        return own_network(
            self.module,
            self.name,
            seen,
            fixed=self.fixed,
            licence=self.licence,
            pretrained=self.pretrained,
        )


@dataclass(frozen=True, kw_only=True)
class OwnCode:
    """Objects of the user's own; None of each that there is none of.

    Attributes:
        backbone: what gives features.
        transform: of images in training; see :class:`~eyebright.training.finetune.own_code.OwnTransform`.
        inference_transform: a torch.nn.Module on pixels (B, 3, S, S) from 0 to 1, sealed with the model.
        loss: see :class:`~eyebright.training.finetune.own_code.OwnLoss`.
        optimizer: groups of parameters → a torch.optim.Optimizer.
    """

    backbone: OwnBackbone | None = None
    transform: ImageTransform | None = None
    inference_transform: TorchModule | None = None
    loss: Loss | None = None
    optimizer: OptimizerFactory | None = None

    @property
    def front(self) -> bool:
        """Return whether the features are computed by code of the user's own."""
        return self.backbone is not None or self.inference_transform is not None

    def names(self) -> dict[str, str]:
        """Return what is remembered of each object: its name, and a hash of its source and settings."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        plain = {n: o.module if isinstance(o, OwnBackbone) else o for n, o in given.items()}
        return {n: f"{OWN}{qualified_name(o)} {digest(o)}" for n, o in plain.items() if o is not None}

    def sealed_in(self, network: Network) -> Network:
        """Return the network behind the transform for inference, where there is one."""
        if self.inference_transform is None:
            return network
        from eyebright.backbones.torch.own import with_transform

        return with_transform(network, self.inference_transform)


NOTHING_OWN = OwnCode()


def check_own_code(config: TrainConfig, own: OwnCode, watched: bool) -> None:
    """Refuse what does not go together with code of the user's own.

    Args:
        config: the options.
        own: the objects.
        watched: whether a function is called with each epoch.

    Raises:
        ConfigError: naming it.
    """
    epochs = {
        "transform": own.transform is not None,
        "loss": own.loss is not None,
        "optimizer": own.optimizer is not None,
        "on_epoch": watched,
    }
    given = {"backbone": own.backbone is not None, "inference_transform": own.inference_transform is not None}
    objects = named(epochs | given)
    if not objects:
        return
    if config.finetune == "off" and (idle := named(epochs)):
        raise ConfigError(
            "Only fine-tuning has steps and epochs: a frozen backbone gets a head that is solved. Got "
            "{names} with finetune='off'. Use finetune='last' or 'full', or leave them out.",
            names=idle,
        )
    if config.processes > 1:
        raise ConfigError(
            "Objects of Python cannot be sent to processes that Eyebright starts. Got {names} with "
            "processes={count}. Start your script with torchrun, where each process makes its own objects.",
            names=objects,
            count=config.processes,
        )
    _check_front(config, own)
    _check_learning(config, own)


def _check_front(config: TrainConfig, own: OwnCode) -> None:
    if not own.front:
        return
    refused = {
        "pretrain": config.pretrain is not None,
        "prompts": config.prompts is not None,
        "cluster": config.cluster is not None,
        "backbone='auto'": config.backbone == "auto",
        "weights": own.backbone is not None and config.weights is not None,
    }
    if found := named(refused):
        raise ConfigError(
            "A backbone or a transform of your own is used as it is given. It does not go together with "
            "{options}. Remove one of them.",
            options=found,
        )


def _check_learning(config: TrainConfig, own: OwnCode) -> None:
    if own.loss is not None:
        settings = {
            "label_smoothing": config.label_smoothing != type(config).model_fields["label_smoothing"].default,
            "class_weights": config.class_weights != "none",
            "teacher": config.teacher is not None,
        }
        if found := named(settings):
            raise ConfigError(
                "A loss of your own replaces ours and its settings. It does not go together with {options}. "
                "Remove one of them.",
                options=found,
            )
    if own.transform is not None and (config.finetune != "full" or config.teacher is not None):
        raise ConfigError(
            "A transform of your own is applied anew in every epoch, so the whole backbone must be trained, "
            "and without a teacher. Got finetune='{finetune}'. Use finetune='full' without a teacher.",
            finetune=config.finetune,
        )


def require_own_backbone(name: str) -> ConfigError:
    """Return the error for the name of a user's module without the module."""
    return ConfigError(
        "{name} is a module of Python that no option can name. Call eb.train(..., backbone=module) with it.",
        name=name,
    )


def qualified_name(given: object) -> str:
    """Return the module and the qualified name of a function, or of an object's class."""
    while isinstance(given, functools.partial):
        given = given.func
    known = given if hasattr(given, "__qualname__") else type(given)
    return f"{getattr(known, '__module__', '')}.{getattr(known, '__qualname__', '')}"


def digest(given: object) -> str:
    """Return a short hash of what can be seen of an object: its source, its settings and its tensors.

    What a function calls is not looked into.
    """
    found = blake2b(digest_size=4)
    for part in _seen(given):
        found.update(part.encode())
    return found.hexdigest()


def _seen(given: Any) -> Iterator[str]:
    if isinstance(given, functools.partial):
        yield from _seen(given.func)
        yield from _value((given.args, given.keywords), _DEPTH)
    elif inspect.isfunction(given) or inspect.ismethod(given) or inspect.isclass(given):
        yield _source(given)
        for cell in getattr(given, "__closure__", None) or ():
            # A list there may be where a callback writes to; only what cannot change is a setting.
            yield from _value(cell.cell_contents, 0)
    elif hasattr(given, "state_dict") and hasattr(given, "modules"):  # a torch.nn.Module
        yield from sorted({_source(type(module)) for module in given.modules()})
        yield _ADDRESS.sub("", repr(given))
        for name, tensor in given.state_dict().items():
            yield f"{name} {tensor.detach().cpu().float().numpy().tobytes().hex()}"
    else:
        yield _source(type(given))
        yield from _value(getattr(given, "__dict__", {}), _DEPTH)


def _value(value: Any, depth: int) -> Iterator[str]:
    """Yield a setting: plain values, in lists and the like down to ``depth``; of other objects their class.

    Their own `repr` is not asked: it may do anything, and take long.
    """
    if value is None or isinstance(value, str | bytes | int | float | complex):
        yield repr(value)
    elif inspect.isfunction(value) or inspect.isclass(value):
        yield _source(value)
    elif depth and isinstance(value, list | tuple):
        for one in value:
            yield from _value(one, depth - 1)
    elif depth and isinstance(value, dict):
        for key in sorted(value, key=str):
            yield str(key)
            yield from _value(value[key], depth - 1)
    else:
        yield qualified_name(value)


def _source(given: Any) -> str:
    """Return the source, or the compiled code where there is none, as of a line typed at a prompt."""
    try:
        return inspect.getsource(given)
    except (OSError, TypeError):
        code = getattr(given, "__code__", None)
        return (
            qualified_name(given)
            if code is None
            else f"{code.co_code.hex()} {code.co_consts} {code.co_names}"
        )


def own_code_of(
    *,
    backbone: str | PathLike[str] | TorchModule | OwnBackbone | None = None,
    loss: str | Loss | None = None,
    optimizer: str | OptimizerFactory | None = None,
    transform: ImageTransform | None = None,
    inference_transform: TorchModule | None = None,
) -> tuple[OwnCode, dict[str, str]]:
    """Separate objects from texts.

    Args:
        backbone: a name, the path of one that was pretrained, or an object.
        loss: the same.
        optimizer: the same.
        transform: see :class:`OwnCode`.
        inference_transform: see :class:`OwnCode`.

    Returns:
        The objects, and the options that are texts, with a name for a backbone that is an object.
    """
    if isinstance(backbone, PathLike):
        backbone = fspath(backbone)
    texts = {"backbone": backbone, "loss": loss, "optimizer": optimizer}
    words = {name: value for name, value in texts.items() if isinstance(value, str)}
    own = OwnCode(
        backbone=_as_backbone(backbone),
        transform=transform,
        inference_transform=inference_transform,
        loss=None if isinstance(loss, str) else loss,
        optimizer=None if isinstance(optimizer, str) else optimizer,
    )
    return own, words if own.backbone is None else words | {"backbone": own.backbone.name}


def _as_backbone(given: str | TorchModule | OwnBackbone | None) -> OwnBackbone | None:
    if given is None or isinstance(given, str | OwnBackbone):
        return None if isinstance(given, str) else given
    return OwnBackbone(module=given)
