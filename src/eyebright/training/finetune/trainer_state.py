"""One fine-tuning under way: what it is made of, where it is, and its checkpoints."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from torch import Tensor

from eyebright.text.language import translate
from eyebright.training.finetune.data.protocol import TrainData
from eyebright.training.finetune.early_stopping import Stopping
from eyebright.training.finetune.history import EpochRow, from_fields
from eyebright.training.finetune.model.ema import Ema
from eyebright.training.finetune.model.weight_interpolation import SHARES
from eyebright.training.finetune.recipe import Recipe, recipe_changes, require_own_code
from eyebright.training.finetune.saved_state import TrainingState, load_net, load_optimizer
from eyebright.training.finetune.schedule import Plateau, rate_factor
from eyebright.training.finetune.step import OptimizerStep
from eyebright.training.finetune.system.errors import no_memory_for_one_image
from eyebright.training.finetune.under_way import UnderWay
from eyebright.types import Json, JsonObject, StoredJson

#: Evaluations behind the last step: of its epoch, of weights on the way to the best ones, and of the result.
LAST_EVALUATIONS = 1 + len(SHARES) + 1


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


@dataclass(kw_only=True)
class LoopState(TrainingState):
    """All that moves in a fine-tuning, apart from tensors.

    Attributes:
        epoch_waited: how much of the epoch's training time so far went by waiting for data.
        trained_seconds, waited_seconds: the same of all epochs before.
        stopping: the best so far.
        history: rows of the epochs done.
    """

    stopping: Stopping
    epoch_waited: float = 0.0
    trained_seconds: float = 0.0
    waited_seconds: float = 0.0
    history: list[EpochRow] = field(default_factory=list)

    def end_epoch(self) -> None:
        """Begin the next epoch."""
        self.trained_seconds += self.epoch_seconds
        self.waited_seconds += self.epoch_waited
        self.epoch_waited = 0.0
        super().end_epoch()

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


class TrainerState(UnderWay):
    """A fine-tuning under way, which the functions of the loop share.

    Args:
        stepper: moves the weights.
        data: what is learned from.
        recipe: how.
        record: where it is kept.
    """

    state: LoopState

    def __init__(
        self,
        stepper: OptimizerStep,
        data: TrainData,
        recipe: Recipe,
        record: TrainingRecord,
    ) -> None:
        super().__init__(stepper, recipe, record, LAST_EVALUATIONS)
        self.stepper, self.net = stepper, stepper.net
        self.data, self.recipe = data, recipe
        self.on_epoch = record.on_epoch
        self.average = Ema(self.net, recipe.ema_decay) if recipe.ema_decay else None
        self.plateau = Plateau() if recipe.schedule == "plateau" else None
        self.state = LoopState(stopping=Stopping(recipe.stop_on, recipe.min_delta, recipe.patience))
        self._save_now = False
        self._asked_to_end = False

    # ---- where it is

    def seen(self) -> int:
        """Return the number of images that passed through the network in training."""
        return self.state.epoch * self.data.count + self.state.position

    def share(self) -> float:
        """Return the share of the work or of the time that is gone, whichever is more."""
        done = self.seen() / (self.recipe.epochs * self.data.count)
        return max(done, self.budget.share())

    def expected_images(self) -> int:
        """Return what :meth:`seen` will come to: a budget may end the training before the recipe does."""
        seen = self.seen()
        return round(seen / self.share()) if seen else self.recipe.epochs * self.data.count

    def expected_epochs(self) -> int:
        """Return how many epochs the training will come to."""
        return max(1, round(self.expected_images() / self.data.count))

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
        self._count_step(images)
        self.state.epoch_waited += waited_seconds
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
        super().save()

    def start(self) -> None:
        """Begin with step 0; checkpoints of an earlier training are removed."""
        super().start()
        self.state.micro_batch = self.recipe.micro_batch or 0

    def _other_tensors(self) -> Mapping[str, Mapping[str, Tensor]]:
        return {} if self.average is None else {"average": self.average.state_dict()}

    def _values(self) -> JsonObject:
        return {
            "state": self.state.to_json(),
            "recipe": self.recipe.to_json(),
            "scaler": self.stepper.state(),
            "plateau": asdict(self.plateau) if self.plateau is not None else None,
            "place": self._place(),
            "written": time.strftime("%Y-%m-%dT%H:%M:%S"),
        }

    def _place(self) -> JsonObject:
        return {"device": self.group.device.type, "processes": self.group.size}

    def _restore(self, tensors: Mapping[str, Mapping[str, Tensor]], values: StoredJson) -> None:
        require_own_code(values["recipe"], self.recipe.to_json())
        load_net(self.net, tensors["net"])
        # Moments of another optimiser would be missed or carried on for nothing.
        known = values["recipe"]["optimizer"] == self.recipe.optimizer
        load_optimizer(self.stepper.optimizer, self.net, tensors["optimizer"] if known else {})
        if self.average is not None:
            self.average.load_state_dict(tensors.get("average") or tensors["net"])
        self._restore_values(values)

    def _restore_values(self, values: StoredJson) -> None:
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
        self._continue_budget(recipe.budget_seconds)
        self.stepper.load_state(values["scaler"])
        if self.plateau is not None and values["plateau"] is not None:
            self.plateau = Plateau(**values["plateau"])
