"""`train`: a folder of images becomes a sealed, evaluated model."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from eyebright.backbones import embedded
from eyebright.backbones.backbone import Backbone
from eyebright.backbones.embedded import EmbeddedBackbone
from eyebright.data.manifest import Manifest
from eyebright.data.source import scan
from eyebright.runs import messages as tell
from eyebright.runs.images import manifest_of, require_held_out, with_run_parts
from eyebright.runs.integrity import check_elsewhere
from eyebright.runs.run import Run, new_directory
from eyebright.runtime.context import progress, say, showing, stage, timed
from eyebright.runtime.progress import SILENT
from eyebright.sealed.model import SealedModel
from eyebright.tracking.several import trackers
from eyebright.verbs.evaluate.operating_points import check_wanted
from eyebright.verbs.train.finetune.finetune import exports, finetune, load_network, network_to_finetune
from eyebright.verbs.train.finish import finish
from eyebright.verbs.train.launch import is_main, launch, world_size
from eyebright.verbs.train.linear_probe import as_trained, frozen_model
from eyebright.verbs.train.options import TrainConfig
from eyebright.verbs.train.resume import begin, refuse_other_images, with_earlier
from eyebright.verbs.train.single_label import require_one_label

if TYPE_CHECKING:
    from eyebright.training.finetune.history import EpochRow


@stage
def train(config: TrainConfig, *, on_epoch: Callable[[EpochRow], None] | None = None) -> Run:
    """Trains, seals, evaluates and proves a model.

    Args:
        config: what to train on and how.
        on_epoch: is told each epoch of fine-tuning; what it raises ends the training and comes through.

    Returns:
        The run directory with `model.onnx`, `metrics.json`, `predictions.csv`, `report.html`,
        `manifest.parquet` and `config.toml`; of fine-tuning also `history.csv` and `checkpoints/`.

    Raises:
        EyebrightError: the data, an option or the disk does not allow it.
    """
    began = time.monotonic()
    config = with_earlier(config)
    if config.teacher is not None:
        check_elsewhere(config.out, config.teacher)
    source = config.data or config.teacher or Path()  # the options see to it that there is one
    directory = new_directory(config.out, "runs", source.resolve().name)
    if config.processes > 1 and config.finetune != "off" and world_size() == 1:
        return launch(config, directory)
    with showing(progress() if is_main() else SILENT):
        return _train(config, directory, on_epoch, began)


def _train(
    config: TrainConfig, directory: Path, on_epoch: Callable[[EpochRow], None] | None, began: float
) -> Run:
    """Do in this process all that a training is made of."""
    with timed("scan"):
        manifest = _images(config)
    tell.found(manifest)
    several = manifest.several is not None
    require_one_label(several and config.teacher is not None, "--teacher")
    check_wanted(config, manifest)
    refuse_other_images(config, manifest, directory)
    if config.finetune == "off":
        _say_idle(config)
        model = frozen_model(config, manifest, frozen_backbone(config))
        return finish(config, manifest, as_trained(model), directory)
    network = network_to_finetune(config, several)
    if is_main():
        begin(config, manifest, directory)
    tracked = trackers(config.track if is_main() else [], directory)
    tracked.start(directory.name, config.model_dump(mode="json"))

    def told(row: EpochRow) -> None:
        tracked.epoch(row.epoch, tell.epoch_figures(row))
        if on_epoch:
            on_epoch(row)

    trained = finetune(config, manifest, network, directory, told, began)
    trained = replace(trained, parent=config.teacher)
    if not is_main():
        return Run(directory, directory / "model.onnx")
    run = finish(config, manifest, trained, directory)
    tracked.finish({name: run.metrics[name]["value"] for name in ("accuracy", "log_loss", "ece")})
    return run


def _images(config: TrainConfig) -> Manifest:
    """The data; a teacher's training images must not be among those that its pupil is judged by."""
    teacher = None if config.teacher is None else SealedModel(config.teacher)
    if teacher is not None and config.data is None:
        return manifest_of(teacher, None, config.seed)
    found = scan(config.data or Path(), val=config.val, test=config.test, seed=config.seed)
    if teacher is None:
        return found
    found = with_run_parts(found, teacher)
    require_held_out(found)
    return found


def frozen_backbone(config: TrainConfig) -> Backbone:
    """The network whose frozen features are used: the embedded one as it is, any other exported."""
    if config.backbone == embedded.NAME and config.weights is None:
        return EmbeddedBackbone()
    network = load_network(config)
    from eyebright.backbones.torch.exported import ExportedBackbone

    return ExportedBackbone(network, exports())


def _say_idle(config: TrainConfig) -> None:
    if idle := config.idle():
        names = ", ".join(f"--{name.replace('_', '-')}" for name in idle)
        say("Ignored because the backbone is frozen (--finetune off): {names}.", names=names)
