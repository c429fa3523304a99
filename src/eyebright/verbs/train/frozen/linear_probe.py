"""Training a head on frozen features: from options to a classifier that can be sealed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from eyebright.backbones.backbone import Backbone
from eyebright.cluster.choose import cluster_in_use
from eyebright.data.manifest import Manifest, Sample
from eyebright.evaluation.decisions.operating import Labelled
from eyebright.runtime.progress import SILENT
from eyebright.task.task import task_of
from eyebright.training.cache.store import default_folder
from eyebright.training.linear_probe.linear import LinearHead
from eyebright.training.linear_probe.probe import (
    EarlierSelection,
    FrozenModel,
    FrozenTrainer,
    OnFeatures,
)
from eyebright.training.ood import energy
from eyebright.types import FloatArray, IntArray
from eyebright.verbs.train import messages
from eyebright.verbs.train.frozen.texts import ReadTexts, TextReading, read_texts
from eyebright.verbs.train.options import TrainConfig
from eyebright.verbs.train.trained_model import TrainedModel


def frozen_model(
    config: TrainConfig,
    manifest: Manifest,
    backbone: Backbone,
    earlier: EarlierSelection | None = None,
    on_features: OnFeatures | None = None,
    prior: LinearHead | None = None,
) -> FrozenModel:
    """Select feature layers and solve a head on frozen features of the training split of ``manifest``.

    Args:
        config: the options.
        manifest: all samples.
        backbone: whose features the head is solved on.
        earlier: what an earlier training selected, and is not selected again.
        on_features: is called before the head is solved.
        prior: a head on the backbone's last layer, to which the head is drawn.
    """
    trainer = FrozenTrainer(
        manifest,
        backbone,
        default_folder(),
        views=_views(config),
        layers=config.layers,
        seed=config.seed,
        earlier=earlier,
        prior=prior,
        mixed=_only_the_head(config),
    )
    model = trainer.train(None if config.size == "auto" else config.size, on_features)
    # Before fine-tuning the head is only a start, and says nothing about what more images would give.
    requested = config.curve and config.finetune == "off"
    return replace(model, curve=trainer.curve(model)) if requested else model


def _views(config: TrainConfig) -> int | None:
    """Return how many views to learn from; None to choose them."""
    if config.views != "auto":
        return config.views
    # What else learns from the images takes them as they are.
    single = config.unlabelled is not None or config.prompts is not None or config.finetune != "off"
    return 1 if single or config.pretrain is not None else None


def _only_the_head(config: TrainConfig) -> bool:
    """Return whether nothing but the head learns from the features, and one machine computes them."""
    others = config.unlabelled is not None or config.prompts is not None or config.pretrain is not None
    return config.finetune == "off" and not others and cluster_in_use() is None


@dataclass(frozen=True)
class HeldOut:
    """Logits (N, K) of images that neither head nor backbone learned from, and the images' truth."""

    logits: FloatArray
    truth: IntArray


def as_trained(
    model: FrozenModel, unlearned: HeldOut | None = None, reading: TextReading | None = None
) -> TrainedModel:
    """Calibrate the head, and return the classifier with all that is reported of it.

    Args:
        model: the solved head.
        unlearned: images to calibrate on where the backbone was fine-tuned on the training split, whose
            features then say nothing of other images.
        reading: how texts beside the images are read; None where they are not.
    """
    held_out = unlearned or HeldOut(model.fit.held_out, model.truth)
    task = task_of(model.truth)
    temperature = task.fit_temperature(held_out.logits, held_out.truth)
    extractor = model.extractor
    text = None
    if reading is not None:
        text = read_texts(reading, model, held_out.logits / np.float32(temperature))
    fused = held_out.logits / np.float32(temperature) if text is None else text.fit.held_out
    return TrainedModel(
        backbone=extractor.backbone,
        preprocessing=extractor.preprocessing,
        taps=extractor.taps,
        layers=model.layers,
        head=model.fit.head,
        temperature=temperature,
        engine=extractor.engine,
        skipped=model.skipped,
        curve=model.curve,
        reference=lambda root, samples: probabilities(model, temperature, text, root, samples),
        chosen={
            "size": extractor.preprocessing.size,
            "layers": model.layers,
            **({} if model.views == 1 else {"views": model.views}),
            "l2": model.fit.l2,
            "discriminant_share": model.fit.discriminant_share,
            **({} if text is None else {"text": text.chosen()}),
            **({} if model.fit.prior_scale is None else {"prompts_scale": model.fit.prior_scale}),
        },
        candidates=messages.candidates(model) | ({} if text is None else {"texts": text.candidates()}),
        holdout_energy=None if task.multilabel else energy(held_out.logits / np.float32(temperature)),
        rows=None if unlearned else lambda samples: extractor.read(samples, extractor.taps),
        text=text,
        holdout=Labelled(task.probabilities(fused), held_out.truth, "train"),
        probe_candidates=messages.choices(model),
        reasons=messages.next_steps(model.sizes),
        task=task,
    )


def probabilities(
    model: FrozenModel, temperature: float, text: ReadTexts | None, root: Path, samples: Sequence[Sample]
) -> FloatArray:
    """Return probabilities (N, K) of the training pipeline: Pillow's resize, its engine, the heads.

    In float32 as the sealed model: what lower precision moves was measured when the head was solved.
    """
    extractor = model.extractor if model.extractor.exact else model.extractor.in_float32()
    with SILENT.task("", total=len(samples)) as task:
        extractor.compute(root, samples, task)
    rows = extractor.read(samples, extractor.taps)
    logits = model.fit.head.logits(rows) / np.float32(temperature)
    if text is not None:
        logits = text.fit.head.fused(logits, [sample.text for sample in samples])
    return task_of(model.truth).probabilities(logits)
