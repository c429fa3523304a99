"""What every way of training hands over: a classifier that can be sealed, and what is to be told of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from eyebright.backbones.backbone import Backbone
from eyebright.backbones.card import Preprocessing
from eyebright.backbones.feature_layers import Tap
from eyebright.data.manifest import Sample
from eyebright.evaluation.decisions.operating import Labelled
from eyebright.report.content import Choice, TrainingCurves
from eyebright.training.cache.store import Rows
from eyebright.training.linear_probe.learning_curve import CurvePoint
from eyebright.training.linear_probe.linear import LinearHead
from eyebright.types import FloatArray, Skipped

#: Features (N, D) of training images that the backbone did not learn from.
FeatureRows: TypeAlias = Callable[[Sequence[Sample]], Rows]
#: Probabilities (N, K) of samples under a root, by the way that training took.
Reference: TypeAlias = Callable[[Path, Sequence[Sample]], FloatArray]


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A trained classifier.

    Attributes:
        backbone: with the weights that it has now.
        preprocessing: of its images.
        taps: its features, on which the head stands.
        layers: what these are called.
        head: on the raw features.
        temperature: what the logits are divided by, from held-out images.
        engine: that training computed with.
        skipped: images of the training part that could not be read.
        reference: the training pipeline, with which the sealed model is compared.
        chosen: settings that were found, for `metrics.json`.
        tried: what was compared, for `metrics.json`.
        held_out: answers for training images that it did not learn from, by which thresholds are chosen.
        held_out_energy: (n,) of such images' logits over the temperature.
        rows: features of training images, where the backbone stayed as it was.
        choices: the same for the report.
        parent: the sealed model that it learned from or was made from, which it is then compared with.
        several: whether an image may have several labels.
        curve: how good heads of fewer images are.
        tunings, reasons, learning, random_weights: of fine-tuning, as the report shows them.
    """

    backbone: Backbone
    preprocessing: Preprocessing
    taps: Sequence[Tap]
    layers: str
    head: LinearHead
    temperature: float
    engine: str
    skipped: Sequence[Skipped]
    reference: Reference
    chosen: Mapping[str, Any]
    tried: Mapping[str, Any]
    held_out: Labelled | None = None
    held_out_energy: FloatArray | None = None
    rows: FeatureRows | None = None
    choices: Sequence[Choice] = ()
    tunings: Sequence[Choice] = ()
    reasons: Sequence[str] = ()
    learning: TrainingCurves | None = None
    random_weights: bool = field(default=False)
    parent: Path | None = None
    several: bool = False
    curve: Sequence[CurvePoint] = ()
