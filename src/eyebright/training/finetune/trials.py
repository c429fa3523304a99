"""Short trials before a training: which number format is fastest here, and which learning rates it bears."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from eyebright.training.finetune.data import TrainData
from eyebright.training.finetune.distributed import Team
from eyebright.training.finetune.finder import RateTest, find_rate
from eyebright.training.finetune.precision import PrecisionTrial, candidates, choose
from eyebright.training.finetune.randomness import draw_generator, epoch_order
from eyebright.training.finetune.recipe import Precision, Recipe
from eyebright.training.finetune.step import Loss, autocast, set_modes

_TRIAL_IMAGES = 8


def choose_precision(
    net: nn.Module, data: TrainData, loss: Loss, team: Team, seed: int
) -> tuple[Precision, list[PrecisionTrial]]:
    """The number format whose steps are fastest on the team's device and agree with float32's.

    Args:
        net: on the device; nothing of it changes.
        data: gives the trial's batch.
        loss: of each image.
        team: all take what its first process found.
        seed: of the batch.

    Returns:
        The format, and this process's trials.
    """
    formats = candidates(team.device)
    inputs, targets = _batch(data, 0, _TRIAL_IMAGES, team, seed)

    def step(precision: Precision) -> float:
        with autocast(precision, team.device):
            logits = net(inputs)
        value = loss(logits.float(), targets).mean()
        torch.autograd.backward(value)
        net.zero_grad(set_to_none=True)
        return float(value.detach())

    net.eval()
    chosen, trials = choose(step, formats)
    return formats[int(team.agree(formats.index(chosen)))], trials


def rate_test(
    net: nn.Module,
    data: TrainData,
    loss: Loss,
    optimizer: torch.optim.Optimizer,
    team: Team,
    recipe: Recipe,
) -> RateTest:
    """Trains with rising learning rates and puts everything back (see :func:`~.finder.find_rate`)."""
    count = 0

    def step(rate: float) -> float:
        nonlocal count
        inputs, targets = _batch(data, count * recipe.batch, recipe.batch, team, recipe.seed)
        count += 1
        for group in optimizer.param_groups:
            group["lr"] = rate * group["lr_scale"]
        value = loss(net(inputs).float(), targets).mean()
        torch.autograd.backward(value)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return float(value.detach())

    set_modes(net, recipe.frozen_norm)
    return find_rate(step, net, optimizer)


def _batch(data: TrainData, position: int, count: int, team: Team, seed: int) -> tuple[Tensor, Tensor]:
    """``count`` images from ``position`` on of a first epoch, which begins again when it is over."""
    order = epoch_order(data.count, seed, 0)
    begin = position % max(len(order) - count, 1)
    drawn = data.draw(order[begin : begin + count], 0, draw_generator(seed, 0, position))
    return drawn.part(slice(0, drawn.size), team.device)
