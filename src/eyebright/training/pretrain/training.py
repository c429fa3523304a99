"""One pretraining under way: where it is, its clock, and its checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from torch import Tensor

from eyebright.runtime.context import progress
from eyebright.text.language import translate
from eyebright.training.finetune import checkpoint
from eyebright.training.finetune.budget import Budget
from eyebright.training.finetune.checkpoint import Checkpoint, Spacing
from eyebright.training.finetune.recipe import recipe_changes, refuse_other_data
from eyebright.training.finetune.saved_state import load_net, load_optimizer, optimizer_tensors
from eyebright.training.finetune.schedule import rate_factor
from eyebright.training.finetune.system.errors import no_memory_for_one_image
from eyebright.training.pretrain.history import PretrainRow, row_of, row_to_json
from eyebright.training.pretrain.recipe import PretrainRecipe
from eyebright.training.pretrain.step import PretrainStep
from eyebright.types import Json, JsonObject


@dataclass(frozen=True, kw_only=True)
class PretrainRecord:
    """Where a pretraining is kept, and how it begins.

    Attributes:
        directory: gets ``history.csv`` and ``checkpoints/``.
        fingerprint: what the data are, by name; a training is resumed with the same only.
        resume: whether to continue from the last checkpoint in ``directory``.
    """

    directory: Path
    fingerprint: Mapping[str, Json]
    resume: bool = False


@dataclass
class PretrainState:
    """All that moves, apart from tensors.

    Attributes:
        step, epoch: steps and epochs done.
        position: images of the epoch under way that are done.
        micro_batch: images at once in one process; 0 for the whole batch.
        rate: the projector's learning rate in the last step.
        elapsed: seconds that the run has taken.
        evaluation_seconds: of the last look at the features.
        epoch_loss: sum of the losses of the epoch's images so far.
        epoch_seconds: training time in this epoch.
        history: rows of the epochs done.
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
    history: list[PretrainRow] = field(default_factory=list)

    def end_epoch(self) -> None:
        """Begin the next epoch."""
        self.epoch, self.position = self.epoch + 1, 0
        self.epoch_loss = self.epoch_seconds = 0.0


class Pretraining:
    """A pretraining under way, which the functions of the loop share.

    Args:
        stepper: moves the weights.
        recipe: how.
        record: where it is kept.
        count: N, number of images.
    """

    def __init__(
        self, stepper: PretrainStep, recipe: PretrainRecipe, record: PretrainRecord, count: int
    ) -> None:
        self.stepper, self.net, self.group = stepper, stepper.net, stepper.group
        self.recipe, self.count = recipe, count
        self.directory, self.folder = record.directory, record.directory / "checkpoints"
        self.notes: list[str] = []
        self.state = PretrainState(micro_batch=recipe.micro_batch or 0)
        self.budget = Budget(recipe.budget_seconds)
        self._fingerprint = dict(record.fingerprint)
        self._spacing = Spacing(recipe.save_seconds)
        self._last = 0.0
        body = {n: p for n, p in self.net.encoder.named_parameters() if p.requires_grad}
        self._begin = {name: parameter.detach().clone() for name, parameter in body.items()}

    @property
    def usable(self) -> int:
        """Return how many images of an epoch are seen: a last batch of less than half of one is left out."""
        rest = self.count % self.recipe.batch
        return self.count - rest if 2 * rest < self.recipe.batch < self.count else self.count

    def note(self, text: str) -> None:
        """Say a sentence, and keep it for the report."""
        self.notes.append(text)
        if self.group.main:
            progress().say(text)

    def seen(self) -> int:
        """Return the number of images that were learned from."""
        return self.state.epoch * self.usable + self.state.position

    def finished(self) -> str | None:
        """Return why training ends now, or None where it continues."""
        if self.state.epoch >= self.recipe.epochs:
            return "epochs"
        return "budget" if self.budget.over() else None

    def clock(self) -> float:
        """Return the seconds since the run began; with a budget, the same in all processes."""
        elapsed = self.budget.elapsed()
        return elapsed if self.recipe.budget_seconds is None else self.group.broadcast(elapsed)

    def begin_clock(self) -> None:
        """Begin to count the time of steps."""
        self._last = self.clock()

    def set_rate(self) -> None:
        """Set the learning rates of the step that comes, by the share of work or time that is gone."""
        done = self.seen() / (self.recipe.epochs * self.usable)
        factor = rate_factor("cosine", max(done, self.budget.share()), self.recipe.warmup)
        self.state.rate = self.stepper.set_rate(factor)

    def stepped(self, images: int, loss: float) -> None:
        """Count a step of so many images."""
        state, now = self.state, self.clock()
        state.step, state.position = state.step + 1, state.position + images
        state.epoch_loss += loss * images
        state.epoch_seconds += now - self._last
        self.budget.stepped(now, self._last)
        self._last = now

    def halve(self) -> int:
        """Halve the micro-batch from now on, and return it; the loss stays that of the whole batch.

        Raises:
            TrainingError: it was but one.
        """
        whole = -(-min(self.recipe.batch, self.count) // self.group.size)
        before = min(self.state.micro_batch or whole, whole)
        if before == 1:
            raise no_memory_for_one_image()
        self.state.micro_batch = before // 2
        self.note(
            translate(
                "Out of memory with {before:image|images} at once; continuing with {now}. The loss still "
                "compares all {batch} images of a batch; each passes through the network twice.",
                before=before,
                now=self.state.micro_batch,
                batch=min(self.recipe.batch, self.count),
            )
        )
        return self.state.micro_batch

    def moved(self) -> float:
        """Return how far the backbone's learning weights went, as a share of their norm at the beginning."""
        now = dict(self.net.encoder.named_parameters())
        change = sum(float((now[n].detach() - t).square().sum()) for n, t in self._begin.items())
        norm = sum(float(tensor.square().sum()) for tensor in self._begin.values())
        return float((change / norm) ** 0.5) if norm else 0.0

    def add(self, row: PretrainRow) -> None:
        """Add a row to the history; a part of an epoch may be looked at twice."""
        self.state.history = [*(old for old in self.state.history if old.epoch < row.epoch), row]

    # ---- checkpoints

    def start(self) -> None:
        """Begin with step 0; checkpoints of an earlier training are removed."""
        self.group.barrier()
        if self.group.main:
            checkpoint.remove_steps(self.folder)

    def save_due(self) -> bool:
        """Return whether to write a checkpoint now."""
        return self._spacing.due(self.budget.elapsed())

    def save(self) -> None:
        """Write a checkpoint; only the first process does."""
        self.state.elapsed = began = self.budget.elapsed()
        if self.group.main:
            checkpoint.save_step(self.folder, self.state.step, Checkpoint(self._tensors(), self._values()))
        self._spacing.wrote(began, self.budget.elapsed() - began)

    def resume(self) -> None:
        """Resume from the last checkpoint that is whole.

        Raises:
            DataError: it is from other data.
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
        groups: dict[str, dict[str, Tensor]] = {"net": {}, "optimizer": {}}
        for name, tensor in found.tensors.items():
            group, _, rest = name.partition("/")
            groups[group][rest] = tensor
        load_net(self.net, groups["net"])
        load_optimizer(self.stepper.optimizer, self.net, groups["optimizer"])
        before, values = found.values["recipe"], found.values["state"]
        if self.recipe.budget == before.get("budget"):
            self.recipe = replace(self.recipe, budget_seconds=before["budget_seconds"])
        for text in recipe_changes(before, self.recipe.to_json()):
            self.note(text)
        rows = [row_of(row) for row in values["history"]]
        self.state = PretrainState(**{**values, "history": [r for r in rows if r.epoch <= values["epoch"]]})
        self.budget = Budget(self.recipe.budget_seconds, self.state.elapsed, self.state.evaluation_seconds)
        return None

    def _tensors(self) -> dict[str, Tensor]:
        moments = optimizer_tensors(self.stepper.optimizer, self.net)
        groups = {"net": self.net.state_dict(), "optimizer": moments}
        return {f"{group}/{name}": t for group, tensors in groups.items() for name, t in tensors.items()}

    def _values(self) -> JsonObject:
        state = {**asdict(self.state), "history": [row_to_json(row) for row in self.state.history]}
        return {"state": state, "recipe": self.recipe.to_json(), "fingerprint": self._fingerprint}
