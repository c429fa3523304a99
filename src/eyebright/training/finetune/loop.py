"""The training loop.

It reads from top to bottom: :func:`fit` sets everything up, takes back what a checkpoint holds, and then goes
through epochs of steps, each followed by a look at the holdout images. A step is in ``step.py``, a look in
``validate.py``; nothing happens behind a callback.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import nn

from eyebright.errors import ModelError, TrainingError
from eyebright.runtime.context import progress_task
from eyebright.runtime.progress import Task
from eyebright.text.language import translate
from eyebright.training.finetune import checkpoint
from eyebright.training.finetune.checkpoint import Checkpoint
from eyebright.training.finetune.data.prefetch import Prefetcher
from eyebright.training.finetune.data.protocol import TrainData
from eyebright.training.finetune.gain_check import NO_GAIN, GainCheck
from eyebright.training.finetune.history import EpochRow
from eyebright.training.finetune.recipe import Recipe
from eyebright.training.finetune.step import (
    Loss,
    MicroBatch,
    OptimizerStep,
    StepBatch,
    make_micro_batches,
    set_modes,
    step_batches,
)
from eyebright.training.finetune.system.distributed import init_group
from eyebright.training.finetune.system.errors import LossNotFiniteError, NanGuard
from eyebright.training.finetune.system.probes import choose_micro_batch
from eyebright.training.finetune.system.seeding import epoch_order
from eyebright.training.finetune.trainer_state import TrainerState, TrainingRecord
from eyebright.training.finetune.validate import validate
from eyebright.types import FloatArray

_ACCELERATOR_LOOKS_EVERY = 20  # steps between two readings of the losses


@dataclass(frozen=True)
class Fitted:
    """The result of a training; the network holds the best weights.

    Attributes:
        best_epoch: where they are from; 0 is the network as it was given.
        history: a row an epoch, the first for the network as it was given.
        stopped_because: ``"epochs"``, ``"patience"``, ``"budget"``, ``"no gain"``, ``"nan"``, or
            ``"asked"`` (by `on_epoch`).
        notes: sentences about what happened on the way, for the terminal and the report.
        waited_share: share of the training time in which the loop waited for data.
        micro_batch: images that were in memory at once in one process.
        steps: steps done, ``seconds`` the time of the whole run, ``device`` and ``processes`` where.
        gain_likely: whether a gain showed on the way; None where it was not looked for.
    """

    best_epoch: int
    history: list[EpochRow]
    stopped_because: str
    notes: list[str]
    waited_share: float
    micro_batch: int
    steps: int
    seconds: float
    device: str
    processes: int
    gain_likely: bool | None = None


def fit(
    net: nn.Module,
    data: TrainData,
    recipe: Recipe,
    optimizer: torch.optim.Optimizer,
    loss: Loss,
    record: TrainingRecord,
    *,
    sample_weights: FloatArray | None = None,
    begin_epoch: Callable[[int, int], None] = lambda epoch, epochs: None,
    gain: GainCheck | None = None,
) -> Fitted:
    """Train a network, and leave it with the weights that were best on the holdout images.

    Args:
        net: inputs (b, ...) → logits (b, K).
        data: what is learned from.
        recipe: how.
        optimizer: of the network's parameters; each group's ``lr`` is its highest.
        loss: of each image.
        record: where the training is kept, and whether it is resumed.
        sample_weights: (N,) how often each image is wanted in an epoch; None takes each once.
        begin_epoch: called before each epoch with its number (from 0) and how many there will be; may change
            which parameters learn.
        gain: ends a training that is not likely to gain; None lets it go on.

    Raises:
        TrainingError: the loss was no number before an epoch was finished, or not even one image fits.
        DataError: resumed with other data.
        ModelError: resumed with another network.
    """
    # ---------------------------------------------------------------- what is needed
    group = init_group(recipe.device)
    net.to(group.device)
    stepper = OptimizerStep(net, optimizer, loss, group, recipe.precision, recipe.seed, recipe.clip_norm)
    run = TrainerState(stepper, data, recipe, record)
    run.resume() if record.resume else run.start()
    run.state.micro_batch = run.state.micro_batch or choose_micro_batch(run, sample_weights)
    watch = NanGuard(1 if group.device.type == "cpu" else _ACCELERATOR_LOOKS_EVERY)

    # ---------------------------------------------------------------- where it begins
    if not run.state.history:
        validate(run)

    # ---------------------------------------------------------------- epochs
    with progress_task("Fine-tuning", total=recipe.epochs * data.count) as task:
        task.advance(run.seen())
        while (why := _finished(run, gain)) is None:
            begin_epoch(run.state.epoch, run.expected_epochs())
            try:
                _train_epoch(run, watch, sample_weights, task)
            except LossNotFiniteError as error:
                why = _after_nan(run, error)
                break
            validate(run)
            if gain is not None:
                gain.look(run)

    # ---------------------------------------------------------------- the best weights
    return _end(run, why, None if gain is None else gain.likely)


def _finished(run: TrainerState, gain: GainCheck | None) -> str | None:
    """Return why training ends now, or None where it continues."""
    if gain is not None and gain.missing(run):
        return NO_GAIN
    return run.finished()


def _train_epoch(run: TrainerState, watch: NanGuard, sample_weights: FloatArray | None, task: Task) -> None:
    """Do the steps of an epoch, from where the run stands, as far as the budget allows."""
    state, recipe, stepper, data = run.state, run.recipe, run.stepper, run.data
    order = epoch_order(data.count, recipe.seed, state.epoch, sample_weights)
    set_modes(run.net, recipe.frozen_norm)
    watch.total = state.epoch_loss
    run.begin_clock()

    def make(step_batch: StepBatch) -> list[MicroBatch]:
        return make_micro_batches(data, step_batch, run.group, state.micro_batch, recipe.seed)

    def wanted() -> Iterator[StepBatch]:
        return step_batches(order, state.epoch, state.position, recipe.batch)

    with Prefetcher(wanted, make, data.ahead) as feed:
        while state.position < data.count and not run.budget.over():
            step_batch = feed.peek()
            rate = run.set_rate()
            loss = stepper.try_gradients(step_batch, feed.take)
            if loss is None:  # memory ran out: the same step again, in smaller micro-batches
                run.halve()
                feed.restart()
                continue
            watch.add(state.step + 1, rate, len(step_batch.places), stepper.update(loss))
            run.stepped(len(step_batch.places), feed.collect_waited())
            task.expect(run.expected_images())
            task.advance(len(step_batch.places))
            if run.save_due():
                watch.look()
                state.epoch_loss = watch.total
                run.save()
    watch.look()
    state.epoch_loss = watch.total


def _after_nan(run: TrainerState, error: LossNotFiniteError) -> str:
    """End with the best epoch so far.

    Raises:
        TrainingError: no epoch was finished.
    """
    why = error.why(run.recipe.precision, run.seen() < run.recipe.epochs * run.data.count / 2)
    values = {"step": error.step, "rate": f"{error.rate:.3g}", "value": error.value, "why": why}
    if run.state.epoch == 0:
        raise TrainingError(
            "Training diverged: the loss became {value} at step {step} (learning rate {rate}). {why}",
            **values,
        ) from error
    run.note(
        translate(
            "Training diverged and ended: the loss became {value} at step {step} (learning rate "
            "{rate}). {why} The best weights so far, of epoch {epoch}, are kept.",
            epoch=run.state.stopping.best_epoch,
            **values,
        )
    )
    return "nan"


def _end(run: TrainerState, why: str, gain_likely: bool | None) -> Fitted:
    """Write the last checkpoint, and load the best weights."""
    state = run.state
    if why == "budget" and state.epoch == 0:
        run.note(
            translate(
                "The time budget ended after {share} % of the first epoch. The best weights so far "
                "are kept. Allow more time, or use --finetune last or a smaller --size.",
                share=100 * state.position // run.data.count,
            )
        )
    if why != "nan" and run.sound():  # else the weights in memory are spoilt
        run.save()
    run.stepper.drop()
    run.group.barrier()
    best = _best(run, why)
    run.net.load_state_dict(best.tensors)
    run.group.broadcast_weights(run.net)
    run.net.eval()
    return Fitted(
        best_epoch=best.values["epoch"],
        history=state.history,
        stopped_because=why,
        notes=run.notes,
        waited_share=state.waited_share(),
        micro_batch=state.micro_batch,
        steps=state.step,
        seconds=run.budget.elapsed(),
        device=run.group.device.type,
        processes=run.group.size,
        gain_likely=gain_likely,
    )


def _best(run: TrainerState, why: str) -> Checkpoint:
    """Return the best weights; those in memory where the file is damaged."""
    try:
        return checkpoint.read(run.folder / checkpoint.BEST)
    except ModelError as error:
        if why == "nan":
            raise
        problem = error.text()
        run.note(translate("{problem} The weights of the last step are used instead.", problem=problem))
        state = {name: tensor.detach().cpu().clone() for name, tensor in run.net.state_dict().items()}
        return Checkpoint(state, {"epoch": run.state.epoch})
