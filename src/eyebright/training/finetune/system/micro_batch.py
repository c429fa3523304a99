"""How many images pass through the network at once, before memory has anything to say about it."""

from __future__ import annotations

from collections.abc import Callable

from eyebright.training.finetune.step import StepBatch, make_micro_batches, set_modes
from eyebright.training.finetune.system.distributed import ProcessGroup
from eyebright.training.finetune.system.memory import find_micro_batch, forget_peak
from eyebright.training.finetune.system.seeding import epoch_order
from eyebright.training.finetune.trainer_state import TrainerState
from eyebright.types import FloatArray


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
    forget_peak(run.group.device)  # the search tried more than training will have
    return found
