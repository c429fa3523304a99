"""Batch norms whose statistics stay as they are, folded into the convolutions before them.

A frozen batch norm is a scale and a shift for each channel. In the convolution's weights they cost nothing, and
the maps between the two are neither kept nor passed through once more. The folded network is trained on.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_weights

_TOLERANCE = 1e-4  # of the largest output


@dataclass(frozen=True)
class _Pair:
    """Names of a convolution and of the batch norm that is called next with its output."""

    conv: str
    norm: str


def fold_norms(body: nn.Module, example: Tensor) -> int:
    """Folds, in place, every batch norm that takes a convolution's output and leaves what ``body`` gives as it was.

    A batch norm before a convolution, or one whose convolution's output is also used elsewhere, stays.
    Activations that belong to a batch norm (timm's BatchNormAct2d) stay where it was.

    Args:
        body: a network; left in evaluation mode.
        example: an input (B, 3, S, S), of real or random pixels.

    Returns:
        How many batch norms are gone.
    """
    body.eval()
    with torch.no_grad():
        expected = body(example)
        pairs = _pairs(body, example)
        undone = [_fold(body, pair) for pair in pairs]
        if _agrees(body(example), expected):
            return len(pairs)
        for pair, before in zip(pairs, undone, strict=True):
            _put_back(body, pair, before)
        return sum(_fold_if_same(body, pair, example, expected) for pair in pairs)


def _pairs(body: nn.Module, example: Tensor) -> list[_Pair]:
    """Candidates, by watching which tensor goes from a convolution into a batch norm."""
    made_by: dict[int, str] = {}
    alive: list[Tensor] = []  # so that no two outputs share an address
    taken: dict[str, list[str]] = {}
    calls: dict[str, int] = {}

    def conv_hook(name: str, output: Tensor) -> None:
        alive.append(output)
        made_by[id(output)] = name
        calls[name] = calls.get(name, 0) + 1

    def norm_hook(name: str, taken_in: Tensor) -> None:
        calls[name] = calls.get(name, 0) + 1
        if id(taken_in) in made_by:
            taken.setdefault(made_by[id(taken_in)], []).append(name)

    with _watched(body, conv_hook, norm_hook):
        body(example)
    once = {name for name, count in calls.items() if count == 1}
    return [
        _Pair(conv, norms[0])
        for conv, norms in taken.items()
        if len(norms) == 1 and conv in once and norms[0] in once
    ]
