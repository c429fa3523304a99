"""The evaluation of a sealed model, the same for every verb: predictions, and all that follows from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from eyebright.data.manifest import FOLDS, Manifest
from eyebright.evaluation.calibration import uncalibrated_error
from eyebright.evaluation.group_figures import GroupResults
from eyebright.evaluation.modalities import Modalities
from eyebright.evaluation.multiclass.results import Metrics
from eyebright.evaluation.multilabel.results import LabelMetrics
from eyebright.evaluation.robustness import RobustnessResult
from eyebright.evaluation.slices import Slice
from eyebright.evaluation.text_leak import ClassWords, TextLeak
from eyebright.evaluation.uncertainty.results import Uncertainty
from eyebright.explaining.projection import Method
from eyebright.report.card import model_card
from eyebright.report.content import BaselineComparison, EmbeddingMap, ReportContent
from eyebright.report.page import write_report
from eyebright.runs.baseline import compare_with_baseline
from eyebright.runs.heatmaps import explain_predictions
from eyebright.runs.metrics import MetricsFile, versions
from eyebright.runs.modalities import (
    AloneAnswers,
    answer_alone,
    measure_leak,
    measure_leak_of_evaluated,
    measure_modalities,
)
from eyebright.runs.operating_points import OperatingPoints, decided, say_unmet
from eyebright.runs.overwrite import remove_other_exports
from eyebright.runs.parity_check import Reference, check_answers, check_parity
from eyebright.runs.predictions_csv import write_predictions
from eyebright.runs.rules import Rules
from eyebright.runs.scoring import Predictions, predict_samples
from eyebright.runs.slices import ColumnsFile, find_slices
from eyebright.runtime.atomic import write_text
from eyebright.runtime.compact.rows import chained
from eyebright.runtime.compact.table import rows_at
from eyebright.runtime.context import timed, watch
from eyebright.sealed.image_statistics import ImageStatistics
from eyebright.sealed.model import SealedModel, UnwrittenModel
from eyebright.sealed.parity import Parity
from eyebright.training.cache.store import default_folder
from eyebright.training.text.fusion import TextHead
from eyebright.types import Json, JsonObject, Skipped, Split

#: The engine that sealed models run on.
ENGINE = "onnxruntime float32"


@dataclass(frozen=True, kw_only=True)
class EvaluationPlan:
    """What to evaluate a model on, and what to compare it with.

    Attributes:
        manifest: of the images.
        split: the evaluated one, whose metrics count.
        predicted: the splits that the model is run on; rules may be chosen on others than ``split``.
        seed: of the bootstrap, and of the choice of what is shown.
        rules: how operating points and uncertainty rules are found.
        skipped: images that a training could not read.
        reference: the training pipeline, for the parity check of a model that was trained here.
        baseline: the teacher or original to compare with.
        columns: a file of further properties to slice the metrics by.
        cross_validated: what models of folds predict for images that they did not learn from, in place of
            the model's own predictions.
        layout: of the embedding map.
        alone: what models of folds answer to images alone and to texts alone.
        class_words: words of training texts that are spelled like names of classes; None where it is not
            known what a model learned from, and the evaluated texts are searched instead.
        masked: a text head that never saw these words.
    """

    manifest: Manifest
    split: Split
    predicted: Sequence[Split]
    seed: int
    rules: Rules
    skipped: Sequence[Skipped] = ()
    reference: Reference | None = None
    baseline: Path | None = None
    columns: ColumnsFile | None = None
    cross_validated: Predictions | None = None
    layout: Method = "t-SNE"
    alone: AloneAnswers | None = None
    class_words: ClassWords | None = None
    masked: TextHead | None = None


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """A sealed model's predictions with everything that is derived from them.

    Attributes:
        model: the sealed model.
        manifest: without the images that could not be read.
        data_sha: hash of the images, their labels and splits, with those that could not be read.
        predictions: for all splits that the model was run on, at its operating points.
        own: the model's own predictions, which are the same but for a cross-validation.
        metrics: of the evaluated split.
        operating: operating points and costs.
        uncertainty: OOD scores and prediction sets.
        slices: the metrics by image properties, files and folders.
        heatmaps: of the most confident mistakes, as data URIs by path; empty of a multi-label model, and
            before :func:`explained`.
        embedding_map: the images by their features; None of few images or a multi-label model.
        parity: the sealed model compared with the training pipeline.
        baseline: the model compared with its teacher or original.
        groups: how patients, lots or products are found, where images come in such groups.
        robustness: accuracy on corrupted images, where it was measured.
        modalities: what image and text each tell; None where no image has a text, or the model reads none.
        text_leak: what texts give away of the class: those of training where they are known, else the
            evaluated ones.
    """

    model: SealedModel
    manifest: Manifest
    data_sha: str
    predictions: Predictions
    own: Predictions
    metrics: Metrics
    operating: OperatingPoints
    uncertainty: Uncertainty
    slices: Sequence[Slice]
    heatmaps: Mapping[str, str]
    embedding_map: EmbeddingMap | None
    parity: Parity | None
    baseline: BaselineComparison | None
    groups: GroupResults | None = None
    robustness: RobustnessResult | None = None
    modalities: Modalities | None = None
    text_leak: TextLeak | None = None

    @property
    def split(self) -> Split:
        """Return the evaluated split."""
        return self.metrics.split

    def ece_before(self, temperature: float) -> float | None:
        """Return the calibration error that the same predictions would have without the temperature.

        None of a cross-validation, whose models have temperatures of their own, and of a model that reads
        texts, which has one for each head.
        """
        if self.split == FOLDS or self.model.has_text:
            return None
        places = self.predictions.of(self.split)
        probabilities = rows_at(self.predictions.probabilities, places)
        return uncalibrated_error(rows_at(self.predictions.truth, places), probabilities, temperature)

    def metadata(self) -> JsonObject:
        """Return what the sealed model carries of its evaluation."""
        headline = {name: asdict(getattr(self.metrics, name)) for name in self.metrics.headline}
        return {
            **self.operating.metadata(),
            **self.uncertainty.metadata(),
            "metrics": {"split": self.split, **headline},
        }

    def report(self, title: str, command: str, engine: str = ENGINE) -> ReportContent:
        """Return what the report shows of the evaluation; verbs add what else they know with ``replace``."""
        card = self.model.card
        return ReportContent(
            title=title,
            manifest=self.manifest,
            metrics=self.metrics,
            rows=self.predictions.rows(),
            engine=engine,
            backbone=card.backbone,
            size=self.model.size,
            layers=card.layers,
            command=command,
            answers=self.model.has_answer,
            licence=self.model.metadata.get("licence", ""),
            baseline=self.baseline,
            parity=self.parity,
            operating_curves=self.operating.curves,
            contested=self.operating.contested,
            cost=self.operating.cost,
            slices=self.slices,
            robustness=self.robustness,
            embedding_map=self.embedding_map,
            heatmaps=self.heatmaps,
            uncertainty=self.uncertainty,
            groups=self.groups,
            modalities=self.modalities,
            text_leak=self.text_leak,
            seconds=watch().seconds,
        )

    def metrics_file(self, engine: str = ENGINE) -> MetricsFile:
        """Return the content of `metrics.json`; verbs add what else they know with ``replace``."""
        return MetricsFile(
            metrics=self.metrics,
            manifest=self.manifest,
            engine=engine,
            seconds=watch().seconds,
            operating=self.operating,
            uncertainty=self.uncertainty,
            slices=self.slices,
            majority=self.predictions.majority(self.split),
            groups=self.groups,
            data_sha=self.data_sha,
            versions=versions(),
            parity=self.parity,
            baseline=self.baseline,
            robustness=self.robustness,
            modalities=self.modalities,
            text_leak=self.text_leak,
        )


def evaluate_model(model: SealedModel, plan: EvaluationPlan) -> Evaluation:
    """Run a sealed model on labelled images, and derive everything that is reported of it.

    Args:
        model: opened with one thread a call.
        plan: what it is evaluated on, by which rules, and what it is compared with.

    Raises:
        DataError: no image of the evaluated split can be read, or none to choose a threshold on.
        ModelError: the sealed model does not predict what the training pipeline does.
    """
    manifest, split, root = plan.manifest, plan.split, plan.manifest.root
    statistics = ImageStatistics(default_folder(), model.size, model.white_level)
    with timed("evaluate"):
        samples = chained([manifest.of(part) for part in plan.predicted])
        own = predict_samples(model, root, samples, default_folder(), statistics.measure)
        predictions = plan.cross_validated or own
        predictions.require_images(split)
    with timed("decide"):
        operating = plan.rules.operating_points(predictions, split, plan.seed)
    say_unmet(operating)
    predictions, own = decided(predictions, operating), decided(own, operating)
    parity, baseline = _compared(model, plan, own)
    with timed("slices"):
        slices = find_slices(predictions, split, root, statistics, plan.columns)
    modalities, leak = _texts(model, plan, predictions)
    return Evaluation(
        model=model,
        manifest=manifest.without([*plan.skipped, *own.skipped]),
        data_sha=manifest.digest,
        predictions=predictions,
        own=own,
        metrics=predictions.metrics(split, plan.seed),
        operating=operating,
        uncertainty=plan.rules.uncertainty(predictions, split),
        slices=slices,
        heatmaps={},
        embedding_map=None,
        parity=parity,
        baseline=baseline,
        groups=predictions.group_results(split),
        modalities=modalities,
        text_leak=leak,
    )


def _texts(
    model: SealedModel, plan: EvaluationPlan, predictions: Predictions
) -> tuple[Modalities | None, TextLeak | None]:
    """Measure what image and text each tell, of a model that reads texts."""
    if not model.has_text:
        return None, None
    split, seed = plan.split, plan.seed
    with timed("text"):
        own = plan.cross_validated is None
        alone = answer_alone(predictions, model, plan.manifest.root) if own else plan.alone
        found = None if alone is None else measure_modalities(predictions, alone, split, seed)
        if plan.class_words is None:
            if alone is None or found is None:
                return found, None
            root = plan.manifest.root
            return found, measure_leak_of_evaluated(predictions, alone, split, model, root, seed)
        masked = alone if own and found is not None else None
        return found, measure_leak(predictions, masked, split, plan.class_words, plan.masked, seed)


def explained(evaluation: Evaluation, plan: EvaluationPlan) -> Evaluation:
    """Return an evaluation with heat maps and embedding map, which no decision waits for.

    Args:
        evaluation: by :func:`evaluate_model`.
        plan: that it was made by.
    """
    with timed("heatmaps"):
        heatmaps, embedding_map = explain_predictions(
            evaluation.model,
            evaluation.predictions,
            evaluation.split,
            plan.manifest.root,
            plan.seed,
            heat=plan.cross_validated is None,
            layout=plan.layout,
        )
    return replace(evaluation, heatmaps=heatmaps, embedding_map=embedding_map)


def write_model(evaluation: Evaluation, facts: Mapping[str, Json]) -> SealedModel:
    """Write an evaluated model once, with its metadata and with the answer that its decisions call for.

    Args:
        evaluation: of a model that is not written yet.
        facts: what else its metadata say.

    Returns:
        The model as it is on disk.

    Raises:
        ModelError: the file would answer otherwise than was decided.
    """
    draft = evaluation.model
    if not isinstance(draft, UnwrittenModel):
        raise TypeError(f"{draft.path} is written already")
    model = draft.completed({**facts, **evaluation.metadata()})
    with timed("parity"):
        check_answers(model, evaluation.own, evaluation.manifest.root)
    model.write()
    remove_other_exports(model.path)
    return model


def _compared(
    model: SealedModel, plan: EvaluationPlan, predictions: Predictions
) -> tuple[Parity | None, BaselineComparison | None]:
    """Compare with the training pipeline and with the baseline, as far as there are such."""
    parity = baseline = None
    root = plan.manifest.root
    if plan.reference is not None:
        with timed("parity"):
            parity = check_parity(plan.reference, model, predictions, root, plan.seed)
    if plan.baseline is not None:
        with timed("compare"):
            baseline = compare_with_baseline(plan.baseline, model, predictions, plan.split, root)
    return parity, baseline


def write_results(directory: Path, content: ReportContent) -> None:
    """Write `report.html`, `model_card.md` and `predictions.csv`, which hold the same rows."""
    write_report(directory / "report.html", content)
    write_text(directory / "model_card.md", model_card(content))
    multi_label = isinstance(content.metrics, LabelMetrics)
    place = {sample.path: number for number, sample in enumerate(content.manifest.samples)}
    splits = list(dict.fromkeys(row.split for row in content.rows))
    rows = sorted(content.rows, key=lambda row: (splits.index(row.split), place[row.path]))
    write_predictions(directory / "predictions.csv", rows, content.metrics.labels if multi_label else ())
