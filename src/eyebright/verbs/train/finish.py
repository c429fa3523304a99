"""The end of every training: the classifier is sealed, evaluated, checked for parity and reported."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from eyebright.data.manifest_file import write_manifest
from eyebright.evaluation.forecast import grown
from eyebright.exporting.certificate.hashes import sha256
from eyebright.report.content import ReportContent
from eyebright.runs.evaluation import Evaluation, EvaluationPlan, evaluate_model, write_model, write_results
from eyebright.runs.messages import command, say_skipped
from eyebright.runs.metrics import METRICS, MetricsFile
from eyebright.runs.rules import TrainedRules
from eyebright.runs.run import Run, write_metrics, write_options
from eyebright.runtime.context import timed
from eyebright.text.language import translate
from eyebright.verbs.train.data_checks import data_checks
from eyebright.verbs.train.launch import is_main
from eyebright.verbs.train.prepare import TrainingPlan
from eyebright.verbs.train.provenance import Provenance, provenance_of
from eyebright.verbs.train.seal import SealedClassifier, seal
from eyebright.verbs.train.trained_model import TrainedModel


def finish(plan: TrainingPlan, trained: TrainedModel) -> Run:
    """Seal, evaluate and report a trained classifier; of several processes, the main one does.

    Args:
        plan: of the training.
        trained: the classifier.

    Returns:
        The run; `metrics.json` is written last, so a run that has one is complete.

    Raises:
        ModelError: the sealed model does not predict what the training pipeline does.
    """
    directory = plan.directory
    path = directory / "model.onnx"
    if not is_main():
        return Run(directory, path)
    say_skipped(trained.skipped)
    (directory / METRICS).unlink(missing_ok=True)  # of an earlier run, whose files are replaced now
    provenance = provenance_of(trained, plan.manifest)
    with timed("seal"):
        options = plan.config
        sealed = seal(trained, plan.manifest, path, provenance, options.false_rejection, options.seed)
    evaluation = evaluate_model(sealed.model, _evaluation_plan(plan, trained, sealed))
    thresholds = evaluation.predictions.thresholds
    if thresholds is not None:
        provenance = replace(provenance, thresholds=thresholds.tolist())
    evaluation = replace(evaluation, model=write_model(evaluation, provenance.metadata()))
    with timed("data checks"):
        checks = data_checks(trained, evaluation, plan.config.seed)
    with timed("report"):
        report = replace(_report(plan, trained, evaluation, provenance), data_checks=checks)
        write_results(directory, report)
    write_manifest(evaluation.manifest, directory / "manifest.parquet")
    if plan.network is None:  # fine-tuning wrote them at its beginning
        write_options(plan.config, directory)
    metrics = replace(_metrics(plan, trained, evaluation, provenance), data_checks=checks)
    write_metrics(directory / METRICS, metrics.to_json())
    plan.tracker.finish(
        {name: getattr(metrics.metrics, name).value for name in ("accuracy", "log_loss", "ece")}
    )
    return Run(directory, path)


def _evaluation_plan(plan: TrainingPlan, trained: TrainedModel, sealed: SealedClassifier) -> EvaluationPlan:
    """Evaluate on the test split, or else on the validation split."""
    rules = TrainedRules(
        decisions=plan.config, promises=plan.config, holdout=trained.holdout, scored=sealed.scored
    )
    return EvaluationPlan(
        manifest=plan.manifest,
        split="test" if plan.manifest.of("test") else "val",
        predicted=("val", "test"),
        seed=plan.config.seed,
        rules=rules,
        skipped=trained.skipped,
        reference=trained.reference,
        baseline=trained.baseline,
    )


def _report(
    plan: TrainingPlan, trained: TrainedModel, evaluation: Evaluation, provenance: Provenance
) -> ReportContent:
    """Return the evaluation's report with what training adds."""
    config = plan.config
    title = (config.out or config.data or Path()).resolve().name
    line = command("train", config, ("data",) if config.data else ())
    return replace(
        evaluation.report(title, line, trained.engine),
        ece_before=evaluation.ece_before(trained.temperature),
        temperature=trained.temperature,
        probe_candidates=trained.probe_candidates,
        finetune_candidates=trained.finetune_candidates,
        reasons=trained.reasons,
        finetuning=trained.finetuning,
        training_curves=trained.training_curves,
        tunable=plan.network is None,
        random_weights=trained.random_weights,
        learning_curve=grown(trained.curve, config.seed),
        facts={
            translate("Model file"): f"{evaluation.model.size_bytes / 1e6:.1f} MB",
            translate("Licence of the weights"): provenance.licence,
            translate("Hash of the data"): provenance.data_sha,
            translate("Random seed"): str(config.seed),
            **provenance.versions,
        },
    )


def _metrics(
    plan: TrainingPlan, trained: TrainedModel, evaluation: Evaluation, provenance: Provenance
) -> MetricsFile:
    """Return the evaluation's metrics with what training adds."""
    return replace(
        evaluation.metrics_file(trained.engine),
        ece_before=evaluation.ece_before(trained.temperature),
        temperature=trained.temperature,
        chosen=trained.chosen,
        candidates=trained.candidates,
        model_sha256=sha256(evaluation.model.path),
        learning_curve=grown(trained.curve, plan.config.seed),
        provenance=provenance.metadata(),
        finetuning=trained.finetuning,
    )
