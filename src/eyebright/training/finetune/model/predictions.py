"""What a trained network answers, as plain arrays."""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import partial
from itertools import islice

import numpy as np
import torch
from torch import Tensor, nn

from eyebright.training.finetune.data.protocol import TrainData, batch_slices
from eyebright.training.finetune.system.memory import OomRetry, finish, retry_smaller
from eyebright.types import FloatArray, IntArray, UInt8Array

_BATCH = 32


def holdout_logits(net: nn.Module, data: TrainData, device: torch.device) -> tuple[FloatArray, IntArray]:
    """Return logits (N', K) of the holdout images, and their class numbers (N',), or labels (N', K).

    Raises:
        TrainingError: not even one image fits into memory.
    """
    retry = OomRetry(device)

    def ask(fits: int) -> tuple[FloatArray, IntArray] | None:
        return retry.do(lambda: _answers(net, data.holdout(fits, device)))

    return retry_smaller(ask, _BATCH)[0]


def image_logits(net: nn.Module, squares: Iterable[UInt8Array], device: torch.device) -> FloatArray:
    """Return logits (N, K) of images that are already (S, S, 3).

    Raises:
        TrainingError: not even one image fits into memory.
    """
    retry, fits = OomRetry(device), _BATCH
    rows: list[FloatArray] = []
    waiting = iter(squares)
    while some := list(islice(waiting, _BATCH)):  # they come but once, so what is asked again is kept
        images = np.stack(some)

        def ask(fits: int, images: UInt8Array = images) -> FloatArray | None:
            return retry.do(lambda: _image_logits(net, images, fits, device))

        answers, fits = retry_smaller(ask, fits)
        rows.append(answers)
    return np.concatenate(rows)


@torch.no_grad()  # here, since an attempt may be made in another thread
def _answers(net: nn.Module, parts: Iterable[tuple[Tensor, Tensor]]) -> tuple[FloatArray, IntArray]:
    net.eval()
    answered = [(net(inputs).float().cpu().numpy(), labels.cpu().numpy()) for inputs, labels in parts]
    logits, truth = zip(*answered, strict=True)
    return np.concatenate(logits), np.concatenate(truth)


@torch.no_grad()
def _image_logits(net: nn.Module, images: UInt8Array, fits: int, device: torch.device) -> FloatArray:
    net.eval()
    parts = (torch.from_numpy(images[span]).to(device) for span in batch_slices(len(images), fits))
    return np.concatenate([net(part.permute(0, 3, 1, 2).float()).float().cpu().numpy() for part in parts])


def device_of(net: nn.Module) -> torch.device:
    """Return the device that the network is on."""
    return next(net.parameters()).device


def step_seconds(net: nn.Module, squares: UInt8Array) -> float:
    """Return seconds an image takes where everything is trained, from one step on (B, S, S, 3).

    Raises:
        TrainingError: not even one image fits into memory.
    """
    learning = {parameter: parameter.requires_grad for parameter in net.parameters()}
    retry = OomRetry(device_of(net))
    net.eval()
    net.requires_grad_(True)
    seconds, images = retry_smaller(
        lambda fits: retry.do(partial(_step_seconds, net, squares[:fits])), len(squares)
    )
    for parameter, learns in learning.items():
        parameter.requires_grad_(learns)
    return seconds / images


def _step_seconds(net: nn.Module, squares: UInt8Array) -> float:
    device = device_of(net)
    pixels = torch.from_numpy(squares).to(device).permute(0, 3, 1, 2).float()
    seconds = float("inf")
    for _ in range(2):  # the first one also chooses kernels
        net.zero_grad(set_to_none=True)  # also of what an attempt left that failed
        finish(device)
        began = time.perf_counter()
        net(pixels).square().mean().backward()
        finish(device)
        seconds = min(seconds, time.perf_counter() - began)
    net.zero_grad(set_to_none=True)
    return seconds


def blank_image(size: int) -> Tensor:
    """Return a black image (1, 3, S, S)."""
    return torch.zeros(1, 3, size, size)
