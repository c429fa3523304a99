"""One step: gradients of a batch, in micro-batches that fit into memory, and the update of the weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from eyebright.errors import TrainingError
from eyebright.training.finetune.data.protocol import TrainData, batch_slices
from eyebright.training.finetune.system.distributed import ProcessGroup
from eyebright.training.finetune.system.memory import OomRetry, free, is_out_of_memory, run_recorded
from eyebright.training.finetune.system.seeding import draw_generator, seed_dropout
from eyebright.types import IntArray

#: Logits (b, K) float32 and soft targets (b, K) → the loss of each image (b,), with its class's weight.
Loss = Callable[[Tensor, Tensor], Tensor]

_FORMATS = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class StepBatch:
    """The images of one step: where they lie in the epoch, and which they are."""

    epoch: int
    position: int
    places: IntArray


@dataclass(frozen=True)
class MicroBatch:
    """Rows of a batch that pass through the network together; ``row`` is the first of them."""

    row: int
    inputs: Tensor
    targets: Tensor


def step_batches(order: IntArray, epoch: int, position: int, batch: int) -> Iterator[StepBatch]:
    """Yield the steps of an epoch from ``position`` on: about equal, of at most ``batch`` images."""
    while left := len(order) - position:
        steps = -(-left // batch)
        size = -(-left // steps)
        yield StepBatch(epoch, position, order[position : position + size])
        position += size


def make_micro_batches(
    data: TrainData, step_batch: StepBatch, group: ProcessGroup, micro_batch: int, seed: int
) -> list[MicroBatch]:
    """Return this process's rows of a step, in micro-batches of at most ``micro_batch``, about equal.

    A small rest would cost almost the time of a full part.
    """
    drawn = data.draw(
        step_batch.places, step_batch.epoch, draw_generator(seed, step_batch.epoch, step_batch.position)
    )
    rows = group.rows(drawn.size)
    count = rows.stop - rows.start
    number = max(-(-count // micro_batch), 1)
    return [
        MicroBatch(span.start, *drawn.part(span, group.device))
        for span in batch_slices(drawn.size, max(-(-count // number), 1), rows)
    ]


def autocast(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """Return the context that sets the number format of the forward pass."""
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(device.type, dtype=_FORMATS[precision])


class OptimizerStep:
    """Updates the weights of a network, step by step.

    Args:
        net: (b, ...) → logits (b, K).
        optimizer: of its weights.
        loss: of each image.
        group: the processes that share a step.
        precision: of the forward pass.
        seed: of dropout.
        clip_norm: largest norm of the gradients; None lets them be.
    """

    def __init__(
        self,
        net: nn.Module,
        optimizer: torch.optim.Optimizer,
        loss: Loss,
        group: ProcessGroup,
        precision: str,
        seed: int,
        clip_norm: float | None,
    ) -> None:
        self.net, self.optimizer, self.group = net, optimizer, group
        self.precision = precision
        self.retry = OomRetry(group.device)
        self.scaler = torch.amp.GradScaler(group.device.type, enabled=precision == "fp16")
        self._loss, self._seed, self._clip_norm = loss, seed, clip_norm
        self._rates = [group["lr"] for group in optimizer.param_groups]

    def set_rate(self, factor: float) -> float:
        """Set every group to ``factor`` of its highest learning rate; return the largest."""
        for group, rate in zip(self.optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate * factor
        return float(max(self._rates)) * factor

    def gradients(self, step_batch: StepBatch, micro_batches: list[MicroBatch]) -> Tensor:
        """Accumulate the gradients of the step's mean loss; return this process's share of the loss."""
        total = torch.zeros((), device=self.group.device)
        for micro in micro_batches:
            seed_dropout(self._seed, step_batch.epoch, step_batch.position, micro.row)
            with autocast(self.precision, self.group.device):
                logits = self.net(micro.inputs)
            loss = self._loss(logits.float(), micro.targets).sum() / len(step_batch.places)
            torch.autograd.backward(self.scaler.scale(loss))
            total += loss.detach()
        return total

    def try_gradients(self, step_batch: StepBatch, take: Callable[[], list[MicroBatch]]) -> Tensor | None:
        """Do as :meth:`gradients`; return None where memory ran out, with nothing left of the attempt."""
        moving = _moving_statistics(self.net)
        before = [statistic.clone() for statistic in moving]
        loss = self.retry.do(lambda: self.gradients(step_batch, take()))
        if loss is None:
            self.optimizer.zero_grad(set_to_none=True)
            free(self.group.device)
            for statistic, value in zip(moving, before, strict=True):
                statistic.copy_(value)
        return loss

    def drop(self) -> None:
        """Drop the gradients, and give their memory back."""
        self.optimizer.zero_grad(set_to_none=True)
        free(self.group.device)

    def update(self, loss: Tensor) -> Tensor:
        """Update the weights by the gradients of all processes; return their loss together.

        Raises:
            TrainingError: there is no room for the optimiser's state.
        """
        try:
            (loss,) = self.group.sum_gradients(self.net, loss)
            self.scaler.unscale_(self.optimizer)
            if self._clip_norm is not None:
                learning = [p for p in self.net.parameters() if p.grad is not None]
                torch.nn.utils.clip_grad_norm_(learning, self._clip_norm)
            self.scaler.step(self.optimizer)
        except (RuntimeError, MemoryError) as error:
            # Not tried again: weights may be half moved, and a sum is made by all processes or by none.
            if not is_out_of_memory(error):
                raise
            raise TrainingError(
                "The weights and the optimiser state must fit in memory. They do not. Choose a "
                "smaller backbone, --finetune last, or --optimizer sgd."
            ) from error
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        run_recorded(self.group.device)
        return loss

    def state(self) -> dict[str, float]:
        """Return the scaler's state; empty where there is none."""
        return dict(self.scaler.state_dict())

    def load_state(self, values: Mapping[str, float]) -> None:
        """Restore what :meth:`state` gave; a scaler that was not there before begins anew."""
        if values and self.scaler.is_enabled():
            self.scaler.load_state_dict(dict(values))


def set_modes(net: nn.Module, frozen_norm: bool) -> None:
    """Set training mode, except for frozen modules and, if wished, batch normalisation."""
    net.train()
    for module in net.modules():
        parameters = list(module.parameters())
        frozen = bool(parameters) and not any(p.requires_grad for p in parameters)
        if frozen or (frozen_norm and isinstance(module, nn.modules.batchnorm._BatchNorm)):
            module.eval()


def _moving_statistics(net: nn.Module) -> list[Tensor]:
    """Return the buffers that a forward pass changes; none where batch normalisation is frozen."""
    norms = (m for m in net.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.training)
    return [buffer for norm in norms for buffer in norm.buffers()]
