"""`train`: a folder of images becomes a sealed, evaluated model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from eyebright.backbones.backbone import Backbone
from eyebright.backbones.lite.lite import NAMES, lite_backbone
from eyebright.backbones.stored import load_stored, stored_folder
from eyebright.cluster.choose import on_cluster
from eyebright.errors import ConfigError
from eyebright.runs.integrity import require_other_directory
from eyebright.runs.run import Run, new_directory
from eyebright.runtime.context import progress, showing, stage
from eyebright.runtime.processes import is_main, world_size
from eyebright.runtime.progress import SILENT
from eyebright.training.cache.store import exports_folder
from eyebright.verbs.train.anomaly.images import is_one_class
from eyebright.verbs.train.anomaly.train import train_anomaly
from eyebright.verbs.train.few_labels.pretraining import with_pretraining
from eyebright.verbs.train.few_labels.unlabelled import with_unlabelled
from eyebright.verbs.train.finetune.finetune import finetune, load_network
from eyebright.verbs.train.finish import finish
from eyebright.verbs.train.frozen.backbone_choice import AUTO, chosen_backbone, with_choice
from eyebright.verbs.train.frozen.cross_validation import CrossValidation, cross_validate
from eyebright.verbs.train.frozen.linear_probe import as_trained, frozen_model
from eyebright.verbs.train.frozen.names import from_names
from eyebright.verbs.train.frozen.texts import reading_of
from eyebright.verbs.train.launch import launch
from eyebright.verbs.train.messages import epoch_figures
from eyebright.verbs.train.options import TrainConfig, check_cluster
from eyebright.verbs.train.own_code import NOTHING_OWN, OwnCode, check_own_code
from eyebright.verbs.train.prepare import TrainingPlan, prepare
from eyebright.verbs.train.resume import with_earlier
from eyebright.verbs.train.trained_model import TrainedModel

if TYPE_CHECKING:
    from eyebright.training.finetune.history import EpochRow


@stage
def train(
    config: TrainConfig,
    *,
    on_epoch: Callable[[EpochRow], bool | None] | None = None,
    own: OwnCode = NOTHING_OWN,
) -> Run:
    """Train a model, seal it, evaluate it and check its parity.

    Args:
        config: what to train on and how.
        on_epoch: is called with each epoch of fine-tuning; True ends the training with the best weights so
            far, and what it raises ends it without a model.
        own: code of the user's own.

    Returns:
        The run directory with `model.onnx`, `metrics.json`, `predictions.csv`, `report.html`,
        `manifest.parquet` and `config.toml`; of fine-tuning also `history.csv`, `checkpoints/` and, where
        timm has the architecture, `backbone.safetensors`.

    Raises:
        EyebrightError: the data, an option or the disk does not allow it.
    """
    config = with_earlier(config)
    check_own_code(config, own, on_epoch is not None)
    check_cluster(config)
    directory = _directory(config)
    with on_cluster(config.cluster):
        return _trained(config, directory, on_epoch, own)


def _trained(
    config: TrainConfig,
    directory: Path,
    on_epoch: Callable[[EpochRow], bool | None] | None,
    own: OwnCode,
) -> Run:
    """Train by the way that the options and the data call for."""
    if is_one_class(config):
        return train_anomaly(config, directory, frozen_backbone(config, own))
    if config.processes > 1 and config.finetune != "off" and world_size() == 1:
        return launch(config, directory)
    with showing(progress() if is_main() else SILENT):
        plan = prepare(config, directory, own)
        model = fit(plan, on_epoch)
        return finish(plan, model, _cross_validated(plan, model))


def fit(plan: TrainingPlan, on_epoch: Callable[[EpochRow], bool | None] | None) -> TrainedModel:
    """Fit a head on frozen features, or fine-tune the backbone."""
    config, manifest = plan.config, plan.manifest
    if config.prompts is not None:
        backbone, names = from_names(config, manifest.labels)
        return as_trained(frozen_model(config, manifest, backbone, prior=names))
    if plan.network is None:
        choice = chosen_backbone(config, manifest) if config.backbone == AUTO else None
        backbone = choice.backbone if choice is not None else frozen_backbone(config, plan.own)
        if config.pretrain is not None:
            return with_pretraining(config, config.pretrain, manifest, backbone, plan.directory)
        alone = frozen_model(config, manifest, backbone)
        model, unlabelled = with_unlabelled(config, manifest, alone)
        trained = as_trained(model, reading=reading_of(config, manifest))
        trained = replace(trained, unlabelled=unlabelled)
        return trained if choice is None else with_choice(trained, choice)

    def finished(row: EpochRow) -> bool | None:
        plan.tracker.epoch(row.epoch, epoch_figures(row))
        return on_epoch(row) if on_epoch else None

    trained = finetune(config, manifest, plan.network, plan.directory, finished, plan.began, plan.own)
    return replace(trained, baseline=config.teacher)


def _cross_validated(plan: TrainingPlan, model: TrainedModel) -> CrossValidation | None:
    """Judge every image by models that did not see it, if that was asked for."""
    if plan.config.folds is None:
        return None
    readable = plan.manifest.without(model.skipped)
    return cross_validate(plan.config, plan.config.folds, readable, model.backbone)


def frozen_backbone(config: TrainConfig, own: OwnCode = NOTHING_OWN) -> Backbone:
    """Return the backbone whose frozen features are used: an EfficientNet-Lite as it is, others exported."""
    if config.backbone == AUTO:
        raise ConfigError(
            "--backbone auto compares backbones by classes, in a training. This is none of classes. Name a "
            "backbone."
        )
    if not own.front and config.weights is None:
        if config.backbone in NAMES:
            return lite_backbone(config.backbone)
        if (folder := stored_folder(config.backbone)) is not None:
            return load_stored(folder)
    network = load_network(config, own)
    from eyebright.backbones.torch.exported import ExportedBackbone

    return ExportedBackbone(network, exports_folder())


def _directory(config: TrainConfig) -> Path:
    """Make the directory of the run, which must not be the teacher's; a resumed run stays in its own."""
    if config.teacher is not None:
        require_other_directory(config.out, config.teacher)
    source = config.data or config.teacher or Path()  # the options require one
    overwrite = config.overwrite or config.resume is not None
    return new_directory(config.out, "runs", source.resolve().name, overwrite=overwrite)
