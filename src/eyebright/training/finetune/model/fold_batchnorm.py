"""Batch norms whose statistics stay as they are, folded into the convolutions before them.

A frozen batch norm is a scale and a shift for each channel. In the convolution's weights they cost nothing,
and the maps between the two are neither kept nor passed through once more. The folded network is trained.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_weights

_TOLERANCE = 1e-4  # of the largest output
_CONVS = ("Conv2d", "Conv2dSame")  # torch's and timm's; others may do something with their weights first


@dataclass(frozen=True)
class _Pair:
    """Names of a convolution and of the batch norm that is called next with its output."""

    conv: str
    norm: str


@dataclass(frozen=True)
class _Before:
    """A convolution and its batch norm before folding."""

    norm: nn.Module
    weight: nn.Parameter
    bias: nn.Parameter | None


def fold_norms(body: nn.Module, example: Tensor) -> int:
    """Fold every batch norm behind a convolution into it, in place; outputs of ``body`` stay the same.

    A batch norm before a convolution, or one whose convolution's output is also used elsewhere, stays.
    Activations that belong to a batch norm (timm's BatchNormAct2d) stay where it was.

    Args:
        body: a network; left in evaluation mode.
        example: an input (B, 3, S, S), for its shape; what is compared is noise, as a blank image hides much.

    Returns:
        How many batch norms are gone.
    """
    body.eval()
    noise = torch.randn(example.shape, generator=torch.Generator().manual_seed(0)).to(example)
    with torch.no_grad():
        expected = body(noise)
        pairs = called_in_pairs(body, noise)
        undone = [_fold(body, pair) for pair in pairs]
        if same_outputs(body(noise), expected):
            return len(pairs)
        for pair, before in zip(pairs, undone, strict=True):
            _put_back(body, pair, before)
        return sum(_fold_if_same(body, pair, noise, expected) for pair in pairs)


def called_in_pairs(body: nn.Module, example: Tensor) -> list[_Pair]:
    """Return candidates, by watching which tensor goes from a convolution into a batch norm."""
    outputs: dict[str, Tensor] = {}  # kept, so that no two have the same id
    takers: dict[str, list[str]] = {}
    calls: Counter[str] = Counter()

    def conv_hook(name: str, output: Tensor) -> None:
        calls[name] += 1
        outputs[name] = output

    def norm_hook(name: str, taken: Tensor) -> None:
        calls[name] += 1
        for conv in [conv for conv, output in outputs.items() if output is taken]:
            takers.setdefault(conv, []).append(name)

    with _watched(body, conv_hook, norm_hook):
        body(example)
    return [
        _Pair(conv, norms[0])
        for conv, norms in takers.items()
        if len(norms) == 1 and calls[conv] == calls[norms[0]] == 1
    ]


@contextmanager
def _watched(
    body: nn.Module,
    on_conv: Callable[[str, Tensor], None],
    on_norm: Callable[[str, Tensor], None],
) -> Iterator[None]:
    """Record the outputs of convolutions and the inputs of batch norms."""
    handles = []
    for name, module in body.named_modules():
        if type(module).__name__ in _CONVS:
            handles.append(module.register_forward_hook(lambda _m, _i, out, name=name: on_conv(name, out)))
        elif isinstance(module, _BatchNorm):
            handles.append(
                module.register_forward_pre_hook(lambda _m, args, name=name: on_norm(name, args[0]))
            )
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _modules(body: nn.Module, pair: _Pair) -> tuple[Any, Any]:
    return body.get_submodule(pair.conv), body.get_submodule(pair.norm)


def _fold(body: nn.Module, pair: _Pair) -> _Before:
    """Fold one pair; return what was there before."""
    conv, norm = _modules(body, pair)
    before = _Before(norm, conv.weight, conv.bias)
    conv.weight, conv.bias = fuse_conv_bn_weights(
        conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
    )
    conv.bias.requires_grad_(conv.weight.requires_grad)  # a bias that was not there came out frozen
    _replace(body, pair.norm, _what_is_left(norm))
    return before


def _what_is_left(norm: nn.Module) -> nn.Module:
    """Return what timm's batch norms do besides: dropping and activation."""
    rest = [getattr(norm, own) for own in ("drop", "act") if hasattr(norm, own)]
    rest = [module for module in rest if not isinstance(module, nn.Identity)]
    return nn.Identity() if not rest else rest[0] if len(rest) == 1 else nn.Sequential(*rest)


def _put_back(body: nn.Module, pair: _Pair, before: _Before) -> None:
    conv, _ = _modules(body, pair)
    conv.weight, conv.bias = before.weight, before.bias
    _replace(body, pair.norm, before.norm)


def _fold_if_same(body: nn.Module, pair: _Pair, example: Tensor, expected: Tensor) -> bool:
    before = _fold(body, pair)
    if same_outputs(body(example), expected):
        return True
    _put_back(body, pair, before)
    return False


def _replace(body: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, own = name.rpartition(".")
    setattr(body.get_submodule(parent), own, module)


def same_outputs(output: Tensor, expected: Tensor) -> bool:
    """Return whether two outputs differ by no more than float32 rounds."""
    return float((output - expected).abs().max()) <= _TOLERANCE * float(expected.abs().max())
