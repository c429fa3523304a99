"""`distill`: a sealed model teaches a smaller network, which becomes a run like any other."""

from __future__ import annotations

from typing import Any

from eyebright.backbones import catalog
from eyebright.data.table.chosen import ROLES
from eyebright.runs import messages
from eyebright.runs.images import require_classifier
from eyebright.runs.integrity import require_unmodified
from eyebright.runs.run import Run
from eyebright.runs.text_models import require_images_only
from eyebright.runtime.context import stage
from eyebright.sealed.model import SealedModel
from eyebright.verbs.distill.options import DistillConfig
from eyebright.verbs.train.options import TrainConfig, require_single_label
from eyebright.verbs.train.train import train

_AS_THEY_ARE = (
    "weights",
    "data",
    *ROLES,
    "out",
    "overwrite",
    "finetune",
    "size",
    "layers",
    "epochs",
    "budget",
    "patience",
    "batch",
    "augment",
    "precision",
    "device",
    "seed",
    "lang",
)
# Where nothing has been learned yet, nothing can be forgotten.
_RATE_FROM_RANDOM, _LAYER_DECAY_FROM_RANDOM = 1e-3, 1.0


@stage
def distill(config: DistillConfig) -> Run:
    """Train a network on a sealed model's images, from the labels and from the model's predictions.

    It is a training with a teacher, so `eyebright train --resume` resumes one that was interrupted.

    Args:
        config: which teacher, which student.

    Returns:
        The run; `parent` in its `metrics.json` and its report compare the two models.

    Raises:
        NotFoundError: the teacher does not exist.
        ModelError: it is not a sealed model, or was changed after its run.
        ConfigError: there is no such student.
        DataError: the teacher's images are gone, or others than it knows were given.
        MissingExtraError: PyTorch is not installed.
    """
    teacher = SealedModel(config.model)
    require_images_only(teacher, "`eyebright distill`")
    require_classifier(teacher, "eyebright distill")
    require_single_label(teacher.task, "distill")
    require_unmodified(teacher.path)
    catalog.find(config.student)  # before anything is read
    run = train(_training(config))
    messages.say_decisions_dropped(teacher, run.model)
    return run


def _training(config: DistillConfig) -> TrainConfig:
    options: dict[str, Any] = {name: getattr(config, name) for name in _AS_THEY_ARE}
    options |= {
        "backbone": config.student,
        "lr": config.lr,
        "teacher": config.model,
        "teacher_share": config.share,
        "teacher_temperature": config.temperature,
        "teacher_features": config.features,
        "teacher_views": config.views,
    }
    if config.weights == "none":
        options["layer_decay"] = _LAYER_DECAY_FROM_RANDOM
        if config.lr == "auto":
            options["lr"] = _RATE_FROM_RANDOM
    return TrainConfig.build(**options)
