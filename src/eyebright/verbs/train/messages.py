"""Messages of a training, and its sentences in the report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from eyebright.backbones.card import BackboneCard
from eyebright.evaluation.intervals import share_of
from eyebright.report.content import Choice
from eyebright.runtime.context import say
from eyebright.sealed.model import SealedModel
from eyebright.text.format import decimal
from eyebright.text.language import translate
from eyebright.training.finetune.history import EpochRow
from eyebright.training.linear_probe.probe import FrozenModel
from eyebright.training.linear_probe.selection import SIZE_LADDER, ProbeCandidate, promising
from eyebright.types import Interval, JsonObject

if TYPE_CHECKING:
    from eyebright.training.finetune.data.augment_search import AugmentTrial
    from eyebright.training.finetune.system.precision import PrecisionTrial

# The input size to try by hand above the last one that is compared: the next step of about 1.4.
_LARGER = 640


def candidates(model: FrozenModel) -> JsonObject:
    """Return the engines, input sizes, layers and views that were compared, as `metrics.json` lists them."""

    def rows(compared: Sequence[ProbeCandidate]) -> list[JsonObject]:
        return [asdict(c) | {"accuracy": asdict(_accuracy(c))} for c in compared]

    engines = [asdict(trial) for trial in model.trials]
    return {
        "engines": engines,
        "sizes": rows(model.sizes),
        "layers": rows(model.feature_layer_sets),
        "views": rows(model.view_counts),
    }


def choices(model: FrozenModel) -> list[Choice]:
    """Return the input sizes, layers and views that were compared, as the report shows them."""
    sizes = [(translate("Input size {size} px", size=c.name), c) for c in model.sizes]
    layers = [(translate("Feature layers: {layers}", layers=c.name), c) for c in model.feature_layer_sets]
    views = [(translate("Views of each image: {count}", count=c.name), c) for c in model.view_counts]
    return [
        Choice(name, _accuracy(c), c.selected, c.excess, c.error) for name, c in (*sizes, *layers, *views)
    ]


def next_steps(sizes: Sequence[ProbeCandidate]) -> tuple[str, ...]:
    """Return what may be worth trying after the input sizes that were compared."""
    selected = next((number for number, row in enumerate(sizes) if row.selected), None)
    if selected is None:
        return ()
    best, found = sizes[selected], []
    last = int(best.name) == SIZE_LADDER[-1] and selected > 0
    if last and promising(best.log_loss, sizes[selected - 1].log_loss):
        found.append(
            translate(
                "Larger images gained until the last size that was compared ({size} px). Try --size "
                "{larger}.",
                size=best.name,
                larger=_LARGER,
            )
        )
    for row in sizes[selected + 1 :]:
        if row.excess is not None and row.error is not None and -row.excess > row.error / 2:
            found.append(
                translate(
                    "Input size {size} px lowered log loss by {gain} ± {error}, too little to be sure of "
                    "it and to double the time of every prediction. Where time does not matter, try --size "
                    "{size}.",
                    size=row.name,
                    gain=decimal(-row.excess),
                    error=decimal(row.error),
                )
            )
    return tuple(found)


def student(card: BackboneCard, teacher: Path) -> None:
    """Say that a student is not smaller than its teacher, if so."""
    size = SealedModel(teacher).path.stat().st_size
    if card.size_bytes >= size:
        say(
            "The student is not smaller than its teacher: {name} has up to {own} MB of weights, the "
            "teacher's file {other} MB. Distillation may improve accuracy but does not shrink the "
            "model.",
            name=card.name,
            own=f"{card.size_bytes / 1e6:.1f}",
            other=f"{size / 1e6:.1f}",
        )


def precision(trials: Sequence[PrecisionTrial], chosen: str) -> str:
    """Return which number format is trained in, and how fast each is."""
    times = ", ".join(f"{trial.precision} {trial.seconds:.2f} s" for trial in trials)
    return translate("Numeric precision: {chosen}. Time per trial step: {times}.", chosen=chosen, times=times)


def augmentation(trials: Sequence[AugmentTrial], chosen: str) -> str:
    """Return which augmentation is used, and the holdout accuracy under each."""
    seen = ", ".join(f"{trial.name} {100 * trial.accuracy:.0f} %" for trial in trials)
    return translate(
        "Augmentation: {chosen}. Holdout accuracy under each: {seen}.",
        chosen=chosen,
        seen=seen,
    )


def stopped(why: str) -> str:
    """Return why a training ended, as a sentence."""
    sentences = {
        "epochs": translate("All epochs were completed."),
        "patience": translate("Training stopped early: the holdout loss no longer improved."),
        "no gain": translate(
            "Training stopped early: no weights on the way lowered the holdout loss by 1 % within three "
            "epochs and the first 15 % of the time, so a gain is unlikely."
        ),
        "budget": translate("The time budget was used up."),
        "asked": translate("Training stopped because on_epoch returned True."),
        "nan": translate("Training diverged: the loss became NaN or infinite."),
    }
    return sentences[why]


def epoch_figures(row: EpochRow) -> dict[str, float]:
    """Return what trackers log of an epoch; what was not measured is left out."""
    return {
        name: float(value) for name, value in asdict(row).items() if math.isfinite(value) and name != "epoch"
    }


def _accuracy(candidate: ProbeCandidate) -> Interval:
    return share_of(candidate.correct, candidate.count)
