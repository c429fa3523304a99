"""How a network is fine-tuned: plain values that are saved with every checkpoint and shown in the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

from eyebright.errors import ConfigError, DataError
from eyebright.text.language import translate
from eyebright.types import Json, JsonObject

Precision = Literal["fp32", "bf16", "fp16"]
ScheduleName = Literal["cosine", "onecycle", "plateau", "constant"]

#: Before the name of code of the user's own, where the name of one of ours may stand.
OWN = "own:"
#: What may differ between a run and its continuation without anything to tell.
_SILENT = frozenset({"save_seconds", "micro_batch", "budget_seconds"})


@dataclass(frozen=True)
class Recipe:
    """The settings of the loop, and what else a resumed run must be able to compare.

    Attributes:
        epochs: passes through the training images, at most.
        batch: images a step, over all processes and micro-batches.
        micro_batch: images that are in memory at once in one process; None finds it.
        device: ``"cpu"``, ``"cuda"``, ``"mps"``, ``"xla"``, or ``"auto"``.
        precision: number format of the forward pass; the weights stay float32.
        seed: of the order of images, augmentation and dropout.
        schedule: how the learning rate runs over the training; ``warmup`` is the share in which it rises.
        clip_norm: largest norm of all gradients together; None lets them be.
        ema_decay: of the weights' moving average, which then is what is evaluated and kept; 0 keeps none.
        frozen_norm: whether batch normalisation keeps its running statistics.
        save_memory: activation checkpointing: recompute activations instead of storing them.
        gradual: whether blocks begin to learn one after another.
        patience: epochs without gain after which training stops; 0 never stops. Where the rate will fall,
            those of the first half do not count.
        stop_on: the holdout figure that must gain at least ``min_delta``.
        budget: wall-clock time for all that the caller does, in seconds.
        budget_seconds: what the loop has of it, evaluations included. While ``budget`` is the same, a resumed
            training keeps its own: what was reckoned anew would move the learning rate.
        save_seconds: time between two checkpoints within an epoch.
        optimizer, lr, weight_decay, layer_decay, unfreeze, loss, label_smoothing, class_weights, sampler:
            what the caller made the optimiser, the loss and the order of images from; kept here so that a
            resumed run can tell what changed.
        augment, random_erasing, mixup, cutmix, dropout, drop_path: the same of what varies images and
            network.
        teacher_share, teacher_temperature, teacher_features, teacher_views: the same of a teacher; a share of
            0 is none.
        backbone, transform: the same of code of the user's own, which begins with :data:`OWN`, as `loss` and
            `optimizer` may; empty where there is none.
    """

    epochs: int = 10
    batch: int = 32
    micro_batch: int | None = None
    device: str = "auto"
    precision: Precision = "fp32"
    seed: int = 0
    schedule: ScheduleName = "cosine"
    warmup: float = 0.1
    clip_norm: float | None = 1.0
    ema_decay: float = 0.0
    frozen_norm: bool = True
    save_memory: bool = False
    gradual: bool = False
    patience: int = 5
    stop_on: Literal["loss", "accuracy"] = "loss"
    min_delta: float = 1e-4
    budget: float | None = None
    budget_seconds: float | None = None
    save_seconds: float = 30.0
    optimizer: str = "adamw"
    lr: float = 1e-3
    weight_decay: float = 0.05
    layer_decay: float = 0.8
    loss: str = "cross_entropy"
    label_smoothing: float = 0.1
    class_weights: str = "none"
    sampler: str = "shuffle"
    unfreeze: int | None = None
    augment: str = "none"
    random_erasing: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    dropout: float = 0.0
    drop_path: float = 0.0
    teacher_share: float = 0.0
    teacher_temperature: float = 2.0
    teacher_features: float = 0.0
    teacher_views: int = 8
    backbone: str = ""
    transform: str = ""

    def to_json(self) -> JsonObject:
        """Return field names and plain values."""
        return asdict(self)


def recipe_changes(before: Mapping[str, Json], now: Mapping[str, Json]) -> list[str]:
    """Return sentences that name the settings of a saved recipe, as JSON, that have changed."""
    return [
        translate("{name} was {old} and is {new} from here on.", name=name, old=before[name], new=new)
        for name, new in now.items()
        if name not in _SILENT and name in before and before[name] != new
    ]


def require_own_code(before: Mapping[str, Json], now: Mapping[str, Json]) -> None:
    """Require code of the user's own in a continuation that the training began with.

    Raises:
        ConfigError: it is not given.
    """
    missing = [
        f"{name} ({value})"
        for name, value in before.items()
        if str(value).startswith(OWN) and not str(now.get(name, "")).startswith(OWN)
    ]
    if missing:
        raise ConfigError(
            "A run that began with code of your own must be resumed with it, from Python. Missing: "
            "{names}. Call eb.train(resume=...) with the same objects, or start a new run.",
            names=", ".join(missing),
        )


def refuse_other_data(before: Mapping[str, Json], now: Mapping[str, Json]) -> None:
    """Compare the fingerprint of the data then with the one now.

    Raises:
        DataError: they differ.
    """
    differences = [
        f"{name}: {before.get(name, '–')} → {now.get(name, '–')}"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    ]
    if differences:
        raise DataError(
            "A run must be resumed with the data it started with. The data has changed "
            "({differences}). Restore it, or start a new run.",
            differences="; ".join(differences),
        )
