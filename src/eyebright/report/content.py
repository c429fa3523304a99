"""What the report page is made of: figures and choices that earlier stages have already computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from eyebright.data.manifest import Manifest
from eyebright.evaluation.decisions.costs import CostFigures
from eyebright.evaluation.decisions.curves import OperatingCurve
from eyebright.evaluation.forecast import DataCurve
from eyebright.evaluation.multiclass.results import Metrics, PredictionRow
from eyebright.evaluation.robustness import Stressed
from eyebright.evaluation.slices import Slice
from eyebright.evaluation.uncertainty.results import Knowing
from eyebright.sealed.parity import Parity
from eyebright.training.finetune.history import EpochRow
from eyebright.types import FloatArray, Interval, Split


@dataclass(frozen=True)
class Choice:
    """One way that was tried, with its accuracy by cross-validation inside the training part."""

    name: str
    accuracy: Interval
    chosen: bool


@dataclass(frozen=True)
class RateSearch:
    """What the learning-rate finder saw: the loss at each rate, and the rate that it proposes."""

    rates: Sequence[float]
    losses: Sequence[float]
    proposed: float


@dataclass(frozen=True, kw_only=True)
class Learning:
    """How the backbone was trained.

    Attributes:
        history: a row an epoch; a figure that is NaN throughout has no chart.
        best: the epoch whose weights were kept.
        stopped_because: a sentence in the page's language.
        notes: further sentences, about what happened on the way.
        waited: share of the time in which the device waited for images.
        search: of the learning rate, where there was one.
        samples: a PNG of training images as augmentation shows them.
    """

    history: Sequence[EpochRow] = ()
    best: int | None = None
    stopped_because: str = ""
    notes: Sequence[str] = ()
    waited: float | None = None
    search: RateSearch | None = None
    samples: bytes = b""


@dataclass(frozen=True, kw_only=True)
class BesideParent:
    """A model beside the one that it learned from or was made from, on the same images and machine.

    Attributes:
        parent: where that one lies.
        parent_sha256: of its file.
        split, images: the part that both were asked about, and how many images that was.
        accuracy, accuracy_parent: fractions.
        accuracy_difference: the model's less the parent's, paired.
        size_bytes, size_bytes_parent: of the sealed files.
        latency_ms, latency_ms_parent: of one image with one thread; medians of runs in turn.
    """

    parent: str
    parent_sha256: str
    split: Split
    images: int
    accuracy: float
    accuracy_parent: float
    accuracy_difference: Interval
    size_bytes: int
    size_bytes_parent: int
    latency_ms: float
    latency_ms_parent: float


@dataclass(frozen=True, kw_only=True)
class FeatureMap:
    """Images laid out by their features.

    Attributes:
        rows: n answers.
        points: (n, 2) between 0 and 1, from the left and from the top.
        method: how they were found.
        count: images of the part, of which these were chosen.
    """

    rows: Sequence[PredictionRow]
    points: FloatArray
    method: Literal["t-SNE", "PCA"]
    count: int


@dataclass(frozen=True, kw_only=True)
class ReportContent:
    """Everything the page shows; a section whose content is empty or None does not appear.

    Attributes:
        title: the page's heading.
        manifest: the samples; images lie on disk at ``manifest.root / sample.path``.
        metrics: figures of the judged part, whose predictions are the ``rows`` of the same split.
        rows: the sealed model's answers; rows of other splits are passed over.
        engine, backbone, layers: shown as they are.
        size: the model's input side in pixels.
        command: the command line that made the run.
        ece_before: calibration error before temperature scaling, a fraction.
        temperature: what the logits were divided by.
        choices: input sizes, layers and so on that were compared.
        tunings: how much of the network learned, where that was compared; judged on held-out training images.
        reasons: sentences in the page's language that say why the one was tried, or chosen, and another not.
        learning: how the backbone was trained, where it was.
        parent: the model beside the one that it learned from.
        tunable: whether the backbone is still as it came, so that fine-tuning may help.
        licence: of the weights; empty where it is not known.
        random_weights: whether the backbone started without having learned anything.
        parity: the sealed model's proof.
        decided: operating points with their curves.
        cost: what mistakes cost, where costs were given.
        slices: how good the model is by how images look and where they come from.
        curve: how accuracy grows with the number of training images, where that was asked for.
        stressed: how it bears worse images and parts of images, where it was asked about them.
        map: the images by their features.
        heat: of the surest mistakes, by path: data URIs of pictures with the named class's heat map.
        knowing: strange images and sets of classes, where the model tells.
        seconds: by stage, in order; a key ``total`` is the whole.
        facts: free names and values, shown as they are, in order.
    """

    title: str
    manifest: Manifest
    metrics: Metrics
    rows: Sequence[PredictionRow]
    engine: str
    backbone: str
    size: int
    layers: str
    command: str
    ece_before: float | None = None
    temperature: float | None = None
    choices: Sequence[Choice] = ()
    tunings: Sequence[Choice] = ()
    reasons: Sequence[str] = ()
    learning: Learning | None = None
    tunable: bool = False
    licence: str = ""
    random_weights: bool = False
    parent: BesideParent | None = None
    parity: Parity | None = None
    decided: Sequence[OperatingCurve] = ()
    cost: CostFigures | None = None
    slices: Sequence[Slice] = ()
    curve: DataCurve | None = None
    stressed: Stressed | None = None
    map: FeatureMap | None = None
    heat: Mapping[str, str] = field(default_factory=dict)
    knowing: Knowing | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def judged(self) -> list[PredictionRow]:
        """The rows that the metrics are of."""
        return [row for row in self.rows if row.split == self.metrics.split]
