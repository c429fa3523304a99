"""The plan of one fine-tuning: every option that was left open is resolved. It is saved with the run."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from eyebright.report.content import RateSearch
from eyebright.runs.run import write_options
from eyebright.runtime.atomic import write_text
from eyebright.runtime.processes import is_main
from eyebright.training.finetune.recipe import Precision, Recipe
from eyebright.types import JsonObject
from eyebright.verbs.train.finetune.recipe import Depth, recipe_of
from eyebright.verbs.train.options import TrainConfig
from eyebright.verbs.train.own_code import NOTHING_OWN, OwnCode

PLAN = "plan.json"
_IN_RECIPE = ("backbone", "transform", "loss", "optimizer")


@dataclass(frozen=True, kw_only=True)
class FinetunePlan:
    """Everything that one fine-tuning was asked for or chose.

    Attributes:
        depth: how much of the backbone is trained.
        options: of the run, with what was resolved for every fine-tuning in it.
        lr: the highest learning rate of this fine-tuning.
        size, input_size: sides of the images and of the training inputs, in pixels.
        layers: name of the features.
        blocks: number of blocks that are trained, counted from the head.
        stem_end: name of the last block that is not trained; None where all are.
        frozen_norm: whether batch normalisation keeps its statistics.
        micro_batch: images in memory at once in one process; None until training has found it.
        search: the learning-rate range test, where there was one.
        own: code of the user's own; what is saved has its names.
    """

    depth: Depth
    options: TrainConfig
    lr: float
    size: int
    input_size: int
    layers: str
    blocks: int
    stem_end: str | None
    frozen_norm: bool
    micro_batch: int | None = None
    search: RateSearch | None = None
    own: OwnCode = NOTHING_OWN

    @property
    def precision(self) -> Precision:
        """Return the number format; float32 until another one is selected."""
        return "fp32" if self.options.precision == "auto" else self.options.precision

    def recipe(self, seconds: float | None = None) -> Recipe:
        """Return the settings of the loop, for at most ``seconds`` if those are given."""
        recipe = recipe_of(self.options, self.depth, self.precision, seconds, self.frozen_norm)
        names: dict[str, Any] = {n: text for n, text in self.own.names().items() if n in _IN_RECIPE}
        return replace(recipe, lr=self.lr, **names)

    def to_json(self) -> JsonObject:
        """Return plain values, the settings of the loop among them."""
        names = ("depth", "size", "input_size", "layers", "blocks", "stem_end")
        recipe = {**self.recipe().to_json(), "micro_batch": self.micro_batch}
        return {**{name: getattr(self, name) for name in names}, "recipe": recipe}

    def folder(self, run: Path) -> Path:
        """Return where checkpoints and history are kept: apart where several depths are compared."""
        return run if self.options.finetune == self.depth else run / self.depth

    def save(self, run: Path) -> None:
        """Write `plan.json`, and the options to the run's `config.toml`; only the main process does.

        Not before a checkpoint has been found to suit them.
        """
        if is_main():
            write_text(self.folder(run) / PLAN, json.dumps(self.to_json(), indent=1) + "\n")
            write_options(self.options, run)
