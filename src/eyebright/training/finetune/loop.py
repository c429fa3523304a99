"""The training loop.

It reads from top to bottom: :func:`fit` sets everything up, takes back what a checkpoint holds, and then goes
through epochs of steps, each followed by a look at the held-out part. A step is in ``step.py``, a look in
``judge.py``; nothing happens behind a callback.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from eyebright.errors import ModelError
from eyebright.runtime.context import progress_task
from eyebright.runtime.progress import Task
from eyebright.text.language import translate
from eyebright.training.finetune import checkpoint
from eyebright.training.finetune.checkpoint import Checkpoint
from eyebright.training.finetune.data.prefetch import Feed
from eyebright.training.finetune.data.protocol import TrainData
from eyebright.training.finetune.history import EpochRow
from eyebright.training.finetune.recipe import Recipe
from eyebright.training.finetune.step import Cut, Loss, Part, Stepper, cuts, make_parts, set_modes
from eyebright.training.finetune.system.distributed import gather_team
from eyebright.training.finetune.system.errors import LossNotFiniteError, LossWatch, TrainingError
from eyebright.training.finetune.system.micro_batch import choose_micro_batch
from eyebright.training.finetune.system.seeding import epoch_order
from eyebright.training.finetune.trainer_state import FitRun
from eyebright.training.finetune.validate import judge
from eyebright.types import FloatArray

_ACCELERATOR_LOOKS_EVERY = 20  # steps between two readings of the losses


@dataclass(frozen=True)
class Fitted:
    """What a training came to; the network holds the best weights.

    Attributes:
        best_state: the best weights by name, on the CPU.
        best_epoch: where they are from; 0 is the network as it was given.
        history: a row an epoch, the first for the network as it was given.
        stopped_because: ``"epochs"``, ``"patience"``, ``"budget"`` or ``"nan"``.
        notes: sentences about what happened on the way, for the terminal and the report.
        waited_share: share of the training time in which the loop waited for data.
        micro_batch: images that were in memory at once in one process.
        steps: steps done, ``seconds`` the time of the whole run, ``device`` and ``processes`` where.
    """

    best_state: dict[str, Tensor]
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


def fit(
    net: nn.Module,
    data: TrainData,
    recipe: Recipe,
    optimizer: torch.optim.Optimizer,
    directory: Path,
    *,
    loss: Loss,
    fingerprint: Mapping[str, Any],
    sample_weights: FloatArray | None = None,
    begin_epoch: Callable[[int], None] = lambda epoch: None,
    resume: bool = False,
    on_epoch: Callable[[EpochRow], None] = lambda row: None,
) -> Fitted:
    """Trains a network, and leaves it with the weights that were best on the held-out part.

    Args:
        net: inputs (b, ...) → logits (b, K).
        data: what is learned from.
        recipe: how.
        optimizer: of the network's parameters; each group's ``lr`` is its highest.
        directory: gets ``history.csv`` and ``checkpoints/``.
        loss: of each image.
        fingerprint: what the data are, by name; a run is resumed with the same only.
        sample_weights: (N,) how often each image is wanted in an epoch; None takes each once.
        begin_epoch: called with the epoch's number (from 0) before it; may change which parameters learn.
        resume: whether to go on from the last checkpoint in ``directory``.
        on_epoch: called with each row of the history.

    Raises:
        TrainingError: the loss was no number before an epoch was finished, or not even one image fits.
        DataError: resumed with other data.
        ModelError: resumed with another network.
    """
    # ---------------------------------------------------------------- what is needed
    team = gather_team(recipe.device)
    net.to(team.device)
    stepper = Stepper(net, optimizer, loss, team, recipe.precision, recipe.seed, recipe.clip_norm)
    run = FitRun(stepper, data, recipe, directory, fingerprint, on_epoch)
    run.take_back() if resume else run.start_anew()
    run.state.micro_batch = run.state.micro_batch or choose_micro_batch(run, sample_weights)
    watch = LossWatch(1 if team.device.type == "cpu" else _ACCELERATOR_LOOKS_EVERY)

    # ---------------------------------------------------------------- where it begins
    if not run.state.history:
        judge(run)

    # ---------------------------------------------------------------- epochs
    with progress_task("Fine-tuning", total=recipe.epochs * data.count) as task:
        task.advance(run.seen())
        while (why := run.finished()) is None:
            begin_epoch(run.state.epoch)
            try:
                _train_epoch(run, watch, sample_weights, task)
            except LossNotFiniteError as error:
                why = _after_nan(run, error)
                break
            judge(run)

    # ---------------------------------------------------------------- the best weights
    return _end(run, why)


def _train_epoch(run: FitRun, watch: LossWatch, sample_weights: FloatArray | None, task: Task) -> None:
    """The steps of an epoch, from where the run stands, as far as the budget allows."""
    state, recipe, stepper, data = run.state, run.recipe, run.stepper, run.data
    order = epoch_order(data.count, recipe.seed, state.epoch, sample_weights)
    set_modes(run.net, recipe.frozen_norm)
    watch.total = state.epoch_loss
    run.last = run.clock()

    def make(cut: Cut) -> list[Part]:
        return make_parts(data, cut, run.team, state.micro_batch, recipe.seed)

    with Feed(lambda: cuts(order, state.epoch, state.position, recipe.batch), make) as feed:
        while state.position < data.count and not run.budget.over():
            cut = feed.peek()
            rate = run.set_rate()
            loss = stepper.try_gradients(cut, feed.take)
            if loss is None:  # memory ran out: the same step again, in smaller parts
                run.halve()
                feed.restart()
                continue
            watch.add(state.step + 1, rate, len(cut.places), stepper.update(loss))
            run.stepped(len(cut.places), feed.collect_waited())
            task.advance(len(cut.places))
            if run.save_due():
                watch.look()
                state.epoch_loss = watch.total
                run.save()
    watch.look()
    state.epoch_loss = watch.total


def _after_nan(run: FitRun, error: LossNotFiniteError) -> str:
    """Ends with the best epoch so far.

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


def _end(run: FitRun, why: str) -> Fitted:
    """The last checkpoint, and the best weights."""
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
    run.team.wait()
    best = _best(run, why)
    run.net.load_state_dict(best.tensors)
    run.team.share(run.net)
    run.net.eval()
    return Fitted(
        best_state=best.tensors,
        best_epoch=best.values["epoch"],
        history=state.history,
        stopped_because=why,
        notes=run.notes,
        waited_share=state.waited_share(),
        micro_batch=state.micro_batch,
        steps=state.step,
        seconds=run.budget.elapsed(),
        device=run.team.device.type,
        processes=run.team.size,
    )


def _best(run: FitRun, why: str) -> Checkpoint:
    """The best weights; those in memory where the file is damaged."""
    try:
        return checkpoint.read(run.folder / checkpoint.BEST)
    except ModelError as error:
        if why == "nan":
            raise
        problem = error.text()
        run.note(translate("{problem} The weights of the last step are used instead.", problem=problem))
        state = {name: tensor.detach().cpu().clone() for name, tensor in run.net.state_dict().items()}
        return Checkpoint(state, {"epoch": run.state.epoch})
