"""One pretraining under way: where it is, its clock, and its checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from torch import Tensor

from eyebright.text.language import translate
from eyebright.training.finetune.recipe import recipe_changes
from eyebright.training.finetune.saved_state import TrainingState, load_net, load_optimizer
from eyebright.training.finetune.schedule import rate_factor
from eyebright.training.finetune.system.errors import no_memory_for_one_image
from eyebright.training.finetune.under_way import UnderWay
from eyebright.training.pretrain.history import PretrainRow, row_of, row_to_json
from eyebright.training.pretrain.recipe import PretrainRecipe
from eyebright.training.pretrain.step import PretrainStep
from eyebright.types import Json, JsonObject, StoredJson


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


@dataclass(kw_only=True)
class PretrainState(TrainingState):
    """All that moves in a pretraining, apart from tensors; ``history`` has the rows of the epochs done.

    A ``micro_batch`` of 0 is the whole batch, and ``rate`` that of the backbone's last block.
    """

    history: list[PretrainRow] = field(default_factory=list)


class Pretraining(UnderWay):
    """A pretraining under way, which the functions of the loop share.

    Args:
        stepper: moves the weights.
        recipe: how.
        record: where it is kept.
        count: N, number of images.
    """

    state: PretrainState

    def __init__(
        self, stepper: PretrainStep, recipe: PretrainRecipe, record: PretrainRecord, count: int
    ) -> None:
        super().__init__(stepper, recipe, record)
        self.stepper, self.net = stepper, stepper.net
        self.recipe, self.count = recipe, count
        self.state = PretrainState(micro_batch=recipe.micro_batch or 0)
        body = {n: p for n, p in self.net.encoder.named_parameters() if p.requires_grad}
        self._begin = {name: parameter.detach().clone() for name, parameter in body.items()}

    @property
    def usable(self) -> int:
        """Return how many images of an epoch are seen: a last batch of less than half of one is left out."""
        rest = self.count % self.recipe.batch
        return self.count - rest if 2 * rest < self.recipe.batch < self.count else self.count

    def seen(self) -> int:
        """Return the number of images that were learned from."""
        return self.state.epoch * self.usable + self.state.position

    def finished(self) -> str | None:
        """Return why training ends now, or None where it continues."""
        if self.state.epoch >= self.recipe.epochs:
            return "epochs"
        return "budget" if self.budget.over() else None

    def set_rate(self) -> None:
        """Set the learning rates of the step that comes, by the share of work or time that is gone."""
        done = self.seen() / (self.recipe.epochs * self.usable)
        factor = rate_factor("cosine", max(done, self.budget.share()), self.recipe.warmup)
        self.stepper.set_rate(factor)
        self.state.rate = self.recipe.lr * factor

    def stepped(self, images: int, loss: float) -> None:
        """Count a step of so many images."""
        self._count_step(images)
        self.state.epoch_loss += loss * images

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

    def save_due(self) -> bool:
        """Return whether to write a checkpoint now."""
        return self._spacing.due(self.budget.elapsed())

    def _values(self) -> JsonObject:
        state = {**asdict(self.state), "history": [row_to_json(row) for row in self.state.history]}
        return {"state": state, "recipe": self.recipe.to_json()}

    def _restore(self, tensors: Mapping[str, Mapping[str, Tensor]], values: StoredJson) -> None:
        load_net(self.net, tensors["net"])
        load_optimizer(self.stepper.optimizer, self.net, tensors["optimizer"])
        before, state = values["recipe"], values["state"]
        if self.recipe.budget == before.get("budget"):
            self.recipe = replace(self.recipe, budget_seconds=before["budget_seconds"])
        for text in recipe_changes(before, self.recipe.to_json()):
            self.note(text)
        rows = [row_of(row) for row in state["history"]]
        self.state = PretrainState(**{**state, "history": [r for r in rows if r.epoch <= state["epoch"]]})
        self._continue_budget(self.recipe.budget_seconds)
