"""After each epoch: the holdout images, a row of history, the best weights, and a checkpoint."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import torch
from torch import Tensor

from eyebright.task.task import task_of
from eyebright.training.finetune import checkpoint
from eyebright.training.finetune.checkpoint import Checkpoint
from eyebright.training.finetune.history import EpochRow, write_history
from eyebright.training.finetune.schedule import stalls_count
from eyebright.training.finetune.step import autocast
from eyebright.training.finetune.system.memory import peak_memory_mb, retry_smaller
from eyebright.training.finetune.trainer_state import TrainerState

_TEMPERATURES = tuple(2 ** (step / 4) for step in range(-8, 9))  # a quarter to four


def validate(run: TrainerState) -> None:
    """Evaluate the network where it stands: before the first step, or after an epoch or a part of one."""
    state = run.state
    began = run.clock()
    with run.averaged():
        loss, accuracy = evaluate_holdout(run)
        now = run.clock()
        state.evaluation_seconds = now - began
        run.budget.evaluated(now, state.evaluation_seconds)
        row = _row(run, loss, accuracy)
        counts = stalls_count(run.recipe.schedule, run.share())
        if state.stopping.update(row.epoch, loss, accuracy, counts) and run.group.main:
            _keep_best(run, row)
    _go_on(run, row)
    if run.group.main:
        write_history(run.directory / "history.csv", state.history)
    run.publish(row)
    if run.save_due(epoch_ends=True):
        run.save()


def evaluate_holdout(run: TrainerState) -> tuple[float, float]:
    """Return calibrated loss and accuracy on the holdout images, as many at once as memory holds.

    The loss is the mean cross-entropy at the temperature that suits it best: the model gets one in the end,
    and without it label smoothing, which lowers confidence, would look like a loss of accuracy.
    """
    retry = run.stepper.retry
    sums, _ = retry_smaller(lambda batch: retry.do(partial(_sums, run, batch)), max(run.state.micro_batch, 1))
    # Outside of the attempt: an addition that one process repeated would leave the others behind.
    *losses, right, count = run.group.sum(sums).tolist()
    # A loss that is no number at one temperature is none at all.
    loss = min(losses) if all(math.isfinite(value) for value in losses) else math.nan
    return loss / max(count, 1), right / max(count, 1)


@torch.no_grad()
def _sums(run: TrainerState, batch: int) -> Tensor:
    """Return losses at each temperature, correct predictions and images, of this process's rows.

    Rows are shared and not batches, whose size differs where one process has less memory.
    """
    device, data = run.group.device, run.data
    sums = torch.zeros(len(_TEMPERATURES) + 2, device=device)
    run.net.eval()
    for inputs, labels in data.holdout(batch, device, run.group.rows(data.holdout_count)):
        with autocast(run.recipe.precision, device):
            logits = run.net(inputs)
        rows, truth = logits.float().cpu().numpy(), labels.cpu().numpy()
        task = task_of(truth)
        with np.errstate(invalid="ignore"):  # a training that diverged is told by its loss
            losses = [task.losses(rows / np.float32(t), truth).sum() for t in _TEMPERATURES]
        sums += torch.tensor([*losses, task.correct(rows, truth).sum(), len(truth)], device=device)
    return sums


def _row(run: TrainerState, loss: float, accuracy: float) -> EpochRow:
    state = run.state
    start = not state.history
    seconds = state.epoch_seconds
    return EpochRow(
        epoch=0 if start else state.epoch + 1,
        step=state.step,
        train_loss=math.nan if start else state.epoch_loss / max(state.position, 1),
        val_loss=loss,
        val_accuracy=accuracy,
        learning_rate=math.nan if start else state.rate,
        images_per_second=state.position / seconds if seconds else math.nan,
        memory_mb=peak_memory_mb(run.group.device),
        seconds=seconds + state.evaluation_seconds,
        waited_share=state.epoch_waited / seconds if seconds else math.nan,
    )


def _keep_best(run: TrainerState, row: EpochRow) -> None:
    values = {"epoch": row.epoch, "step": row.step, "loss": row.val_loss, "accuracy": row.val_accuracy}
    checkpoint.write(run.folder / checkpoint.BEST, Checkpoint(run.net.state_dict(), values))


def _go_on(run: TrainerState, row: EpochRow) -> None:
    """Add the row to the history; begin the next epoch if this one is done."""
    state = run.state
    earlier = [old for old in state.history if old.epoch < row.epoch]  # a part may be looked at twice
    state.history = [*earlier, row]
    if row.epoch and run.plateau is not None:
        run.plateau.update(row.val_loss)
    if state.position >= run.data.count:
        state.end_epoch()
