"""Where a training is, and how that goes into a checkpoint and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

import torch
from torch import Tensor, nn

from eyebright.errors import ModelError
from eyebright.training.finetune.early_stopping import Stopping
from eyebright.training.finetune.history import EpochRow, from_fields
from eyebright.types import JsonObject, StoredJson

_NAMED = 3


@dataclass
class LoopState:
    """All that moves, apart from tensors.

    Attributes:
        step: steps done.
        epoch: epochs done.
        position: images of the epoch under way that are done.
        micro_batch: images at once in one process.
        rate: the learning rate of the last step, of the parameter group with the highest.
        elapsed: seconds that the run has taken.
        evaluation_seconds: of the last evaluation.
        epoch_loss: sum of the losses of the epoch's images so far.
        epoch_seconds, epoch_waited: training time in this epoch, and how much of it went by waiting for data.
        trained_seconds, waited_seconds: the same of all epochs before.
        stopping: the best so far.
        history: rows of the epochs done.
    """

    stopping: Stopping
    step: int = 0
    epoch: int = 0
    position: int = 0
    micro_batch: int = 0
    rate: float = 0.0
    elapsed: float = 0.0
    evaluation_seconds: float = 0.0
    epoch_loss: float = 0.0
    epoch_seconds: float = 0.0
    epoch_waited: float = 0.0
    trained_seconds: float = 0.0
    waited_seconds: float = 0.0
    history: list[EpochRow] = field(default_factory=list)

    def end_epoch(self) -> None:
        """Begin the next epoch."""
        self.epoch, self.position = self.epoch + 1, 0
        self.trained_seconds += self.epoch_seconds
        self.waited_seconds += self.epoch_waited
        self.epoch_loss = self.epoch_seconds = self.epoch_waited = 0.0

    def waited_share(self) -> float:
        """Return share of the whole training time that the loop waited for data."""
        seconds = self.trained_seconds + self.epoch_seconds
        return (self.waited_seconds + self.epoch_waited) / seconds if seconds else 0.0

    def to_json(self) -> JsonObject:
        """Return plain values; NaN, which JSON lacks, becomes None."""
        rows = [{k: None if math.isnan(v) else v for k, v in asdict(r).items()} for r in self.history]
        return {**asdict(self), "history": rows}

    @classmethod
    def from_json(cls, values: StoredJson) -> LoopState:
        """Return the state of :meth:`to_json`; rows of an epoch that was not finished are dropped."""
        rows = [from_fields(row) for row in values["history"]]
        return cls(
            **{
                **values,
                "stopping": Stopping(**values["stopping"]),
                "history": [row for row in rows if row.epoch <= values["epoch"]],
            }
        )


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
