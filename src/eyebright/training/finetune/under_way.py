"""What a training and a pretraining under way share: notes, a clock, and checkpoints."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from eyebright.runtime.context import progress
from eyebright.text.language import translate
from eyebright.training.finetune import checkpoint
from eyebright.training.finetune.budget import Budget
from eyebright.training.finetune.checkpoint import Checkpoint, Spacing
from eyebright.training.finetune.recipe import refuse_other_data
from eyebright.training.finetune.saved_state import TrainingState, optimizer_tensors
from eyebright.training.finetune.system.distributed import ProcessGroup
from eyebright.types import Json, JsonObject, StoredJson


class Stepper(Protocol):
    """What moves the weights."""

    @property
    def net(self) -> nn.Module:
        """Return what learns."""

    @property
    def optimizer(self) -> torch.optim.Optimizer:
        """Return the optimiser of its weights."""

    @property
    def group(self) -> ProcessGroup:
        """Return the processes that share a step."""


class Spans(Protocol):
    """The times of a recipe."""

    @property
    def budget_seconds(self) -> float | None:
        """Return the seconds within which training ends; None for no limit."""

    @property
    def save_seconds(self) -> float:
        """Return the seconds between checkpoints."""


class Record(Protocol):
    """Where a training is kept."""

    @property
    def directory(self) -> Path:
        """Return the folder that gets ``checkpoints/``."""

    @property
    def fingerprint(self) -> Mapping[str, Json]:
        """Return what the data are, by name; a training is resumed with the same only."""


class UnderWay(ABC):
    """A training under way: its notes, its clock and its checkpoints.

    Args:
        stepper: moves the weights.
        recipe: how long it lasts.
        record: where it is kept.
        last_evaluations: how many follow the last step.
    """

    state: TrainingState

    def __init__(self, stepper: Stepper, recipe: Spans, record: Record, last_evaluations: int = 1) -> None:
        self.group = stepper.group
        self.directory, self.folder = record.directory, record.directory / "checkpoints"
        self.notes: list[str] = []
        self.budget = Budget(recipe.budget_seconds, last_evaluations=last_evaluations)
        self._last_evaluations = last_evaluations
        self._net, self._optimizer = stepper.net, stepper.optimizer
        self._fingerprint = dict(record.fingerprint)
        self._spacing = Spacing(recipe.save_seconds)
        self._limited, self._last = recipe.budget_seconds is not None, 0.0

    def note(self, text: str) -> None:
        """Say a sentence, and keep it for the report."""
        self.notes.append(text)
        if self.group.main:
            progress().say(text)

    # ---- the clock

    def clock(self) -> float:
        """Return the seconds since the run began; with a budget, the same in all processes."""
        elapsed = self.budget.elapsed()
        return self.group.broadcast(elapsed) if self._limited else elapsed

    def begin_clock(self) -> None:
        """Begin to count the time of steps."""
        self._last = self.clock()

    def _count_step(self, images: int) -> None:
        state, now = self.state, self.clock()
        state.step, state.position = state.step + 1, state.position + images
        state.epoch_seconds += now - self._last
        self.budget.stepped(now, self._last)
        self._last = now

    def _continue_budget(self, seconds: float | None) -> None:
        """Go on with the time that the parts of the run before took."""
        self._limited = seconds is not None
        self.budget = Budget(
            seconds, self.state.elapsed, self.state.evaluation_seconds, self._last_evaluations
        )

    # ---- checkpoints

    def start(self) -> None:
        """Begin with step 0; checkpoints of an earlier training are removed."""
        self.group.barrier()
        if self.group.main:
            checkpoint.remove_steps(self.folder)

    def resume(self) -> None:
        """Resume from the last checkpoint that is whole; without one, start.

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
        groups: dict[str, dict[str, Tensor]] = {"net": {}, "optimizer": {}}
        for path, tensor in found.tensors.items():
            group, _, name = path.partition("/")
            groups.setdefault(group, {})[name] = tensor
        return self._restore(groups, found.values)

    def save(self) -> None:
        """Write a checkpoint; only the first process does."""
        self.state.elapsed = began = self.budget.elapsed()
        if self.group.main:
            written = Checkpoint(self._tensors(), {**self._values(), "fingerprint": self._fingerprint})
            checkpoint.save_step(self.folder, self.state.step, written)
        self._spacing.wrote(began, self.budget.elapsed() - began)

    def _tensors(self) -> dict[str, Tensor]:
        moments = optimizer_tensors(self._optimizer, self._net)
        groups = {"net": self._net.state_dict(), "optimizer": moments, **self._other_tensors()}
        return {f"{group}/{name}": t for group, tensors in groups.items() for name, t in tensors.items()}

    def _other_tensors(self) -> Mapping[str, Mapping[str, Tensor]]:
        """Return those beside the network's and the optimiser's, by group and name."""
        return {}

    @abstractmethod
    def _values(self) -> JsonObject:
        """Return what a checkpoint holds beside tensors."""

    @abstractmethod
    def _restore(self, tensors: Mapping[str, Mapping[str, Tensor]], values: StoredJson) -> None:
        """Go on where a checkpoint was written; its tensors come by group and name."""
