"""What makes a training step on a CPU quicker, without changing what it computes.

Measured with the embedded backbone at 224 px, images for a second of processor time (Zen 4): 12.6 with folded
batch norms and channels_last; 19.0 when freed memory is kept; 20.7 with the weight gradients below; 21.3 with
the activation below. The same network as it comes, contiguous, with batch norms that learn: 6.0.
"""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import conv2d, pad

_COLUMNS = 3  # that oneDNN's quick kernel can do
# Names of glibc's mallopt, with what to set and what to put back (its defaults).
_MALLOC = {"trim threshold": (-1, 2**31 - 1, 128 * 1024), "most mappings": (-4, 0, 65536)}


@contextmanager
def cpu_speedups(net: nn.Module, device: torch.device) -> Iterator[None]:
    """Make steps of ``net`` faster on a CPU within the block; parameters and outputs are the same.

    Enter it when the network is as it will be trained (folded, split, with adapters).
    """
    with ExitStack() as stack:
        if device.type == "cpu":
            stack.enter_context(_kept_memory())
            stack.enter_context(_quick_modules(net))
        yield


@contextmanager
def _kept_memory() -> Iterator[None]:
    """Keep freed memory in the process within the block.

    glibc maps every large tensor anew, and the system fills each of its pages with zeros: a third of a step.
    Other C libraries have no such switch.
    """
    if platform.libc_ver()[0] != "glibc":
        yield
        return
    libc = ctypes.CDLL(None)
    for name, value, _ in _MALLOC.values():
        libc.mallopt(name, value)
    try:
        yield
    finally:
        for name, _, default in _MALLOC.values():
            libc.mallopt(name, default)
        libc.malloc_trim(0)


@contextmanager
def _quick_modules(net: nn.Module) -> Iterator[None]:
    """Give modules the classes of this file within the block: equal parameters, another backward pass."""
    changed = []
    for module in net.modules():
        if (quick := _quick_class(module)) is not None:
            changed.append((module, type(module)))
            module.__class__ = quick
    try:
        yield
    finally:
        for module, before in changed:
            module.__class__ = before


def _quick_class(module: nn.Module) -> type[nn.Module] | None:
    if type(module) is nn.ReLU6 and module.inplace:
        return _Relu6
    if isinstance(module, nn.Conv2d) and _is_wide_depthwise(module):
        return {"Conv2d": _WideDepthwise, "Conv2dSame": _WideDepthwiseSame}.get(type(module).__name__)
    return None


def _is_wide_depthwise(conv: nn.Conv2d) -> bool:
    rows, columns = conv.kernel_size
    return (
        columns > _COLUMNS
        and rows > 1
        and conv.groups == conv.in_channels == conv.out_channels
        and conv.dilation == (1, 1)
        and conv.padding_mode == "zeros"
        and not isinstance(conv.padding, str)
    )


class _Relu6(nn.ReLU6):
    def forward(self, input: Tensor) -> Tensor:
        result: Tensor = _Relu6Function.apply(input)
        return result


class _WideDepthwise(nn.Conv2d):
    def forward(self, input: Tensor) -> Tensor:
        result: Tensor = _WideDepthwiseFunction.apply(
            input, self.weight, self.bias, self.stride, self.padding
        )
        return result


class _WideDepthwiseSame(nn.Conv2d):
    """timm's Conv2dSame, which pads as TensorFlow does."""

    def forward(self, input: Tensor) -> Tensor:
        from timm.layers.padding import pad_same

        padded = pad_same(input, list(self.kernel_size), list(self.stride))
        result: Tensor = _WideDepthwiseFunction.apply(padded, self.weight, self.bias, self.stride, (0, 0))
        return result


class _Relu6Function(torch.autograd.Function):
    """ReLU6 in place whose slope is read from its result; torch's own copies the input first."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor) -> Tensor:
        result = maps.clamp_(0, 6)
        ctx.mark_dirty(maps)
        ctx.save_for_backward(result)
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (result,) = ctx.saved_tensors
        slope: Tensor = torch.ops.aten.hardtanh_backward(gradient, result, 0.0, 6.0)
        return slope


class _WideDepthwiseFunction(torch.autograd.Function):
    """A depthwise convolution with a kernel of more than three columns.

    oneDNN's quick kernel for the weights' gradient takes at most three; the one that it falls back on takes
    ten times as long, and half as long again with a bias. No column's gradient depends on another's, so they
    are made three at a time.
    """

    @staticmethod
    def forward(
        ctx: Any,
        maps: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: tuple[int, int],
        padding: tuple[int, int],
    ) -> Tensor:
        result = conv2d(maps, weight, bias, stride, padding, 1, weight.shape[0])
        ctx.save_for_backward(maps, weight)
        ctx.stride, ctx.padding = stride, padding
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        # Under autocast the convolution ran in the gradient's format.
        maps, weight = (saved.to(gradient.dtype) for saved in ctx.saved_tensors)
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        of_maps, of_weight, of_bias, *_ = ctx.needs_input_grad
        return (
            _backward(gradient, maps, weight, ctx.stride, ctx.padding, 0) if of_maps else None,
            _weight_gradient(gradient, maps, weight, ctx.stride, ctx.padding) if of_weight else None,
            gradient.sum((0, 2, 3)) if of_bias else None,
            None,
            None,
        )


def _weight_gradient(
    gradient: Tensor, maps: Tensor, weight: Tensor, stride: tuple[int, int], padding: tuple[int, int]
) -> Tensor:
    """Return the weights' gradient (C, 1, rows, columns), by groups of three columns."""
    result = torch.empty_like(weight)
    columns, side, step = weight.shape[3], padding[1], stride[1]
    for first in range(0, columns, _COLUMNS):
        left = min(first, columns - _COLUMNS)  # the last group may overlap the one before
        used = (gradient.shape[3] - 1) * step + _COLUMNS
        part = pad(maps, (side - left, left - side + used - maps.shape[3]))
        group = slice(left, left + _COLUMNS)
        result[..., group] = _backward(gradient, part, weight[..., group], stride, (padding[0], 0), 1)
    return result


def _backward(
    gradient: Tensor,
    maps: Tensor,
    weight: Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    which: int,
) -> Tensor:
    """Return the gradient of the maps (0) or of the weights (1)."""
    mask = [which == 0, which == 1, False]
    results: tuple[Tensor, ...] = torch.ops.aten.convolution_backward(
        gradient, maps, weight, None, stride, padding, [1, 1], False, [0, 0], weight.shape[0], mask
    )
    return results[which]
