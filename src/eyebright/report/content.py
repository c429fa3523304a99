"""What the report page is made of: figures and choices that earlier stages have already computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal, cast

from eyebright.auditing.data_checks import DataChecks
from eyebright.data.manifest import Manifest
from eyebright.evaluation.decisions.costs import CostFigures
from eyebright.evaluation.decisions.curves import OperatingCurve
from eyebright.evaluation.forecast import LearningCurve
from eyebright.evaluation.group_figures import GroupResults
from eyebright.evaluation.measure import Majority, majority_of
from eyebright.evaluation.modalities import Modalities
from eyebright.evaluation.multiclass.results import Metrics, PredictionRow
from eyebright.evaluation.robustness import RobustnessResult
from eyebright.evaluation.slices import Slice
from eyebright.evaluation.text_leak import TextLeak
from eyebright.evaluation.uncertainty.results import Uncertainty
from eyebright.few_labels.unlabelled import UnlabelledOutcome
from eyebright.report.anomaly.outcome import AnomalyOutcome
from eyebright.report.metrics_content import MetricsContent
from eyebright.report.update_content import UpdateOutcome
from eyebright.runtime.compact.rows import kept, values
from eyebright.sealed.parity import Parity
from eyebright.training.finetune.history import EpochRow
from eyebright.types import FloatArray, Interval, JsonObject, Split


@dataclass(frozen=True)
class Choice:
    """A compared candidate with its accuracy by cross-validation within the training split.

    ``excess`` is by how much its log loss is above the selected one's on the same images, with the standard
    ``error`` of that; None where that is not known.
    """

    name: str
    accuracy: Interval
    chosen: bool
    excess: float | None = None
    error: float | None = None


@dataclass(frozen=True)
class RateSearch:
    """A learning-rate range test: the loss at each rate, and the suggested rate."""

    rates: Sequence[float]
    losses: Sequence[float]
    proposed: float


@dataclass(frozen=True, kw_only=True)
class TrainingCurves:
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
class FinetuneOutcome:
    """What fine-tuning changed against the frozen backbone, on images that are not reported.

    Attributes:
        depth: how much was fine-tuned: "last" or "full"; of both, that with the lower loss.
        kept: what was kept: "off" for the frozen backbone, else ``depth``.
        gained: whether the loss is lower by more than one standard error.
        images: holdout images that both were compared on.
        log_loss_change: of fine-tuning less the frozen backbone, in nats.
        accuracy, accuracy_before: of fine-tuning and of the frozen backbone, fractions.
    """

    depth: str
    kept: str
    gained: bool
    images: int
    log_loss_change: float
    accuracy: float
    accuracy_before: float


@dataclass(frozen=True, kw_only=True)
class PretrainOutcome:
    """What pretraining on unlabelled images changed, on held-out folds of the training images.

    Attributes:
        epochs: whose backbone was compared; 0 where pretraining left none.
        images: that both backbones were compared on.
        gain: in accuracy, a fraction.
        log_loss: of the pretrained backbone less that of the original, in nats.
        kept: whether the pretrained one was kept.
    """

    epochs: int
    images: int
    gain: Interval
    log_loss: Interval
    kept: bool


@dataclass(frozen=True, kw_only=True)
class BaselineComparison:
    """A model compared with its teacher or the original it was made from, on the same images and machine.

    Attributes:
        baseline: path of the teacher or original.
        baseline_sha256: of its file.
        split, images: the split that both were run on, and its number of images.
        accuracy, accuracy_baseline: fractions.
        accuracy_difference: the model's minus the baseline's, paired.
        size_bytes, size_bytes_baseline: of the sealed files.
        latency_ms, latency_ms_baseline: of one image on one thread; medians of alternating runs.
    """

    baseline: str
    baseline_sha256: str
    split: Split
    images: int
    accuracy: float
    accuracy_baseline: float
    accuracy_difference: Interval
    size_bytes: int
    size_bytes_baseline: int
    latency_ms: float
    latency_ms_baseline: float


@dataclass(frozen=True, kw_only=True)
class EmbeddingMap:
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
        metrics: figures of the evaluated part, whose predictions are the ``rows`` of the same split.
        rows: the sealed model's answers; rows of other splits are passed over.
        engine, backbone, layers: shown as they are.
        size: the model's input side in pixels.
        command: the command line that made the run.
        ece_before: calibration error before temperature scaling, a fraction.
        temperature: what the logits were divided by.
        probe_candidates: input sizes, layers and so on that were compared.
        finetune_candidates: how much of the backbone was fine-tuned, if that was compared on holdout images.
        reasons: sentences in the page's language that say why the one was tried, or chosen, and another not.
        training_curves: how the backbone was fine-tuned, where it was.
        baseline: the comparison with the teacher or original.
        answers: whether the model gives its answer, as all do but those of earlier versions.
        tunable: whether the backbone is still as it came, so that fine-tuning may help.
        licence: of the weights; empty where it is not known.
        random_weights: whether the backbone started without having learned anything.
        for_timm: whether the backbone's weights lie beside the model, as timm loads them.
        parity: the sealed model's parity check.
        operating_curves: operating points with their curves.
        contested: evaluated images that reach the thresholds of several classes.
        cost: what mistakes cost, where costs were given.
        slices: how good the model is by how images look and where they come from.
        learning_curve: accuracy against the number of training images, where it was measured.
        robustness: accuracy on corrupted images and on parts of images, where it was measured.
        embedding_map: the images laid out by their features.
        heatmaps: of the most confident mistakes, by path: data URIs of images with the predicted class's
            heat map.
        uncertainty: OOD scores and prediction sets, where the model has them.
        groups: how patients, lots or products are found, where images come in such groups.
        finetuning: what fine-tuning changed, where it was compared.
        unlabelled: what unlabelled images brought, where there were some.
        data_checks: what a training found in its data.
        update: what an update changed about the run that it began with.
        anomaly: what a training on good images alone found.
        modalities: what image and text each tell, of a model that reads texts.
        text_leak: what texts give away of the class.
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
    probe_candidates: Sequence[Choice] = ()
    finetune_candidates: Sequence[Choice] = ()
    reasons: Sequence[str] = ()
    training_curves: TrainingCurves | None = None
    answers: bool = True
    tunable: bool = False
    licence: str = ""
    random_weights: bool = False
    for_timm: bool = False
    baseline: BaselineComparison | None = None
    parity: Parity | None = None
    operating_curves: Sequence[OperatingCurve] = ()
    contested: int = 0
    cost: CostFigures | None = None
    slices: Sequence[Slice] = ()
    learning_curve: LearningCurve | None = None
    robustness: RobustnessResult | None = None
    embedding_map: EmbeddingMap | None = None
    heatmaps: Mapping[str, str] = field(default_factory=dict)
    uncertainty: Uncertainty | None = None
    groups: GroupResults | None = None
    finetuning: FinetuneOutcome | None = None
    unlabelled: UnlabelledOutcome | None = None
    data_checks: DataChecks | None = None
    update: UpdateOutcome | None = None
    anomaly: AnomalyOutcome | None = None
    modalities: Modalities | None = None
    text_leak: TextLeak | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def evaluated(self) -> Sequence[PredictionRow]:
        """Return the rows of the evaluated split."""
        return kept(self.rows, (split == self.metrics.split for split in values(self.rows, "split")))

    @property
    def majority(self) -> Majority:
        """Return the most frequent class of the evaluated split."""
        return majority_of([row.label for row in self.evaluated])

    def claimed(self) -> MetricsContent:
        """Return what claims are made of, as `metrics.json` holds it."""
        found: JsonObject = {
            "accuracy": asdict(self.metrics.accuracy),
            "majority": asdict(self.majority),
            **({} if self.manifest.facts is None else {"splitting": self.manifest.facts.to_json()}),
            "operating_points": [curve.point.to_json() for curve in self.operating_curves],
            **({} if self.uncertainty is None else self.uncertainty.to_json()),
            **({} if self.robustness is None else self.robustness.to_json()),
            **({} if self.finetuning is None else {"finetuning": asdict(self.finetuning)}),
            **({} if self.data_checks is None else {"data_checks": self.data_checks.to_json()}),
            **({} if self.anomaly is None else {"anomaly": self.anomaly.to_json()}),
        }
        return cast("MetricsContent", found)
