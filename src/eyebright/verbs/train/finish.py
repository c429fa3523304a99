"""The end of every training: the classifier is sealed, evaluated, checked for parity and reported."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from eyebright.backbones.stored import WEIGHTS
from eyebright.data.fixes import FIXES, write_fixes
from eyebright.data.manifest import FOLDS
from eyebright.data.manifest_file import write_manifest
from eyebright.evaluation.forecast import grown
from eyebright.explaining.projection import Method
from eyebright.exporting.certificate.hashes import sha256
from eyebright.report.content import ReportContent
from eyebright.report.update_content import UpdateOutcome
from eyebright.runs.evaluation import (
    Evaluation,
    EvaluationPlan,
    evaluate_model,
    explained,
    write_model,
    write_results,
)
from eyebright.runs.messages import command, say_skipped
from eyebright.runs.metrics import METRICS, MetricsFile
from eyebright.runs.overwrite import remove_earlier
from eyebright.runs.rules import TrainedRules
from eyebright.runs.run import Run, write_metrics, write_options
from eyebright.runtime.atomic import write_bytes
from eyebright.runtime.context import timed
from eyebright.runtime.processes import is_main
from eyebright.sealed.text_tensor import TOKENIZER
from eyebright.text.language import translate
from eyebright.types import Split
from eyebright.verbs.train.data_checks import data_checks
from eyebright.verbs.train.frozen.cross_validation import CrossValidation
from eyebright.verbs.train.prepare import TrainingPlan
from eyebright.verbs.train.provenance import Provenance, provenance_of
from eyebright.verbs.train.seal import SealedClassifier, seal
from eyebright.verbs.train.trained_model import TrainedModel


@dataclass(frozen=True)
class EvaluatedTraining:
    """A trained classifier that was sealed, evaluated, checked for parity and written to `model.onnx`."""

    plan: TrainingPlan
    trained: TrainedModel
    evaluation: Evaluation
    provenance: Provenance


def finish(plan: TrainingPlan, trained: TrainedModel, validated: CrossValidation | None = None) -> Run:
    """Seal, evaluate and report a trained classifier; of several processes, the main one does.

    Args:
        plan: of the training.
        trained: the classifier.
        validated: predictions for its images by models that did not learn from them, which are evaluated in
            place of its own.

    Returns:
        The run; `metrics.json` is written last, so a run that has one is complete.

    Raises:
        ModelError: the sealed model does not predict what the training pipeline does.
    """
    if not is_main():
        return Run(plan.directory, plan.directory / "model.onnx")
    config = plan.config
    done = seal_and_evaluate(plan, trained, validated)
    return write_run(done, command("train", config, ("data",) if config.data else ()))


def seal_and_evaluate(
    plan: TrainingPlan,
    trained: TrainedModel,
    validated: CrossValidation | None = None,
    layout: Method = "t-SNE",
) -> EvaluatedTraining:
    """Seal and evaluate a trained classifier, and write it.

    Args:
        plan: of the training.
        trained: the classifier.
        validated: as for :func:`finish`.
        layout: of the embedding map.

    Raises:
        ModelError: the sealed model does not predict what the training pipeline does.
    """
    directory = plan.directory
    path = directory / "model.onnx"
    say_skipped(trained.skipped)
    if plan.network is None and plan.config.pretrain is None:  # these did so at their beginning
        remove_earlier(directory)
    (directory / METRICS).unlink(missing_ok=True)  # of a resumed run that was finished
    provenance = provenance_of(trained, plan.manifest)
    with timed("seal"):
        options = plan.config
        sealed = seal(trained, plan.manifest, path, provenance, options.false_rejection, options.seed)
    evaluated_on = replace(_evaluation_plan(plan, trained, sealed, validated), layout=layout)
    evaluation = evaluate_model(sealed.model, evaluated_on)
    thresholds = evaluation.predictions.thresholds
    if thresholds is not None:
        provenance = replace(provenance, thresholds=thresholds.tolist())
    evaluation = replace(evaluation, model=write_model(evaluation, provenance.metadata()))
    return EvaluatedTraining(plan, trained, explained(evaluation, evaluated_on), provenance)


def write_run(done: EvaluatedTraining, line: str, update: UpdateOutcome | None = None) -> Run:
    """Write all that lies beside the model in a run.

    Args:
        done: the training, evaluated.
        line: the command line that made it.
        update: what it changed about an earlier run.
    """
    plan, evaluation = done.plan, done.evaluation
    directory = plan.directory
    with timed("data checks"):
        checks = data_checks(done.trained, evaluation, plan.config.seed)
    with timed("report"):
        write_results(directory, replace(_report(done, line), update=update, data_checks=checks))
    write_manifest(evaluation.manifest, directory / "manifest.parquet")
    if plan.network is None:  # fine-tuning wrote them at its beginning
        write_options(plan.config, directory)
    _write_fixes(plan)
    if done.trained.timm_weights is not None:
        write_bytes(directory / WEIGHTS, done.trained.timm_weights)
    metrics = replace(_metrics(done), update=update, data_checks=checks)
    write_metrics(directory / METRICS, metrics.to_json())
    if plan.network is None:
        plan.tracker.start(directory.name, plan.config.model_dump(mode="json"))
    plan.tracker.finish(metrics.headline())
    return Run(directory, evaluation.model.path)


def _write_fixes(plan: TrainingPlan) -> None:
    """Write the fixes that were applied, in place of those of an earlier run."""
    path = plan.directory / FIXES
    if plan.fixes is None:
        path.unlink(missing_ok=True)
    else:
        write_fixes(path, plan.fixes.rows)


def _evaluation_plan(
    plan: TrainingPlan, trained: TrainedModel, sealed: SealedClassifier, validated: CrossValidation | None
) -> EvaluationPlan:
    """Evaluate on the test split, or else on the validation split, or by a cross-validation."""
    rules = TrainedRules(
        decisions=plan.config,
        promises=plan.config,
        holdout=trained.holdout,
        scored=sealed.scored,
        folds=None if validated is None else validated.answers,
    )
    held_out: Split = "test" if plan.manifest.of("test") else "val"
    return EvaluationPlan(
        manifest=plan.manifest,
        split=held_out if validated is None else FOLDS,
        predicted=("val", "test") if validated is None else ("train",),
        cross_validated=None if validated is None else validated.predictions,
        seed=plan.config.seed,
        rules=rules,
        skipped=trained.skipped,
        reference=trained.reference,
        baseline=trained.baseline,
        alone=None if validated is None else validated.alone,
        class_words=None if trained.text is None else trained.text.words,
        masked=None if trained.text is None or trained.text.masked is None else trained.text.masked.head,
    )


def _report(done: EvaluatedTraining, line: str) -> ReportContent:
    """Return the evaluation's report with what training adds."""
    plan, trained, evaluation, provenance = done.plan, done.trained, done.evaluation, done.provenance
    config = plan.config
    title = (config.out or config.data or Path()).resolve().name
    return replace(
        evaluation.report(title, line, trained.engine),
        ece_before=evaluation.ece_before(trained.temperature),
        temperature=trained.temperature,
        probe_candidates=trained.probe_candidates,
        finetune_candidates=trained.finetune_candidates,
        reasons=trained.reasons,
        finetuning=trained.finetuning,
        unlabelled=trained.unlabelled,
        training_curves=trained.training_curves,
        tunable=plan.network is None and "finetune" not in trained.chosen,
        random_weights=trained.random_weights,
        for_timm=trained.timm_weights is not None,
        learning_curve=grown(trained.curve, config.seed),
        facts={
            translate("Model file"): f"{evaluation.model.size_bytes / 1e6:.1f} MB",
            translate("Licence of the weights"): provenance.licence,
            translate("Hash of the data"): provenance.data_sha,
            translate("Random seed"): str(config.seed),
            **provenance.versions,
        },
    )


def _metrics(done: EvaluatedTraining) -> MetricsFile:
    """Return the evaluation's metrics with what training adds."""
    trained, evaluation = done.trained, done.evaluation
    return replace(
        evaluation.metrics_file(trained.engine),
        ece_before=evaluation.ece_before(trained.temperature),
        temperature=trained.temperature,
        chosen=trained.chosen,
        candidates=trained.candidates,
        model_sha256=sha256(evaluation.model.path),
        learning_curve=grown(trained.curve, done.plan.config.seed),
        provenance={key: value for key, value in done.provenance.metadata().items() if key != TOKENIZER},
        finetuning=trained.finetuning,
        unlabelled=trained.unlabelled,
        pretraining=trained.pretraining,
    )
