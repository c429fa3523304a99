"""What a training says on the way, and what it writes down of itself."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eyebright.backbones.card import BackboneCard
from eyebright.data.licence import data_licence
from eyebright.data.manifest import Manifest
from eyebright.evaluation.intervals import share_of
from eyebright.evaluation.rules.answering import THRESHOLD
from eyebright.options.base import Config
from eyebright.report.content import Choice
from eyebright.runs.write import versions
from eyebright.runtime.context import progress, say
from eyebright.sealed.model import SEVERAL, SealedModel
from eyebright.text.language import translate
from eyebright.training.finetune.history import EpochRow
from eyebright.training.linear_probe.probe import FrozenModel
from eyebright.training.linear_probe.selection import ProbeCandidate
from eyebright.types import Interval, Skipped
from eyebright.verbs.train.options import TrainConfig
from eyebright.verbs.train.trained_model import Trained

if TYPE_CHECKING:
    from eyebright.training.finetune.data.augment_search import AugmentTrial
    from eyebright.training.finetune.system.precision import PrecisionTrial

_LISTED = 10


def found(manifest: Manifest) -> None:
    """Says what the data holds, what was skipped and what to look at."""
    counts = {split: len(manifest.of(split)) for split in ("train", "val", "test")}
    say(
        "Found {classes:class|classes}. Images: {train} for training, {val} for validation, {test} "
        "for testing.",
        classes=len(manifest.labels),
        **counts,
    )
    left_out(manifest.skipped)
    for entry in manifest.warnings[:_LISTED]:
        reason = translate(entry.reason, **entry.reason_values)
        say("Warning: {path}: {reason}", path=entry.path, reason=reason)
    _say_rest(len(manifest.warnings))


def left_out(entries: Sequence[Skipped]) -> None:
    """Says which files were skipped and why, the first ten by name."""
    for entry in entries[:_LISTED]:
        reason = translate(entry.reason, **entry.reason_values)
        say("Skipped {path}: {reason}", path=entry.path, reason=reason)
    _say_rest(len(entries))


def _say_rest(count: int) -> None:
    if count > _LISTED:
        text = translate("and {count} more; metrics.json lists them all.", count=count - _LISTED)
        progress().say(text)


def title(config: TrainConfig) -> str:
    """What the report is called: the run's name, or the data's."""
    return (config.out or config.data or Path()).resolve().name


def provenance(trained: Trained, manifest: Manifest) -> dict[str, Any]:
    """What the sealed model carries in its metadata beside its labels and metrics."""
    card = trained.backbone.card
    licence = data_licence(manifest.root)
    several = {"task": SEVERAL, "thresholds": [THRESHOLD] * len(manifest.labels)}
    return {
        **(several if trained.several else {}),
        "card": {
            "backbone": card.name,
            "backbone_sha": card.sha,
            "source": card.source,
            "preprocessing": asdict(trained.preprocessing),
            "taps": [f"{tap.layer.name}:{tap.kind}" for tap in trained.taps],
            "temperature": trained.temperature,
            **trained.chosen,
        },
        "licence": card.licence,
        **({} if licence is None else {"data_licence": licence}),
        "data_sha": manifest.digest,
        "versions": versions(),
    }


def tried(model: FrozenModel) -> dict[str, Any]:
    """The engines, input sizes and layers that were compared, as `metrics.json` lists them."""

    def rows(candidates: Sequence[ProbeCandidate]) -> list[dict[str, Any]]:
        return [asdict(c) | {"accuracy": asdict(_accuracy(c))} for c in candidates]

    engines = [asdict(trial) for trial in model.trials]
    return {"engines": engines, "sizes": rows(model.sizes), "layers": rows(model.tap_sets)}


def choices(model: FrozenModel) -> list[Choice]:
    """What was compared, as the report shows it."""
    sizes = [(translate("Input size {size} px", size=c.name), c) for c in model.sizes]
    layers = [(translate("Feature layers: {layers}", layers=c.name), c) for c in model.tap_sets]
    return [Choice(name, _accuracy(c), c.chosen) for name, c in (*sizes, *layers)]


def tuned_name(name: str) -> str:
    """How much of the network learned, in words."""
    names = {
        "off": translate("Frozen backbone"),
        "last": translate("Last blocks fine-tuned"),
        "full": translate("Full fine-tuning"),
    }
    return names[name]


def student(card: BackboneCard, teacher: Path) -> None:
    """Says where a network that is to learn from a model is no smaller than that."""
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


def decisions_left(parent: SealedModel, model: Path) -> None:
    """Says where a new model lacks the operating points or costs of the one that it was made from."""
    if parent.decisions is not None and SealedModel(model).decisions is None:
        say(
            "The operating points and costs of {path} were not carried over: the new model predicts "
            "the class with the highest probability. To check them on the new model, run `eyebright "
            "evaluate` with --target and --cost.",
            path=parent.path,
        )


def precision(trials: Sequence[PrecisionTrial], chosen: str) -> str:
    """Which number format is trained in, and how fast each is."""
    times = ", ".join(f"{trial.precision} {trial.seconds:.2f} s" for trial in trials)
    return translate("Numeric precision: {chosen}. Time per trial step: {times}.", chosen=chosen, times=times)


def augmentation(trials: Sequence[AugmentTrial], chosen: str) -> str:
    """How training images are varied, and what the network makes of images varied so."""
    seen = ", ".join(f"{trial.name} {100 * trial.accuracy:.0f} %" for trial in trials)
    return translate(
        "Augmentation: {chosen}. Holdout accuracy under each: {seen}.",
        chosen=chosen,
        seen=seen,
    )


def stopped(why: str) -> str:
    """Why a training ended, as a sentence."""
    sentences = {
        "epochs": translate("All epochs were completed."),
        "patience": translate("Training stopped early: the holdout loss no longer improved."),
        "budget": translate("The time budget was used up."),
        "nan": translate("Training diverged: the loss became NaN or infinite."),
    }
    return sentences[why]


def epoch_figures(row: EpochRow) -> dict[str, float]:
    """What trackers log of an epoch; what was not measured is left out."""
    return {
        name: float(value) for name, value in asdict(row).items() if math.isfinite(value) and name != "epoch"
    }


def facts(config: TrainConfig, provenance: Mapping[str, Any], model: Path) -> dict[str, str]:
    """Names and values at the end of the report."""
    named = {
        translate("Model file"): f"{model.stat().st_size / 1e6:.1f} MB",
        translate("Licence of the weights"): provenance["licence"],
        translate("Hash of the data"): provenance["data_sha"],
        translate("Random seed"): str(config.seed),
    }
    return named | dict(provenance["versions"])


def command(verb: str, config: Config, positional: Sequence[str]) -> str:
    """The command line that does the same again, from the beginning."""
    words = ["eyebright", verb, *(str(getattr(config, name)) for name in positional)]
    for name in sorted(config.model_fields_set.difference(positional, ("resume",))):
        words += _as_words(name.replace("_", "-"), getattr(config, name))
    return shlex.join(words)


def _as_words(option: str, value: object) -> list[str]:
    """One option with its value: flags have none, and lists are given one by one."""
    if isinstance(value, bool):
        return [f"--{option}" if value else f"--no-{option}"]
    values = value if isinstance(value, list) else [value]
    return [word for one in values for word in (f"--{option}", str(one))]


def _accuracy(candidate: ProbeCandidate) -> Interval:
    return share_of(candidate.correct, candidate.count)
