"""The loop of pretraining: epochs of steps, each followed by the signs of health.

It reads from top to bottom as fine-tuning's does, and shares its checkpoints, chance, clock and processes. A
resumed training ends with the same bits on a CPU.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from eyebright.errors import TrainingError
from eyebright.runtime.context import progress_task
from eyebright.runtime.progress import Task
from eyebright.text.language import translate
from eyebright.training.finetune import checkpoint
from eyebright.training.finetune.checkpoint import Checkpoint
from eyebright.training.finetune.model.optimizer import depths, make_optimizer
from eyebright.training.finetune.saved_state import load_net
from eyebright.training.finetune.system.cpu_speedups import cpu_speedups
from eyebright.training.finetune.system.distributed import init_group
from eyebright.training.finetune.system.memory import peak_memory_mb
from eyebright.training.finetune.system.seeding import draw_generator, epoch_order
from eyebright.training.pretrain.encoder import BODY, Pretrainer
from eyebright.training.pretrain.health import Health, all_alike, collapse, collapse_cause
from eyebright.training.pretrain.history import PretrainRow, write_pretrain_history
from eyebright.training.pretrain.losses import chance, loss_of
from eyebright.training.pretrain.monitor import HealthMonitor
from eyebright.training.pretrain.recipe import PretrainRecipe
from eyebright.training.pretrain.step import PretrainStep
from eyebright.training.pretrain.training import Pretraining, PretrainRecord
from eyebright.training.pretrain.views_data import ViewsData
from eyebright.types import IntArray

_PROJECTOR_RATE = 10.0  # of the backbone's


@dataclass(frozen=True)
class Pretrained:
    """The result of pretraining; the network holds the weights of the last healthy epoch.

    Attributes:
        epoch: where the weights are from.
        history: a row an epoch, the first for the network as it was given.
        stopped_because: ``"epochs"``, ``"budget"`` or ``"collapse"``.
        notes: sentences about what happened on the way.
        steps: steps done, ``seconds`` the time of the whole run, ``device`` and ``processes`` where.
    """

    epoch: int
    history: list[PretrainRow]
    stopped_because: str
    notes: list[str]
    steps: int
    seconds: float
    device: str
    processes: int


def pretrain_network(
    net: Pretrainer,
    data: ViewsData,
    recipe: PretrainRecipe,
    places: dict[str, int],
    record: PretrainRecord,
    truth: IntArray | None = None,
    on_epoch: Callable[[PretrainRow], None] = lambda row: None,
) -> Pretrained:
    """Train an encoder without labels, and leave it with the weights of the last healthy epoch.

    Args:
        net: encoder and projector; what shall not learn needs no gradient.
        data: the images.
        recipe: how.
        places: of each of the body's parameters, its block's place.
        record: where the training is kept, and whether it is resumed.
        truth: (N,) classes of the images, only to show how well neighbours tell them; None where unknown.
        on_epoch: called with each row of the history.

    Raises:
        TrainingError: the features collapsed before an epoch was finished, or not even one image fits.
        DataError: resumed with other data.
        ModelError: resumed with another network.
    """
    # ---------------------------------------------------------------- what is needed
    group = init_group(recipe.device)
    net.to(group.device)
    stepper = _stepper(net, recipe, places)
    monitor = HealthMonitor(data, truth, recipe, group.device)
    with cpu_speedups(net, group.device):
        run = Pretraining(stepper, recipe, record, data.count)
        run.resume() if record.resume else run.start()

        # ------------------------------------------------------------ where it begins
        if not run.state.history:
            net.encoder.standardise(monitor.raw_features(net.encoder))
            start = monitor.measure(net)
            _refuse_alike(start)
            run.add(_row(run, start))
            _publish(run, on_epoch)
        first = _health_of(run.state.history[0])

        # ------------------------------------------------------------ epochs
        with progress_task("Pretraining", total=recipe.epochs * data.count) as task:
            task.advance(run.seen())
            while (why := run.finished()) is None:
                finite = _train_epoch(run, data, task)
                health = monitor.measure(net)
                run.budget.evaluated(run.clock(), monitor.seconds)
                if not finite or collapse(health, first):
                    why = "collapse"
                    run.add(_row(run, health))
                    _publish(run, on_epoch)
                    break
                _end_epoch(run, health, on_epoch)

        # ------------------------------------------------------------ the last healthy weights
        return _end(run, why)


def _stepper(net: Pretrainer, recipe: PretrainRecipe, places: dict[str, int]) -> PretrainStep:
    learning = [name for name, parameter in net.named_parameters() if parameter.requires_grad]
    depth_of = depths(learning, places, BODY)
    optimizer = make_optimizer(net, depth_of, "adamw", recipe.lr, recipe.weight_decay, recipe.layer_decay)
    for parameters in optimizer.param_groups:
        if any(parameter is p for p in net.projector.parameters() for parameter in parameters["params"]):
            parameters["lr"] *= _PROJECTOR_RATE
        else:  # the last block has the rate itself
            parameters["lr"] /= recipe.layer_decay
    group = init_group(recipe.device)
    loss = loss_of(recipe.method, recipe.temperature)
    return PretrainStep(net, optimizer, loss, group, recipe.precision, recipe.clip_norm)


def _train_epoch(run: Pretraining, data: ViewsData, task: Task) -> bool:
    """Do the steps of an epoch from where the run stands; return whether every loss was finite."""
    state, recipe = run.state, run.recipe
    run.net.learn_modes()
    order = epoch_order(data.count, recipe.seed, state.epoch)
    run.begin_clock()
    while state.position < run.usable and not run.budget.over():
        size = min(recipe.batch, len(order) - state.position)
        drawn = data.draw(
            order[state.position : state.position + size],
            draw_generator(recipe.seed, state.epoch, state.position),
        )
        run.set_rate()
        loss = run.stepper.gradients(drawn, size, data.views, min(state.micro_batch or size, size), run.halve)
        if not math.isfinite(loss):
            run.stepper.drop()
            return False
        run.stepper.update()
        run.stepped(size, loss)
        task.advance(size)
        if run.save_due() and state.position < run.usable:
            run.save()
    return True


def _end_epoch(run: Pretraining, health: Health, on_epoch: Callable[[PretrainRow], None]) -> None:
    row = _row(run, health)
    run.add(row)
    if run.state.position >= run.usable:
        run.state.end_epoch()
    _publish(run, on_epoch)
    if run.group.main:
        tensors = run.net.encoder.state_dict()
        checkpoint.write(run.folder / checkpoint.BEST, Checkpoint(tensors, {"epoch": row.epoch}))
    run.save()


def _row(run: Pretraining, health: Health) -> PretrainRow:
    state = run.state
    start = not state.history
    seconds = state.epoch_seconds
    return PretrainRow(
        epoch=0 if start else state.epoch + 1,
        step=state.step,
        loss=math.nan if start or not state.position else state.epoch_loss / state.position,
        effective_rank=health.effective_rank,
        projected_rank=health.projected_rank,
        knn_accuracy=health.knn_accuracy,
        knn_consistency=health.knn_consistency,
        learning_rate=math.nan if start else state.rate,
        images_per_second=state.position / seconds if seconds else math.nan,
        memory_mb=peak_memory_mb(run.group.device),
        seconds=seconds,
    )


def _publish(run: Pretraining, on_epoch: Callable[[PretrainRow], None]) -> None:
    if run.group.main:
        write_pretrain_history(run.directory / "history.csv", run.state.history)
        on_epoch(run.state.history[-1])


def _health_of(row: PretrainRow) -> Health:
    return Health(row.effective_rank, row.projected_rank, row.knn_accuracy, row.knn_consistency)


def _refuse_alike(start: Health) -> None:
    """Refuse images that the backbone cannot tell apart.

    Raises:
        TrainingError: there is nothing to be learned from them.
    """
    if all_alike(start):
        raise TrainingError(
            "Pretraining needs images that differ. To the backbone, these are all but identical (effective "
            "rank {rank}). Give images that show what is to be told apart.",
            rank=f"{start.effective_rank:.1f}",
        )


def _end(run: Pretraining, why: str) -> Pretrained:
    """Load the last healthy weights.

    Raises:
        TrainingError: the features collapsed before the first epoch was finished.
    """
    state = run.state
    best = run.folder / checkpoint.BEST
    if why == "collapse":
        cause = _cause(run)
        row = state.history[-1]
        values = {"epoch": row.epoch, "rank": f"{row.effective_rank:.1f}", "cause": cause}
        if state.epoch == 0:
            raise TrainingError(
                "The features collapsed in epoch {epoch}: their effective rank fell to {rank}. {cause}",
                **values,
            )
        run.note(
            translate(
                "The features collapsed in epoch {epoch}, and training ended: their effective rank fell to "
                "{rank}. {cause} The weights of the epoch before are kept.",
                **values,
            )
        )
    run.stepper.drop()
    run.group.barrier()
    found = checkpoint.read(best)
    load_net(run.net.encoder, found.tensors)
    run.group.broadcast_weights(run.net.encoder)
    run.net.eval()
    return Pretrained(
        epoch=int(found.values["epoch"]),
        history=state.history,
        stopped_because=why,
        notes=run.notes,
        steps=state.step,
        seconds=run.budget.elapsed(),
        device=run.group.device.type,
        processes=run.group.size,
    )


def _cause(run: Pretraining) -> str:
    recipe = run.recipe
    images = min(recipe.batch, run.count)
    equal, loss = chance(recipe.method, images, recipe.views), run.state.history[-1].loss
    return collapse_cause(recipe, images, run.moved(), None if equal is None else loss / equal)
