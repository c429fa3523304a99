"""Code of the user's own, held to what the loop needs of it: a loss, an optimiser, a transform of images."""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from eyebright.errors import ConfigError
from eyebright.training.finetune.model.optimizer import ParameterGroup
from eyebright.training.finetune.step import Loss
from eyebright.types import IntArray, UInt8Array

#: Groups of parameters, as torch.optim takes them, to an optimiser of all of them.
OptimizerFactory: TypeAlias = Callable[[list[dict[str, Any]]], torch.optim.Optimizer]
#: A Pillow image, or a uint8 tensor (3, S, S), to an image.
ImageTransform: TypeAlias = Callable[[Any], Any]

_TOLERANCE = 0.02  # outside of 0 to 1, by which interpolation may overshoot
_TRIED_SIDE = 32


class OwnLoss:
    """A loss of the user's own as the loss of each image (b,).

    Args:
        function: logits (b, K) float32 and soft targets (b, K) → losses of the images (b,), of their labels
            (b, K), of which the mean counts, or their mean as a scalar.
        weighted: whether images have weights, which a scalar cannot be multiplied by.
    """

    def __init__(self, function: Loss, weighted: bool = False) -> None:
        self._function, self._weighted = function, weighted

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each image.

        Raises:
            ConfigError: the function gives something else.
        """
        if isinstance(self._function, nn.Module):
            self._function.to(logits.device)
        found = self._function(logits, targets)
        if isinstance(found, Tensor) and found.is_floating_point():
            if found.shape == logits.shape[:1]:
                return found
            if found.shape == logits.shape:
                return found.mean(1)
            if found.ndim == 0 and not self._weighted:
                return found.expand(len(logits))
        raise ConfigError(
            "The loss must give one number for each image, (b,), from logits and targets (b, K), or their "
            "mean where images have no weights. Got {found}. With a loss of torch.nn, use "
            "reduction='none'.",
            found=f"{type(found).__name__} {tuple(getattr(found, 'shape', ()))}",
        )


def check_loss(function: Loss, classes: int, weighted: bool) -> None:
    """Try a loss on logits of zero.

    Raises:
        ConfigError: it cannot be used, which would otherwise be found only after minutes.
    """
    learning = isinstance(function, nn.Module) and any(p.requires_grad for p in function.parameters())
    if learning:
        raise ConfigError(
            "A loss must have no parameters that learn: only the network is trained. {name} has some. Freeze "
            "them with requires_grad_(False), or move them into the backbone.",
            name=type(function).__name__,
        )
    targets = torch.eye(classes)[:2].repeat(2, 1)[:2]
    try:
        OwnLoss(function, weighted)(torch.zeros(2, classes, requires_grad=True), targets).sum().backward()  # type: ignore[no-untyped-call]
    except ConfigError:
        raise
    except Exception as error:  # a user's code raises whatever it likes
        raise ConfigError(
            "The loss must take logits and soft targets, both (b, K) float32: a row of targets holds each "
            "class's share. It failed: {reason}. For class numbers, use targets.argmax(1) in it.",
            reason=error,
        ) from error


def own_optimizer(factory: OptimizerFactory, groups: Sequence[ParameterGroup]) -> torch.optim.Optimizer:
    """Return the optimiser that a user's factory makes of the groups.

    Raises:
        ConfigError: it is none that the loop can drive.
    """
    wanted = [parameter for group in groups for parameter in group["params"]]
    made = factory([{**group} for group in groups])
    if not isinstance(made, torch.optim.Optimizer):
        raise ConfigError(
            "The optimiser must be a function from groups of parameters to a torch.optim.Optimizer. It gave "
            "{kind}. Give, for example, lambda groups: torch.optim.AdamW(groups).",
            kind=type(made).__name__,
        )
    given = [parameter for group in made.param_groups for parameter in group["params"]]
    if {id(p) for p in given} != {id(p) for p in wanted}:
        raise ConfigError(
            "The optimiser must hold exactly the parameters of the groups that it is given. It has {given} "
            "of {wanted}. Pass on all groups.",
            given=len(given),
            wanted=len(wanted),
        )
    closure = inspect.signature(type(made).step).parameters.get("closure")
    if closure is not None and closure.default is inspect.Parameter.empty:
        raise ConfigError(
            "The optimiser must step without a closure. {name} needs one. Choose another.",
            name=type(made).__name__,
        )
    return made


def check_optimizer(factory: OptimizerFactory) -> None:
    """Try a factory on one parameter.

    Raises:
        ConfigError: it cannot be used.
    """
    group = ParameterGroup(params=[nn.Parameter(torch.zeros(2, 2))], weight_decay=0.05, lr=1e-3, lr_scale=1.0)
    try:
        own_optimizer(factory, [group])
    except ConfigError:
        raise
    except Exception as error:  # a user's code raises whatever it likes
        raise ConfigError(
            "The optimiser must be made from groups of parameters, each with params, lr and weight_decay. It "
            "failed: {reason}. Give, for example, lambda groups: torch.optim.AdamW(groups).",
            reason=error,
        ) from error


class OwnTransform:
    """A transform of the user's own, in training only: images to images of the same size.

    What it draws from random, numpy's or torch's global state is seeded for each image, so that a resumed
    training and a batch in smaller parts see the same images.

    Args:
        function: takes a Pillow image; one that cannot is given a uint8 tensor (3, S, S) instead. It
            returns a Pillow image; a uint8 tensor (3, h, w) or array (h, w, 3); or floats of these shapes
            from 0 to 1. A result of another size is resized to S × S.
    """

    def __init__(self, function: ImageTransform) -> None:
        self._function = function
        self._takes_tensors = not self._takes_pillow()

    def __call__(self, images: UInt8Array, seeds: IntArray) -> UInt8Array:
        """Return transformed images (b, S, S, 3).

        Args:
            images: (b, S, S, 3) RGB.
            seeds: (b,) of each image's chance.

        Raises:
            ConfigError: the transform gives no image.
        """
        with _global_states():
            return np.stack([self._one(image, int(seed)) for image, seed in zip(images, seeds, strict=True)])

    def _one(self, image: UInt8Array, seed: int) -> UInt8Array:
        random.seed(seed)
        np.random.seed(seed)
        torch.default_generator.manual_seed(seed)
        return _pixels(self._function(self._given(image)), image.shape[0])

    def _given(self, image: UInt8Array) -> Any:
        if self._takes_tensors:
            return torch.from_numpy(image.copy()).permute(2, 0, 1)
        return Image.fromarray(image)

    def _takes_pillow(self) -> bool:
        """Return whether the function takes Pillow images.

        Raises:
            ConfigError: it takes neither these nor tensors, or gives no image.
        """
        ramp = np.linspace(0, 255, _TRIED_SIDE**2 * 3).astype(np.uint8)  # all grey levels
        image = ramp.reshape(_TRIED_SIDE, _TRIED_SIDE, 3)
        reasons: list[Exception] = []
        for self._takes_tensors in (False, True):
            try:
                with _global_states():
                    self._one(image, 0)
                return not self._takes_tensors
            except ConfigError:
                raise
            except Exception as error:  # a user's code raises whatever it likes
                reasons.append(error)
        raise ConfigError(
            "The transform must take a Pillow image, or a uint8 tensor (3, S, S). With both it failed: "
            "{reason}; {other}. Correct it.",
            reason=reasons[0],
            other=reasons[1],
        )


@contextmanager
def _global_states() -> Iterator[None]:
    """Put back the random states of the process at the end."""
    states = random.getstate(), np.random.get_state(), torch.default_generator.get_state()
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.default_generator.set_state(states[2])


def _pixels(found: object, side: int) -> UInt8Array:
    """Return what a transform gave as (S, S, 3) uint8."""
    if isinstance(found, Image.Image):
        array: Any = np.asarray(found.convert("RGB"))
    elif isinstance(found, Tensor) and found.ndim == 3 and found.shape[0] == 3:
        array = found.detach().cpu().permute(1, 2, 0).numpy()
    else:
        array = found
    if not isinstance(array, np.ndarray) or array.ndim != 3 or array.shape[2] != 3:
        shape: Sequence[int] = tuple(getattr(found, "shape", ()))
        raise ConfigError(
            "The transform must return an image: a Pillow image, a tensor (3, h, w) or an array (h, w, 3). "
            "Got {found}. Correct it.",
            found=f"{type(found).__name__} {shape or ''}".strip(),
        )
    if array.dtype != np.uint8:
        array = _levels(array)
    if array.shape[:2] != (side, side):
        array = np.asarray(Image.fromarray(array).resize((side, side), Image.Resampling.BILINEAR))
    return np.ascontiguousarray(array)


def _levels(array: Any) -> UInt8Array:
    """Return floats from 0 to 1 as grey levels."""
    low, high = float(array.min()), float(array.max())
    if not (np.issubdtype(array.dtype, np.floating) and low >= -_TOLERANCE and high <= 1 + _TOLERANCE):
        raise ConfigError(
            "The transform must return uint8, or floats from 0 to 1. Got {kind} from {low} to {high}. Leave "
            "out Normalize: the model normalises, and must do so for new images too.",
            kind=str(array.dtype),
            low=f"{low:.3g}",
            high=f"{high:.3g}",
        )
    return np.asarray(np.rint(array.clip(0, 1) * 255), np.uint8)
