"""What a trained network answers, as plain arrays."""

from __future__ import annotations

import time
from collections.abc import Iterable
from itertools import islice

import numpy as np
import torch
from torch import Tensor, nn

from eyebright.training.finetune.data import TrainData
from eyebright.types import FloatArray, IntArray, UInt8Array

_BATCH = 32


@torch.no_grad()
def held_out_logits(net: nn.Module, data: TrainData, device: torch.device) -> tuple[FloatArray, IntArray]:
    """Logits (N', K) of the held-out images, and their class numbers (N',), or labels (N', K)."""
    net.eval()
    logits: list[FloatArray] = []
    truth: list[IntArray] = []
    for inputs, labels in data.held_out(_BATCH, device):
        logits.append(net(inputs).float().cpu().numpy())
        truth.append(labels.cpu().numpy())
    return np.concatenate(logits), np.concatenate(truth)


@torch.no_grad()
def square_logits(net: nn.Module, squares: Iterable[UInt8Array], device: torch.device) -> FloatArray:
    """Logits (N, K) of images that are already (S, S, 3)."""
    net.eval()
    rows: list[Tensor] = []
    waiting = iter(squares)
    while some := list(islice(waiting, _BATCH)):
        images = torch.from_numpy(np.stack(some)).to(device)
        rows.append(net(images.permute(0, 3, 1, 2).float()))
    answers: FloatArray = torch.cat(rows).float().cpu().numpy()
    return answers


def device_of(net: nn.Module) -> torch.device:
    """Where the network is."""
    return next(net.parameters()).device


def step_seconds(net: nn.Module, squares: UInt8Array) -> float:
    """Seconds that an image takes in training where everything learns, from one step on (B, S, S, 3)."""
    learning = {parameter: parameter.requires_grad for parameter in net.parameters()}
    pixels = torch.from_numpy(squares).to(device_of(net)).permute(0, 3, 1, 2).float()
    net.eval()
    net.requires_grad_(True)
    seconds = float("inf")
    for _ in range(2):  # the first one also chooses kernels
        began = time.perf_counter()
        net(pixels).square().mean().backward()
        seconds = min(seconds, time.perf_counter() - began)
        net.zero_grad(set_to_none=True)
    for parameter, learns in learning.items():
        parameter.requires_grad_(learns)
    return seconds / len(squares)


def blank_image(size: int) -> Tensor:
    """A black image (1, 3, S, S)."""
    return torch.zeros(1, 3, size, size)
