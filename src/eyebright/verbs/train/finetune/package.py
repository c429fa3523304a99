"""Package a fine-tuning that has ended: a copy of the model to be sealed, and what is reported of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from eyebright.backbones.card import Preprocessing
from eyebright.backbones.torch.exported import ExportedBackbone
from eyebright.data.decode import load_sample
from eyebright.data.manifest import Sample
from eyebright.evaluation.decisions.operating import Labelled
from eyebright.report.content import TrainingCurves
from eyebright.runs.parity_check import Reference
from eyebright.task.task import ClassificationTask
from eyebright.training.finetune.model.classifier import Classifier
from eyebright.training.finetune.model.lora import merge_adapters
from eyebright.training.finetune.model.predictions import device_of, image_logits
from eyebright.training.finetune.model.timm_weights import timm_weights
from eyebright.training.linear_probe.probe import FrozenModel
from eyebright.training.ood import energy
from eyebright.types import FloatArray, JsonObject
from eyebright.verbs.train import messages as tell
from eyebright.verbs.train.finetune.finetune_setup import FinetuneSetup
from eyebright.verbs.train.finetune.fit import FinetuneResult
from eyebright.verbs.train.finetune.recipe import batch_of
from eyebright.verbs.train.trained_model import TrainedModel


def package(result: FinetuneResult, setup: FinetuneSetup) -> TrainedModel:
    """Return the fine-tuned model, ready to be sealed.

    It is a copy on the CPU, in full float32, in which adapters are merged.

    Args:
        result: what the fine-tuning came to; stays as it is.
        setup: what all fine-tunings of the run share.
    """
    probe, temperature = setup.probe, result.temperature
    task = setup.manifest.task
    model = result.model.copy()
    network, classifier = model.network, model.classifier
    classifier.cpu()
    network.body.cpu()
    if result.plan.options.lora:
        merge_adapters(network.body)
    network.refresh_card()
    network.body.eval()
    return TrainedModel(
        backbone=ExportedBackbone(network, None),
        preprocessing=setup.preprocessing,
        taps=probe.extractor.taps,
        layers=probe.layers,
        head=classifier.linear_head(),
        temperature=temperature,
        engine=f"pytorch {result.fitted.device}",
        skipped=(*probe.skipped, *result.unreadable),
        reference=_reference(classifier, setup.preprocessing, temperature, task),
        chosen=_selected(result, probe),
        candidates=_candidates(result, probe),
        holdout=Labelled(task.probabilities(result.logits, temperature), result.truth, "train"),
        holdout_energy=None if task.multilabel else energy(result.logits / np.float32(temperature)),
        probe_candidates=tell.choices(probe),
        training_curves=_training_curves(result),
        random_weights=not network.pretrained,
        timm_weights=timm_weights(network, result.plan.options.backbone),
        task=task,
    )


def _selected(result: FinetuneResult, probe: FrozenModel) -> JsonObject:
    """Return the settings that were found, for `metrics.json`."""
    plan = result.plan
    return {
        "size": plan.size,
        "layers": probe.layers,
        "finetune": plan.depth,
        "batch": batch_of(plan.options),
        "micro_batch": result.fitted.micro_batch,
        "precision": plan.precision,
        "lr": plan.lr,
        "epoch": result.fitted.best_epoch,
        "weight_interpolation": result.interpolation,
        **({"own_code": names} if (names := plan.own.names()) else {}),
    }


def _candidates(result: FinetuneResult, probe: FrozenModel) -> JsonObject:
    """Return what was compared and what happened, for `metrics.json`."""
    fitted = result.fitted
    return {
        **tell.candidates(probe),
        "notes": fitted.notes,
        "stopped_because": fitted.stopped_because,
        "waited_share": fitted.waited_share,
    }


def _training_curves(result: FinetuneResult) -> TrainingCurves:
    """Return the course of the training, for the report."""
    fitted = result.fitted
    return TrainingCurves(
        history=fitted.history,
        best=fitted.best_epoch,
        stopped_because=tell.stopped(fitted.stopped_because),
        waited=fitted.waited_share,
        notes=fitted.notes,
        search=result.plan.search,
        samples=result.preview,
    )


def _reference(
    net: Classifier, seen: Preprocessing, temperature: float, task: ClassificationTask
) -> Reference:
    """Return the predictions of the network itself, with which the sealed model is compared."""

    def probabilities(root: Path, samples: Sequence[Sample]) -> FloatArray:
        images = (load_sample(root, s, seen.size, seen.interpolation) for s in samples)
        return task.probabilities(image_logits(net, images, device_of(net)), temperature)

    return probabilities
