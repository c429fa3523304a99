"""Where a training is, and how its tensors go into a checkpoint and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from eyebright.errors import ModelError

_NAMED = 3


@dataclass(kw_only=True)
class TrainingState:
    """Where a training is, apart from tensors.

    Attributes:
        step, epoch: steps and epochs done.
        position: images of the epoch under way that are done.
        micro_batch: images at once in one process.
        rate: the highest learning rate of the last step.
        elapsed: seconds that the run has taken.
        evaluation_seconds: of the last evaluation.
        epoch_loss: sum of the losses of the epoch's images so far.
        epoch_seconds: training time in this epoch.
    """

    step: int = 0
    epoch: int = 0
    position: int = 0
    micro_batch: int = 0
    rate: float = 0.0
    elapsed: float = 0.0
    evaluation_seconds: float = 0.0
    epoch_loss: float = 0.0
    epoch_seconds: float = 0.0

    def end_epoch(self) -> None:
        """Begin the next epoch."""
        self.epoch, self.position = self.epoch + 1, 0
        self.epoch_loss = self.epoch_seconds = 0.0


def optimizer_tensors(optimizer: torch.optim.Optimizer, net: nn.Module) -> dict[str, Tensor]:
    """Return the optimiser's state, as ``KEY/PARAMETER`` → tensor; learning rates are the recipe's."""
    return {
        f"{key}/{name}": value if isinstance(value, Tensor) else torch.tensor(value)
        for name, parameter in net.named_parameters()
        for key, value in optimizer.state.get(parameter, {}).items()
        if value is not None
    }


def load_optimizer(optimizer: torch.optim.Optimizer, net: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Restore what :func:`optimizer_tensors` gave; parameters are found by name."""
    parameters = dict(net.named_parameters())
    places = {id(p): n for n, p in enumerate(p for group in optimizer.param_groups for p in group["params"])}
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        key, _, parameter = name.partition("/")
        if id(parameters.get(parameter)) in places:
            state.setdefault(places[id(parameters[parameter])], {})[key] = tensor
    # The optimiser's own loading puts each tensor where it must be (a step count stays on the CPU).
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def load_net(net: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Copy tensors by name into the network.

    Raises:
        ModelError: names or shapes are not the network's.
    """
    own = net.state_dict()
    wrong = sorted(
        name
        for name in own.keys() | tensors.keys()
        if name not in own or name not in tensors or own[name].shape != tensors[name].shape
    )
    if wrong:
        raise ModelError(
            "A checkpoint must match the network. {count:tensor differs|tensors differ} in name or "
            "shape, such as {names}. Resume with the backbone and the classes that the run started "
            "with.",
            count=len(wrong),
            names=", ".join(wrong[:_NAMED]),
        )
    net.load_state_dict(dict(tensors))
