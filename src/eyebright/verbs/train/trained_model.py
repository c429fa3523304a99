"""A trained classifier: what every way of training hands over to be sealed and evaluated."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from eyebright.backbones.backbone import Backbone
from eyebright.backbones.card import Preprocessing
from eyebright.backbones.feature_layers import FeatureLayer
from eyebright.data.manifest import Sample
from eyebright.evaluation.decisions.operating import Labelled
from eyebright.few_labels.unlabelled import UnlabelledOutcome
from eyebright.report.content import Choice, FinetuneOutcome, PretrainOutcome, TrainingCurves
from eyebright.runs.parity_check import Reference
from eyebright.task.task import ClassificationTask, MultiClass
from eyebright.training.cache.store import Rows
from eyebright.training.linear_probe.learning_curve import CurvePoint
from eyebright.training.linear_probe.linear import LinearHead
from eyebright.types import FloatArray, Json, Skipped
from eyebright.verbs.train.frozen.texts import ReadTexts

#: Features (N, D) of training images that the backbone did not learn from.
FeatureRows: TypeAlias = Callable[[Sequence[Sample]], Rows]


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    """A trained classifier.

    Attributes:
        backbone: with the weights that it has now.
        preprocessing: of its images.
        taps: the feature layers that the head stands on.
        layers: their name.
        head: on the raw features.
        temperature: what the logits are divided by, from holdout images.
        engine: that training computed with.
        skipped: images of the training split that could not be read.
        reference: the training pipeline, with which the sealed model is compared.
        chosen: the selected settings, for `metrics.json`.
        candidates: what they were selected from, for `metrics.json`.
        holdout: predictions for training images that it did not learn from, by which thresholds are chosen.
        holdout_energy: (n,) of such images' logits over the temperature.
        rows: features of training images, where the backbone stayed as it was.
        text: the head that reads texts beside the images, where there is one.
        probe_candidates: the candidates as the report shows them.
        baseline: the sealed model that it learned from, which it is then compared with.
        earlier: the sealed model that it is an update of.
        timm_weights: a fine-tuned backbone as timm's `create_model` loads it; None where timm cannot.
        task: multi-class or multi-label.
        curve: the accuracy of heads of fewer images.
        finetuning: what fine-tuning changed against the frozen backbone.
        unlabelled: what unlabelled images brought, where there were some.
        pretraining: what pretraining on unlabelled images changed against the backbone as it was.
        finetune_candidates, reasons, training_curves, random_weights: of fine-tuning, for the report.
    """

    backbone: Backbone
    preprocessing: Preprocessing
    taps: Sequence[FeatureLayer]
    layers: str
    head: LinearHead
    temperature: float
    engine: str
    skipped: Sequence[Skipped]
    reference: Reference
    chosen: Mapping[str, Json]
    candidates: Mapping[str, Json]
    holdout: Labelled | None = None
    holdout_energy: FloatArray | None = None
    rows: FeatureRows | None = None
    text: ReadTexts | None = None
    probe_candidates: Sequence[Choice] = ()
    finetune_candidates: Sequence[Choice] = ()
    reasons: Sequence[str] = ()
    finetuning: FinetuneOutcome | None = None
    unlabelled: UnlabelledOutcome | None = None
    pretraining: PretrainOutcome | None = None
    training_curves: TrainingCurves | None = None
    random_weights: bool = False
    timm_weights: bytes | None = None
    baseline: Path | None = None
    earlier: Path | None = None
    task: ClassificationTask = field(default_factory=MultiClass)
    curve: Sequence[CurvePoint] = ()
