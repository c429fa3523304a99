"""What the options of fine-tuning stand for, as plain values and objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from eyebright.backbones.torch.network import Network
from eyebright.errors import ConfigError
from eyebright.task.task import ClassificationTask, task_of
from eyebright.training.finetune.data.augment import PRESETS, Augmentation
from eyebright.training.finetune.data.class_balance import class_weights
from eyebright.training.finetune.model.losses import LabelsLoss, SoftTargetLoss, TeacherLoss, WeightedLoss
from eyebright.training.finetune.own_code import OwnLoss
from eyebright.training.finetune.recipe import Precision, Recipe
from eyebright.training.finetune.step import Loss
from eyebright.types import FloatArray, IntArray
from eyebright.verbs.train.options import TrainConfig, require_single_label

Depth = Literal["off", "last", "full"]

_EPOCHS: Mapping[str, int] = {"last": 20, "full": 10}
_EPOCHS_WITHIN: Mapping[str, int] = {"last": 20, "full": 30}  # a budget, which mostly ends earlier
_RATES: Mapping[str, float] = {"adamw": 3e-4, "adam": 3e-4, "sgd": 1e-2}
_WHOLE = 1 / 3  # of the rate, where everything is trained: lower blocks know more that must not be lost
_BATCH = 32
_GAIN_SHARE = 0.15  # of the budget of `auto`, within which a gain must show
#: `--finetune auto` without a budget stops here: it is meant for use without a thought.
AUTO_SECONDS = 45 * 60.0
_FOCAL_GAMMA = 2.0


def check(config: TrainConfig, task: ClassificationTask) -> None:
    """Refuse options that exclude each other, or that the task does not have.

    Raises:
        ConfigError: saying what.
    """
    idle = {
        "--loss focal": config.loss == "focal",
        "--class-weights balanced": config.class_weights == "balanced",
        "--sampler balanced": config.sampler == "balanced",
    }
    for what, given in idle.items():
        if given:
            require_single_label(task, what)
    if config.cutmix and config.finetune != "full":
        raise ConfigError(
            "--cutmix pastes image regions, so the whole backbone must be trained. Got --finetune "
            "{finetune}. Use --finetune full, or --mixup.",
            finetune=config.finetune,
        )
    if config.teacher is not None and (config.mixup or config.cutmix):
        raise ConfigError(
            "A teacher predicts on whole images, so images must not be mixed. Got --teacher together "
            "with --mixup or --cutmix. Remove one of them."
        )
    if config.lora and config.finetune != "full":
        raise ConfigError(
            "--lora adds adapters to the whole backbone. Got --finetune {finetune}. Use --finetune full.",
            finetune=config.finetune,
        )


def rate_of(config: TrainConfig, depth: Depth) -> float:
    """Return the highest learning rate."""
    if not isinstance(config.lr, str):
        return config.lr
    return _RATES[config.optimizer] * (_WHOLE if depth == "full" else 1)


def batch_of(config: TrainConfig) -> int:
    """Return the batch size."""
    return _BATCH if config.batch == "auto" else config.batch


def epochs_of(config: TrainConfig, depth: Depth) -> int:
    """Return the number of epochs; with a budget, the most that it is spent on."""
    return config.epochs or (_EPOCHS_WITHIN if config.budget else _EPOCHS)[depth]


def budget_of(config: TrainConfig) -> float | None:
    """Return the seconds within which the model is finished; None for as long as it takes."""
    return config.budget or (AUTO_SECONDS if config.finetune == "auto" else None)


def gain_seconds(config: TrainConfig, depth: Depth) -> float | None:
    """Return the seconds of training within which a gain must show; None where it need not.

    What is asked for by name is trained as asked, and after the last blocks a gain has shown already.
    """
    if config.finetune != "auto" or depth != "last":
        return None
    return _GAIN_SHARE * (config.budget or AUTO_SECONDS)


def keeps_norms(config: TrainConfig, network: Network) -> bool:
    """Return whether batch normalisation keeps its statistics; random weights have none worth keeping."""
    return config.batch_norm == "frozen" and network.pretrained


def augmentation_of(config: TrainConfig) -> Augmentation:
    """Return how the training images are augmented; the standard preset where none is selected yet."""
    preset = PRESETS["standard" if config.augment == "auto" else config.augment]
    return replace(preset, erasing=config.random_erasing)


def loss_of(
    config: TrainConfig,
    truth: IntArray,
    classes: int,
    weights: FloatArray | None = None,
    own: Loss | None = None,
) -> Loss:
    """Return the loss of each image.

    Args:
        config: the options.
        truth: (N,) classes of the training images, or (N, K) where they may have several labels.
        classes: K.
        weights: (N,) of the training images, which their targets then end with; None where all weigh alike.
        own: a loss of the user's own, in place of ours.
    """
    if own is not None:
        loss: Loss = OwnLoss(own, weights is not None)
    else:
        loss = _loss_of(config, truth, classes, weights)
    return loss if weights is None else WeightedLoss(loss)


def _loss_of(config: TrainConfig, truth: IntArray, classes: int, weights: FloatArray | None) -> Loss:
    if task_of(truth).multilabel:
        return LabelsLoss(config.label_smoothing)
    balance = class_weights(config.class_weights, truth, classes, weights)
    gamma = _FOCAL_GAMMA if config.loss == "focal" else 0.0
    labels = SoftTargetLoss(config.label_smoothing, balance, gamma)
    if config.teacher is None:
        return labels
    share, temperature = config.teacher_share, config.teacher_temperature
    return TeacherLoss(labels, classes, share, temperature, config.teacher_features)


def recipe_of(
    config: TrainConfig, depth: Depth, precision: Precision, seconds: float | None, frozen_norm: bool
) -> Recipe:
    """Return the settings of the loop.

    Args:
        config: the options.
        depth: how much of the backbone is trained.
        precision: that was given or chosen.
        seconds: that the training may take.
        frozen_norm: whether batch normalisation keeps its statistics.
    """
    return Recipe(
        epochs=epochs_of(config, depth),
        batch=batch_of(config),
        device=config.device,
        precision=precision,
        seed=config.seed,
        schedule=config.schedule,
        warmup=config.warmup,
        ema_decay=config.ema,
        frozen_norm=frozen_norm,
        save_memory=config.save_memory,
        gradual=config.gradual,
        patience=config.patience,
        budget=budget_of(config),
        budget_seconds=seconds,
        optimizer=config.optimizer,
        lr=rate_of(config, depth),
        weight_decay=config.weight_decay,
        layer_decay=config.layer_decay,
        loss=config.loss,
        label_smoothing=config.label_smoothing,
        class_weights=config.class_weights,
        sampler=config.sampler,
        unfreeze=config.unfreeze,
        augment=config.augment,
        random_erasing=config.random_erasing,
        mixup=config.mixup,
        cutmix=config.cutmix,
        dropout=config.dropout,
        drop_path=config.drop_path,
        teacher_share=config.teacher_share if config.teacher else 0.0,
        teacher_temperature=config.teacher_temperature,
        teacher_features=config.teacher_features,
        teacher_views=config.teacher_views,
    )
