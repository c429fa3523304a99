"""Short trials before a training: number format, learning rate, and images in memory at once."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import nn

from eyebright.training.finetune.data.protocol import TrainData
from eyebright.training.finetune.recipe import Precision, Recipe
from eyebright.training.finetune.step import (
    Loss,
    OptimizerStep,
    StepBatch,
    autocast,
    make_micro_batches,
    set_modes,
)
from eyebright.training.finetune.system.distributed import ProcessGroup
from eyebright.training.finetune.system.lr_range_test import RateTest, find_rate
from eyebright.training.finetune.system.memory import find_micro_batch, forget_peak, retry_smaller
from eyebright.training.finetune.system.precision import PrecisionTrial, candidates, choose
from eyebright.training.finetune.system.seeding import epoch_order
from eyebright.training.finetune.trainer_state import TrainerState
from eyebright.types import FloatArray

_TRIAL_IMAGES = 8
_RATE_TEST_SHARE = 0.1  # of a budget, at most, for finding the learning rate
_ACCELERATOR_IMAGES = 64  # launching takes as long as computing a step of 8 there


def choose_precision(
    net: nn.Module, data: TrainData, loss: Loss, group: ProcessGroup, seed: int, batch: int
) -> tuple[Precision, list[PrecisionTrial]]:
    """Return the number format whose steps are fastest on the group's device and agree with float32's.

    Args:
        net: on the device; nothing of it changes.
        data: gives the trial's images.
        loss: of each image.
        group: all take what its first process found.
        seed: of the images.
        batch: images of a step in training; the trial has no more.

    Returns:
        The format, and this process's trials.
    """
    formats = candidates(group.device)
    images = _TRIAL_IMAGES if group.device.type == "cpu" else min(batch, _ACCELERATOR_IMAGES)
    net.eval()
    chosen, trials = _compare(net, data, loss, formats, images, group.device, seed)
    while images > _TRIAL_IMAGES and any(math.isinf(trial.seconds) for trial in trials):
        images //= 2  # what failed may have lacked no more than memory
        chosen, trials = _compare(net, data, loss, formats, images, group.device, seed)
    return formats[int(group.broadcast(formats.index(chosen)))], trials


def rate_test(
    net: nn.Module,
    data: TrainData,
    loss: Loss,
    optimizer: torch.optim.Optimizer,
    group: ProcessGroup,
    recipe: Recipe,
) -> RateTest:
    """Train with rising rates and put everything back (see :func:`~.lr_range_test.find_rate`).

    Within a budget, a tenth of it is spent on this, or what 20 steps take.

    Raises:
        TrainingError: not even one image fits into memory.
    """
    alone = ProcessGroup(group.device)
    stepper = OptimizerStep(net, optimizer, loss, alone, "fp32", recipe.seed, clip_norm=None)
    count, fits = 0, recipe.micro_batch or recipe.batch

    def step(rate: float) -> float:
        nonlocal count, fits
        step_batch = _cut(data, count * recipe.batch, recipe.batch, recipe.seed)
        count += 1
        for group in optimizer.param_groups:
            group["lr"] = rate * group["lr_scale"]
        value, fits = retry_smaller(
            lambda size: stepper.try_gradients(
                step_batch, lambda: make_micro_batches(data, step_batch, alone, size, recipe.seed)
            ),
            fits,
        )
        return float(stepper.update(value))

    set_modes(net, recipe.frozen_norm)
    seconds = None if recipe.budget_seconds is None else _RATE_TEST_SHARE * recipe.budget_seconds
    return find_rate(step, net, optimizer, seconds=seconds)


def choose_micro_batch(run: TrainerState, sample_weights: FloatArray | None) -> int:
    """Return how many images pass through the network at once.

    On a CPU all of a step, until memory says otherwise: little is gained by fewer, and a choice by the clock
    would cost what makes two runs bit-identical.
    """
    if run.group.device.type == "cpu":
        return run.rows()
    recipe, order = run.recipe, epoch_order(run.data.count, run.recipe.seed, 0, sample_weights)
    statistics = {name: tensor.clone() for name, tensor in run.net.named_buffers()}

    def make_step(size: int) -> Callable[[], None]:
        step_batch = StepBatch(0, 0, order[:size])
        parts = make_micro_batches(run.data, step_batch, ProcessGroup(run.group.device), size, recipe.seed)

        def step() -> None:
            run.stepper.gradients(step_batch, parts)
            run.stepper.optimizer.zero_grad(set_to_none=True)

        return step

    set_modes(run.net, recipe.frozen_norm)
    found = find_micro_batch(make_step, run.rows(), run.group.device)
    for name, tensor in run.net.named_buffers():
        tensor.copy_(statistics[name])
    run.stepper.drop()
    forget_peak(run.group.device)  # the search used more than training will
    return found


def _compare(
    net: nn.Module,
    data: TrainData,
    loss: Loss,
    formats: tuple[Precision, ...],
    images: int,
    device: torch.device,
    seed: int,
) -> tuple[Precision, list[PrecisionTrial]]:
    (part,) = make_micro_batches(data, _cut(data, 0, images, seed), ProcessGroup(device), images, seed)

    def step(precision: Precision) -> float:
        net.zero_grad(set_to_none=True)  # also of what a step left that failed
        with autocast(precision, device):
            logits = net(part.inputs)
        value = loss(logits.float(), part.targets).mean()
        torch.autograd.backward(value)
        return float(value.detach())

    try:
        return choose(step, formats)
    finally:
        net.zero_grad(set_to_none=True)


def _cut(data: TrainData, position: int, count: int, seed: int) -> StepBatch:
    """Return ``count`` images from ``position`` on of a first epoch, which begins again when it is over."""
    order = epoch_order(data.count, seed, 0)
    begin = position % max(len(order) - count, 1)
    return StepBatch(0, position, order[begin : begin + count])
