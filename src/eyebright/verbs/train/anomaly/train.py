"""Anomaly detection: good images become a sealed model that finds what is unlike them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from eyebright.backbones.backbone import Backbone
from eyebright.data.fixes import FIXES, Fixes, read_fixes, write_fixes
from eyebright.data.licence import data_licence
from eyebright.data.manifest import Sample
from eyebright.data.manifest_file import write_manifest
from eyebright.data.splits.good_names import ANOMALY, GOOD, ONE_CLASS
from eyebright.evaluation.decisions.targets import OperatingTarget
from eyebright.exporting.certificate.hashes import sha256
from eyebright.report.anomaly.outcome import AnomalyOutcome, LimitFacts
from eyebright.runs.evaluation import (
    Evaluation,
    EvaluationPlan,
    evaluate_model,
    explained,
    write_model,
    write_results,
)
from eyebright.runs.messages import command, say_found, say_skipped
from eyebright.runs.metrics import METRICS, MetricsFile, versions
from eyebright.runs.overwrite import remove_earlier
from eyebright.runs.run import Run, write_metrics, write_options
from eyebright.runtime.context import timed
from eyebright.sealed.anomaly_graph import AnomalyScoring, anomaly_graph
from eyebright.sealed.inference import predict_blocks
from eyebright.sealed.model import UnwrittenModel, set_metadata
from eyebright.text.language import translate
from eyebright.tracking.trackers import trackers
from eyebright.training.anomaly.material import highest
from eyebright.training.anomaly.scores import Distances, ScoreScale, fit_slope
from eyebright.training.anomaly.trainer import SIZES, AnomalyModel, AnomalyTrainer
from eyebright.training.cache.store import default_folder
from eyebright.types import BoolArray, FloatArray, Split
from eyebright.verbs.train.anomaly.images import OneClassImages, check_options, one_class_images
from eyebright.verbs.train.anomaly.limit import (
    Limit,
    anomaly_targets,
    choose_limit,
    require_anomalies,
    say_limit,
)
from eyebright.verbs.train.anomaly.results import outcome_of, say_suspects, suspects_of
from eyebright.verbs.train.anomaly.rules import AnomalyRules
from eyebright.verbs.train.options import TrainConfig
from eyebright.verbs.train.provenance import Provenance

# Fewer labelled anomalies say too little of how scores become probabilities; planted ones then do.
_FEW = 10


@dataclass(frozen=True)
class AnomalyTraining:
    """A training on good images, before anything is learned.

    Attributes:
        config: the options.
        data: the images' place.
        targets: that the limit is set for.
        images: of both classes.
        fixes: that were applied.
        backbone: whose features are taken.
        directory: of the run.
    """

    config: TrainConfig
    data: Path
    targets: Sequence[OperatingTarget]
    images: OneClassImages
    fixes: Fixes | None
    backbone: Backbone
    directory: Path

    @property
    def evaluated(self) -> Split:
        """Return the split that is evaluated; limits are set on another one."""
        return "test" if self.images.manifest.of("test") else "val"

    @property
    def known(self) -> list[Sample]:
        """Return the labelled anomalies that help to select and to set the limit."""
        return self.images.of("val", ANOMALY) if self.evaluated == "test" else []


def train_anomaly(config: TrainConfig, directory: Path, backbone: Backbone) -> Run:
    """Learn what good images look like, seal it, set its limit, evaluate and report it.

    Args:
        config: the options.
        directory: of the run.
        backbone: whose frozen features are taken.

    Raises:
        EyebrightError: the data, an option or the disk does not allow it.
    """
    check_options(config)
    tracker = trackers(config.track, directory)
    targets = anomaly_targets(config.target)
    data = config.data or Path()
    with timed("scan"):
        fixes = None if config.fixes is None else read_fixes(config.fixes)
        images = one_class_images(config, data, fixes)
    training = AnomalyTraining(config, data, targets, images, fixes, backbone, directory)
    require_anomalies(targets, len(training.known))
    say_found(images.manifest)
    model = _fit(training)
    say_skipped(model.skipped)
    remove_earlier(directory)
    (directory / METRICS).unlink(missing_ok=True)
    limit, scale = _limit(training, model)
    say_limit(limit)
    say_suspects(suspects_of(model, scale))
    run, metrics = _finish(training, model, limit, scale)
    tracker.start(directory.name, config.model_dump(mode="json"))
    tracker.finish(metrics.headline())
    return run


def _fit(training: AnomalyTraining) -> AnomalyModel:
    images, config = training.images, training.config
    trainer = AnomalyTrainer(
        images.manifest.root,
        images.of("train", GOOD),
        training.known,
        training.backbone,
        default_folder(),
        config.seed,
    )
    return trainer.train(SIZES if config.size == "auto" else (config.size,))


def _limit(training: AnomalyTraining, model: AnomalyModel) -> tuple[Limit, ScoreScale]:
    """Set the limit on the validation split, or, where that is evaluated, by folds of the training split."""
    good, anomalies = model.unusual, np.empty(0, np.float32)
    if training.evaluated == "test":
        with timed("limit"):
            found, bad = _unusual(training, model, training.images.manifest.of("val"))
        good, anomalies = found[~bad], found[bad]
    limit = choose_limit(training.targets, good, anomalies)
    examples = anomalies if len(anomalies) >= _FEW else model.planted
    return limit, ScoreScale(limit.value, fit_slope(limit.value, good, examples))


def _unusual(
    training: AnomalyTraining, model: AnomalyModel, samples: Sequence[Sample]
) -> tuple[FloatArray, BoolArray]:
    """Return how unusual images are to the sealed model (N,), and whether they are anomalies (N,)."""
    draft = _sealed(training, model, ScoreScale(1.0, 1.0))
    places = model.maps.places
    tops: list[float] = []
    wholes: list[float] = []
    bad: list[bool] = []
    for block in predict_blocks(draft, training.images.manifest.root, samples, default_folder()):
        if block.features is None:
            raise TypeError("an anomaly detector can be split at its features")
        tops += [float(highest(row[:places], [model.highest])[0]) for row in block.features]
        wholes += [float(row[-1]) for row in block.features]
        bad += [sample.label == ANOMALY for sample in block.samples]
    distances = Distances(np.array(tops, np.float32), np.array(wholes, np.float32))
    return model.rule.unusual(distances), np.array(bad, bool)


def _sealed(training: AnomalyTraining, model: AnomalyModel, scale: ScoreScale) -> UnwrittenModel:
    """Return the sealed model in memory, with a limit."""
    scoring = AnomalyScoring(model.maps, model.detectors, model.highest, model.rule, scale)
    graph = anomaly_graph(training.backbone, scoring)
    set_metadata(graph, {"labels": list(ONE_CLASS), **_provenance(training, model).metadata()})
    return UnwrittenModel(training.directory / "model.onnx", graph, threads=1)


def _provenance(training: AnomalyTraining, model: AnomalyModel) -> Provenance:
    card, manifest, chosen = training.backbone.card, training.images.manifest, model.chosen
    return Provenance(
        card={
            "backbone": card.name,
            "backbone_sha": card.sha,
            "source": card.source,
            "preprocessing": asdict(model.maps.preprocessing),
            "taps": model.maps.taps(),
            "task": "anomaly",
            "size": chosen.size,
            "layers": chosen.maps,
            "method": chosen.method,
            "whole": chosen.whole,
            "places": model.highest,
        },
        licence=card.licence,
        data_licence=data_licence(manifest.root),
        data_sha=manifest.digest,
        versions=versions(),
        white_level=manifest.white_level,
        baseline_sha256=None,
        thresholds=None,
    )


def _finish(
    training: AnomalyTraining, model: AnomalyModel, limit: Limit, scale: ScoreScale
) -> tuple[Run, MetricsFile]:
    config, manifest, directory = training.config, training.images.manifest, training.directory
    with timed("seal"):
        sealed = _sealed(training, model, scale)

    def reference(root: Path, samples: Sequence[Sample]) -> FloatArray:
        squares = [model.extractor.square(root, sample) for sample in samples]
        return scale.probabilities(model.rule.unusual(model.distances(squares)))

    chosen_on = "val" if training.evaluated == "test" else "train"
    reached = limit.alarms / limit.good
    met = limit.rate is None or (limit.assured and reached <= limit.rate)
    plan = EvaluationPlan(
        manifest=manifest,
        split=training.evaluated,
        predicted=("val", "test"),
        seed=config.seed,
        rules=AnomalyRules(training.targets, reached, met, chosen_on),
        skipped=model.skipped,
        reference=reference,
    )
    evaluation = evaluate_model(sealed, plan)
    provenance = _provenance(training, model).metadata()
    evaluation = explained(replace(evaluation, model=write_model(evaluation, provenance)), plan)
    with timed("maps"):
        outcome = outcome_of(evaluation, training.images, model, scale, _facts(training, limit, chosen_on))
    metrics = _write(training, model, evaluation, outcome)
    return Run(directory, evaluation.model.path), metrics


def _facts(training: AnomalyTraining, limit: Limit, chosen_on: str) -> LimitFacts:
    return LimitFacts(
        target=", ".join(map(str, training.targets)),
        rate=limit.rate,
        good=limit.good,
        anomalies=limit.anomalies,
        alarms=limit.alarms,
        chosen_on=chosen_on,
        assured=limit.assured,
        least=limit.least,
        needed=limit.needed,
    )


def _write(
    training: AnomalyTraining, model: AnomalyModel, evaluation: Evaluation, outcome: AnomalyOutcome
) -> MetricsFile:
    """Write all that lies beside the model, `metrics.json` last."""
    config, directory = training.config, training.directory
    title = (config.out or training.data).resolve().name
    provenance = _provenance(training, model)
    facts = {
        translate("Way to score"): model.chosen.name,
        translate("Model file"): f"{evaluation.model.size_bytes / 1e6:.1f} MB",
        translate("Licence of the weights"): provenance.licence,
        translate("Hash of the data"): provenance.data_sha,
        translate("Random seed"): str(config.seed),
        **provenance.versions,
    }
    with timed("report"):
        content = evaluation.report(title, command("train", config, ("data",)), model.engine)
        write_results(directory, replace(content, anomaly=outcome, facts=facts))
    write_manifest(evaluation.manifest, directory / "manifest.parquet")
    write_options(config.model_copy(update={"task": "anomaly"}), directory)
    if training.fixes is None:
        (directory / FIXES).unlink(missing_ok=True)
    else:
        write_fixes(directory / FIXES, training.fixes.rows)
    metrics = replace(
        evaluation.metrics_file(model.engine),
        chosen=model.chosen.to_json(),
        model_sha256=sha256(evaluation.model.path),
        provenance=provenance.metadata(),
        anomaly=outcome,
    )
    write_metrics(directory / METRICS, metrics.to_json())
    return metrics
