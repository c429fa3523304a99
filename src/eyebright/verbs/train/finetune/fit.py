"""Train a model as its plan says, and score it on the holdout images."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from eyebright.evaluation.calibration import calibrated_loss
from eyebright.evaluation.intervals import share_of
from eyebright.task.task import task_of
from eyebright.training.finetune.data.class_balance import sample_weights
from eyebright.training.finetune.gain_check import GainCheck
from eyebright.training.finetune.loop import Fitted
from eyebright.training.finetune.loop import fit as run_loop
from eyebright.training.finetune.model.predictions import holdout_logits
from eyebright.training.finetune.model.weight_interpolation import Weights, copy_weights, interpolate
from eyebright.training.finetune.step import Loss
from eyebright.training.finetune.system.distributed import init_group
from eyebright.training.finetune.trainer_state import TrainingRecord
from eyebright.types import FloatArray, IntArray, Interval, JsonObject, Skipped
from eyebright.verbs.train.finetune.dataset import FinetuneDataset
from eyebright.verbs.train.finetune.finetune_setup import FinetuneSetup
from eyebright.verbs.train.finetune.initial_model import FinetuneModel
from eyebright.verbs.train.finetune.plan import FinetunePlan
from eyebright.verbs.train.finetune.recipe import gain_seconds
from eyebright.verbs.train.finetune.trainable import Trainable, ready_to_train


@dataclass(frozen=True)
class HoldoutScore:
    """How well a model does on the holdout images.

    Attributes:
        losses: (N',) log loss of each image at the model's temperature, in nats.
        correct: number of images predicted correctly.
    """

    losses: FloatArray
    correct: int

    @property
    def accuracy(self) -> Interval:
        """Return accuracy with its 95 % interval."""
        return share_of(self.correct, len(self.losses))

    def metrics(self) -> JsonObject:
        """Return the numbers for `metrics.json`."""
        interval = self.accuracy
        return {
            "log_loss": float(self.losses.mean()),
            "accuracy": {"value": interval.value, "low": interval.low, "high": interval.high},
            "images": len(self.losses),
        }


@dataclass(frozen=True, kw_only=True)
class FinetuneResult:
    """The result of one fine-tuning.

    Attributes:
        plan: as it was carried out, with the micro-batch that was found.
        model: with the best weights, on the CPU.
        fitted: what the loop came to.
        interpolation: where the weights lie between those before (0) and the best ones (1).
        temperature: what the logits are divided by, from the holdout images.
        logits: (N', K) of the holdout images.
        truth: (N',) their class numbers, or (N', K) their labels.
        preview: a PNG of augmented images.
        unreadable: images of the training split that were left out.
        earlier_seconds: what earlier parts of a resumed run took.
    """

    plan: FinetunePlan
    model: FinetuneModel
    fitted: Fitted
    interpolation: float
    temperature: float
    logits: FloatArray
    truth: IntArray
    preview: bytes
    unreadable: Sequence[Skipped]
    earlier_seconds: float

    @property
    def score(self) -> HoldoutScore:
        """Return the model on the holdout images."""
        return holdout_score(self.logits, self.truth, self.temperature)


def holdout_score(logits: FloatArray, truth: IntArray, temperature: float) -> HoldoutScore:
    """Return the score of logits (N', K) over ``temperature`` against their truth."""
    task = task_of(truth)
    losses = task.losses(logits / np.float32(temperature), truth)
    return HoldoutScore(losses, int(task.correct(logits, truth).sum()))


def fit(
    plan: FinetunePlan,
    dataset: FinetuneDataset,
    model: FinetuneModel,
    loss: Loss,
    setup: FinetuneSetup,
    seconds: float | None,
) -> FinetuneResult:
    """Train ``model``, which becomes the result's, and is left with the best weights.

    Args:
        plan: with everything resolved.
        dataset: the training data.
        model: to train; must be of use to nobody else.
        loss: of each image.
        setup: what all fine-tunings of the run share.
        seconds: that the training may take; None for as long as it needs.

    Raises:
        EyebrightError: the memory or the disk do not allow it, or the loss became NaN.
    """
    group = init_group(plan.options.device)
    classifier, data = model.classifier, dataset.data
    with ready_to_train(plan, model, dataset.stem, group) as trainable:
        before = copy_weights(classifier)
        began = time.monotonic()
        fitted = _run_loop(plan, dataset, trainable, loss, setup, seconds, before)
        took = time.monotonic() - began
    plan = replace(plan, micro_batch=fitted.micro_batch)
    plan.save(setup.directory)

    def predict() -> tuple[FloatArray, IntArray]:
        """Return logits and truth, the same in all processes, so that these decide alike."""
        logits, truth = holdout_logits(classifier, data, group.device)
        return group.broadcast_array(logits), truth

    with classifier.reading(dataset.stem):
        interpolation = interpolate(classifier, before, lambda: calibrated_loss(*predict()))
        logits, truth = predict()
    classifier.cpu()
    return FinetuneResult(
        plan=plan,
        model=model,
        fitted=fitted,
        interpolation=interpolation,
        temperature=task_of(truth).fit_temperature(logits, truth),
        logits=logits,
        truth=truth,
        preview=dataset.preview,
        unreadable=dataset.unreadable,
        earlier_seconds=max(0.0, fitted.seconds - took),
    )


def _run_loop(
    plan: FinetunePlan,
    dataset: FinetuneDataset,
    trainable: Trainable,
    loss: Loss,
    setup: FinetuneSetup,
    seconds: float | None,
    start: Weights,
) -> Fitted:
    """Run the training loop, which resumes from a checkpoint if the options say so."""

    def begin_epoch(epoch: int, epochs: int) -> None:
        plan.save(setup.directory)
        trainable.begin_epoch(plan, epoch, epochs)

    manifest, within = setup.manifest, gain_seconds(plan.options, plan.depth)
    record = TrainingRecord(
        directory=plan.folder(setup.directory),
        fingerprint={"data": manifest.digest, "classes": len(manifest.labels), "size": plan.size},
        resume=plan.options.resume is not None,
        on_epoch=setup.on_epoch,
    )
    return run_loop(
        trainable.classifier,
        dataset.data,
        plan.recipe(seconds),
        trainable.optimizer(plan),
        loss,
        record,
        sample_weights=sample_weights(plan.options.sampler, dataset.truth, dataset.weights),
        begin_epoch=begin_epoch,
        gain=None if within is None else GainCheck(start, within),
    )
