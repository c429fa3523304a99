"""Predictions of a network under training, as plain arrays."""

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

    def predict(fits: int) -> tuple[FloatArray, IntArray] | None:
        return retry.do(lambda: _logits_and_truth(net, data.holdout(fits, device)))

    return retry_smaller(predict, _BATCH)[0]


def image_logits(net: nn.Module, images: Iterable[UInt8Array], device: torch.device) -> FloatArray:
    """Return logits (N, K) of images that are already (S, S, 3).

    Raises:
        TrainingError: not even one image fits into memory.
    """
    retry, fits = OomRetry(device), _BATCH
    rows: list[FloatArray] = []
    waiting = iter(images)
    while some := list(islice(waiting, _BATCH)):  # they come but once, so what may be predicted again is kept
        stacked = np.stack(some)

        def predict(fits: int, batch: UInt8Array = stacked) -> FloatArray | None:
            return retry.do(lambda: _image_logits(net, batch, fits, device))

        logits, fits = retry_smaller(predict, fits)
        rows.append(logits)
    return np.concatenate(rows)


@torch.no_grad()  # here, since an attempt may be made in another thread
def _logits_and_truth(
    net: nn.Module, batches: Iterable[tuple[Tensor, Tensor]]
) -> tuple[FloatArray, IntArray]:
    net.eval()
    found = [(net(inputs).float().cpu().numpy(), labels.cpu().numpy()) for inputs, labels in batches]
    logits, truth = zip(*found, strict=True)
    return np.concatenate(logits), np.concatenate(truth)


@torch.no_grad()
def _image_logits(net: nn.Module, images: UInt8Array, fits: int, device: torch.device) -> FloatArray:
    net.eval()
    batches = (torch.from_numpy(images[span]).to(device) for span in batch_slices(len(images), fits))
    return np.concatenate([net(b.permute(0, 3, 1, 2).float()).float().cpu().numpy() for b in batches])


def device_of(net: nn.Module) -> torch.device:
    """Return the device that the network is on."""
    return next(net.parameters()).device


def step_seconds(net: nn.Module, images: UInt8Array) -> float:
    """Return seconds an image takes where everything is trained, from one step on (B, S, S, 3).

    Raises:
        TrainingError: not even one image fits into memory.
    """
    trained = {parameter: parameter.requires_grad for parameter in net.parameters()}
    retry = OomRetry(device_of(net))
    net.eval()
    net.requires_grad_(True)
    seconds, count = retry_smaller(
        lambda fits: retry.do(partial(_step_seconds, net, images[:fits])), len(images)
    )
    for parameter, was in trained.items():
        parameter.requires_grad_(was)
    return seconds / count


def _step_seconds(net: nn.Module, images: UInt8Array) -> float:
    device = device_of(net)
    pixels = torch.from_numpy(images).to(device).permute(0, 3, 1, 2).float()
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
