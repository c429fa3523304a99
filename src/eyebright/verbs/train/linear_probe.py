"""Training on frozen features, for the stages: from options to a classifier that can be sealed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from eyebright.backbones.backbone import Backbone
from eyebright.data.manifest import Manifest, Sample
from eyebright.evaluation.calibration import calibrated, fit_temperature
from eyebright.evaluation.decisions.operating import Labelled
from eyebright.runs import messages as tell
from eyebright.runtime.progress import SILENT
from eyebright.training.cache.store import default_folder
from eyebright.training.linear_probe.probe import FrozenModel, FrozenTrainer
from eyebright.training.ood import energy
from eyebright.types import FloatArray
from eyebright.verbs.train.options import TrainConfig
from eyebright.verbs.train.trained_model import Trained


def frozen_model(config: TrainConfig, manifest: Manifest, backbone: Backbone) -> FrozenModel:
    """A head on frozen features, chosen and solved on the training part of ``manifest``."""
    trainer = FrozenTrainer(
        manifest, backbone, default_folder(), views=config.views, layers=config.layers, seed=config.seed
    )
    model = trainer.train(None if config.size == "auto" else config.size)
    # Before fine-tuning the head is a beginning, and tells nothing of what more images would give.
    asked = config.curve and config.finetune == "off"
    return replace(model, curve=trainer.curve(model)) if asked else model


def as_trained(model: FrozenModel) -> Trained:
    """The model with its temperature, and what is told of it in ``lang``."""
    temperature = fit_temperature(model.fit.held_out, model.truth)
    several = model.truth.ndim == 2
    extractor = model.extractor
    return Trained(
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
        tried=tell.tried(model),
        held_out_energy=None if several else energy(model.fit.held_out / np.float32(temperature)),
        rows=lambda samples: extractor.read(samples, extractor.taps),
        held_out=Labelled(calibrated(model.fit.held_out, temperature, several), model.truth, "train"),
        choices=tell.choices(model),
        several=several,
    )


def probabilities(
    model: FrozenModel, temperature: float, root: Path, samples: Sequence[Sample]
) -> FloatArray:
    """Probabilities (N, K) by the way that training took: Pillow's resize, the chosen engine, the head."""
    with SILENT.task("", total=len(samples)) as task:
        model.extractor.compute(root, samples, task)
    rows = model.extractor.read(samples, model.extractor.taps)
    return calibrated(model.fit.head.logits(rows), temperature, model.truth.ndim == 2)
