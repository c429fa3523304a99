"""One training under way: what it is made of, where it is, and its checkpoints."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from torch import Tensor

from eyebright.runtime.context import progress
from eyebright.text.language import translate
from eyebright.training.finetune import checkpoint
from eyebright.training.finetune.budget import Budget
from eyebright.training.finetune.checkpoint import Checkpoint, Spacing
from eyebright.training.finetune.data.protocol import TrainData
from eyebright.training.finetune.early_stopping import Stopping
from eyebright.training.finetune.history import EpochRow
from eyebright.training.finetune.model.ema import Ema
from eyebright.training.finetune.recipe import Recipe, recipe_changes, refuse_other_data, require_own_code
from eyebright.training.finetune.saved_state import LoopState, load_net, load_optimizer, optimizer_tensors
from eyebright.training.finetune.schedule import Plateau, rate_factor
from eyebright.training.finetune.step import OptimizerStep
from eyebright.training.finetune.system.errors import no_memory_for_one_image
from eyebright.types import Json, JsonObject, StoredJson


@dataclass(frozen=True, kw_only=True)
class TrainingRecord:
    """Where a training is kept, and how it begins.

    Attributes:
        directory: gets ``history.csv`` and ``checkpoints/``.
        fingerprint: what the data are, by name; a training is resumed with the same only.
        resume: whether to continue from the last checkpoint in ``directory``.
        on_epoch: called with each row of the history; True ends the training after it, and so does what it
            raises.
    """

    directory: Path
    fingerprint: Mapping[str, Json]
    resume: bool = False
    on_epoch: Callable[[EpochRow], bool | None] = lambda row: None


class TrainerState:
    """A training under way, which the functions of the loop share.

    Args:
        stepper: moves the weights.
        data: what is learned from.
        recipe: how.
        record: where it is kept.
    """

    def __init__(
        self,
        stepper: OptimizerStep,
        data: TrainData,
        recipe: Recipe,
        record: TrainingRecord,
    ) -> None:
        self.stepper, self.net, self.group = stepper, stepper.net, stepper.group
        self.data, self.recipe = data, recipe
        self.directory, self.folder = record.directory, record.directory / "checkpoints"
        self.on_epoch = record.on_epoch
        self.notes: list[str] = []
        self.average = Ema(self.net, recipe.ema_decay) if recipe.ema_decay else None
        self.plateau = Plateau() if recipe.schedule == "plateau" else None
        self.state = LoopState(Stopping(recipe.stop_on, recipe.min_delta, recipe.patience))
        self.budget = Budget(recipe.budget_seconds)
        self.last = 0.0
        self._fingerprint = dict(record.fingerprint)
        self._spacing = Spacing(recipe.save_seconds)
        self._save_now = False
        self._asked_to_end = False

    # ---- where it is

    def note(self, text: str) -> None:
        """Say a sentence, and keep it for the report."""
        self.notes.append(text)
        if self.group.main:
            progress().say(text)

    def seen(self) -> int:
        """Return the number of images that passed through the network in training."""
        return self.state.epoch * self.data.count + self.state.position

    def share(self) -> float:
        """Return the share of the work or of the time that is gone, whichever is more."""
        done = self.seen() / (self.recipe.epochs * self.data.count)
        return max(done, self.budget.share())

    def clock(self) -> float:
        """Return the seconds since the run began; with a budget, the same in all processes."""
        elapsed = self.budget.elapsed()
        return elapsed if self.recipe.budget_seconds is None else self.group.broadcast(elapsed)

    def rows(self) -> int:
        """Return the most images of a step that one process has."""
        return -(-min(self.recipe.batch, self.data.count) // self.group.size)

    def averaged(self) -> AbstractContextManager[object]:
        """Give the network the averaged weights, if there are any, within the block."""
        return nullcontext() if self.average is None else self.average.applied(self.net)

    def finished(self) -> str | None:
        """Return why training ends now, or None where it continues."""
        if self.state.epoch >= self.recipe.epochs:
            return "epochs"
        if self.state.stopping.exhausted():
            return "patience"
        if self._asked_to_end:
            return "asked"
        return "budget" if self.budget.over() else None

    def publish(self, row: EpochRow) -> None:
        """Hand a row of the history to whoever asked for it; its answer holds for all processes."""
        asked = self.group.main and self.on_epoch(row) is True
        self._asked_to_end = self.group.broadcast(float(asked)) > 0

    # ---- a step

    def set_rate(self) -> float:
        """Set the learning rate of the step that comes, by the share of work or time that is gone."""
        now = rate_factor(self.recipe.schedule, self.share(), self.recipe.warmup)
        self.state.rate = self.stepper.set_rate(now if self.plateau is None else now * self.plateau.factor)
        return self.state.rate

    def stepped(self, images: int, waited_seconds: float) -> None:
        """Count a step of so many images."""
        state, now = self.state, self.clock()
        state.step, state.position = state.step + 1, state.position + images
        state.epoch_seconds += now - self.last
        state.epoch_waited += waited_seconds
        self.budget.stepped(now, self.last)
        self.last = now
        if self.average is not None:
            self.average.update(self.net)

    def halve(self) -> None:
        """Halve the micro-batch from now on.

        Raises:
            TrainingError: it was but one.
        """
        before = min(self.state.micro_batch, self.rows())
        if before == 1:
            raise no_memory_for_one_image()
        self.state.micro_batch = before // 2
        self._save_now = True  # what was found out survives a kill
        self.note(
            translate(
                "Out of memory at micro-batch {before}. From step {step} on, continuing with {now} "
                "and gradient accumulation (the batch size stays {batch}).",
                before=before,
                step=self.state.step + 1,
                now=self.state.micro_batch,
                batch=self.recipe.batch,
            )
        )

    # ---- checkpoints

    def sound(self) -> bool:
        """Return whether the last holdout loss is finite; else the weights may be spoilt."""
        return math.isfinite(self.state.history[-1].val_loss)

    def save_due(self, epoch_ends: bool = False) -> bool:
        """Return whether to write a checkpoint now; a run must resume from sound weights."""
        if epoch_ends and not self.sound():
            return False
        return self._save_now or self._spacing.due(self.budget.elapsed(), epoch_ends)

    def save(self) -> None:
        """Write a checkpoint; only the first process does."""
        self._save_now = False
        self.state.elapsed = began = self.budget.elapsed()
        if self.group.main:
            checkpoint.save_step(self.folder, self.state.step, Checkpoint(self._tensors(), self._values()))
        self._spacing.wrote(began, self.budget.elapsed() - began)

    def start(self) -> None:
        """Begin with step 0; checkpoints of an earlier training are removed."""
        self.group.barrier()
        if self.group.main:
            checkpoint.remove_steps(self.folder)
        self.state.micro_batch = self.recipe.micro_batch or 0

    def resume(self) -> None:
        """Resume from the last checkpoint that is whole.

        Raises:
            DataError: it is from other data.
            ConfigError: it began with code of the user's own, which is not given now.
            ModelError: it is of another network.
        """
        found, notes = checkpoint.latest(self.folder)
        self.group.barrier()
        for text in notes:
            self.note(text)
        if found is None:
            self.note(translate("No checkpoint found; training starts from the beginning."))
            return self.start()
        refuse_other_data(found.values["fingerprint"], self._fingerprint)
        require_own_code(found.values["recipe"], self.recipe.to_json())
        self._load_tensors(found.tensors, found.values["recipe"]["optimizer"])
        return self._load_values(found.values)

    def _tensors(self) -> dict[str, Tensor]:
        moments = optimizer_tensors(self.stepper.optimizer, self.net)
        groups = {"net": self.net.state_dict(), "optimizer": moments}
        if self.average is not None:
            groups["average"] = self.average.state_dict()
        return {f"{group}/{name}": t for group, tensors in groups.items() for name, t in tensors.items()}

    def _load_tensors(self, tensors: Mapping[str, Tensor], optimizer: str) -> None:
        groups: dict[str, dict[str, Tensor]] = {"net": {}, "optimizer": {}, "average": {}}
        for name, tensor in tensors.items():
            group, _, rest = name.partition("/")
            groups[group][rest] = tensor
        load_net(self.net, groups["net"])
        # Moments of another optimiser would be missed or carried on for nothing.
        moments = groups["optimizer"] if optimizer == self.recipe.optimizer else {}
        load_optimizer(self.stepper.optimizer, self.net, moments)
        if self.average is not None:
            self.average.load_state_dict(groups["average"] or groups["net"])

    def _values(self) -> JsonObject:
        return {
            "state": self.state.to_json(),
            "recipe": self.recipe.to_json(),
            "fingerprint": self._fingerprint,
            "scaler": self.stepper.state(),
            "plateau": asdict(self.plateau) if self.plateau is not None else None,
            "place": self._place(),
            "written": time.strftime("%Y-%m-%dT%H:%M:%S"),
        }

    def _place(self) -> JsonObject:
        return {"device": self.group.device.type, "processes": self.group.size}

    def _load_values(self, values: StoredJson) -> None:
        before, place = values["recipe"], values["place"]
        if self.recipe.budget == before.get("budget"):
            self.recipe = replace(self.recipe, budget_seconds=before["budget_seconds"])
        recipe = self.recipe
        for text in recipe_changes({**before, **place}, {**recipe.to_json(), **self._place()}):
            self.note(text)
        own, state = self.state.stopping, LoopState.from_json(values["state"])
        old = state.stopping
        if own.on == old.on:
            own.best, own.best_epoch, own.trained = old.best, old.best_epoch, old.trained
            own.waited = 0 if recipe.epochs > before["epochs"] else old.waited
        state.stopping = own
        state.micro_batch = recipe.micro_batch or (state.micro_batch if place == self._place() else 0)
        self.state = state
        self.budget = Budget(recipe.budget_seconds, state.elapsed, state.evaluation_seconds)
        self.stepper.load_state(values["scaler"])
        if self.plateau is not None and values["plateau"] is not None:
            self.plateau = Plateau(**values["plateau"])
