"""Training a head on frozen features: from options to a classifier that can be sealed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from eyebright.backbones.backbone import Backbone
from eyebright.data.manifest import Manifest, Sample
from eyebright.evaluation.decisions.operating import Labelled
from eyebright.runtime.progress import SILENT
from eyebright.task.task import task_of
from eyebright.training.cache.store import default_folder
from eyebright.training.linear_probe.probe import FrozenModel, FrozenTrainer
from eyebright.training.ood import energy
from eyebright.types import FloatArray
from eyebright.verbs.train import messages
from eyebright.verbs.train.options import TrainConfig
from eyebright.verbs.train.trained_model import TrainedModel


def frozen_model(config: TrainConfig, manifest: Manifest, backbone: Backbone) -> FrozenModel:
    """Select feature layers and solve a head on frozen features of the training split of ``manifest``."""
    trainer = FrozenTrainer(
        manifest, backbone, default_folder(), views=config.views, layers=config.layers, seed=config.seed
    )
    model = trainer.train(None if config.size == "auto" else config.size)
    # Before fine-tuning the head is only a start, and says nothing about what more images would give.
    requested = config.curve and config.finetune == "off"
    return replace(model, curve=trainer.curve(model)) if requested else model


def as_trained(model: FrozenModel) -> TrainedModel:
    """Calibrate the head, and return the classifier with all that is reported of it."""
    task = task_of(model.truth)
    temperature = task.fit_temperature(model.fit.held_out, model.truth)
    extractor = model.extractor
    return TrainedModel(
        backbone=extractor.backbone,
        preprocessing=extractor.preprocessing,
        taps=extractor.taps,
        layers=model.layers,
        head=model.fit.head,
        temperature=temperature,
        engine=model.trials[0].name,
        skipped=model.skipped,
        curve=model.curve,
        reference=lambda root, samples: probabilities(model, temperature, root, samples),
        chosen={
            "size": extractor.preprocessing.size,
            "layers": model.layers,
            "l2": model.fit.l2,
            "discriminant_share": model.fit.discriminant_share,
        },
        candidates=messages.candidates(model),
        holdout_energy=None if task.multilabel else energy(model.fit.held_out / np.float32(temperature)),
        rows=lambda samples: extractor.read(samples, extractor.taps),
        holdout=Labelled(task.probabilities(model.fit.held_out, temperature), model.truth, "train"),
        probe_candidates=messages.choices(model),
        task=task,
    )


def probabilities(
    model: FrozenModel, temperature: float, root: Path, samples: Sequence[Sample]
) -> FloatArray:
    """Return probabilities (N, K) of the training pipeline: Pillow's resize, its engine, the head."""
    with SILENT.task("", total=len(samples)) as task:
        model.extractor.compute(root, samples, task)
    rows = model.extractor.read(samples, model.extractor.taps)
    return task_of(model.truth).probabilities(model.fit.head.logits(rows), temperature)
