"""`evaluate`: how good a sealed model is on labelled images that it was not trained on."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from eyebright.cluster.choose import on_cluster
from eyebright.data.manifest import Manifest, Sample
from eyebright.data.manifest_file import read_manifest
from eyebright.data.source import scan_part
from eyebright.errors import ConfigError, DataError, EyebrightError
from eyebright.runs.evaluation import Evaluation, EvaluationPlan, evaluate_model, explained, write_results
from eyebright.runs.images import check_labels, columns_for, held_out_images, with_model_labels
from eyebright.runs.messages import command, say_found
from eyebright.runs.metrics import METRICS, versions
from eyebright.runs.operating_points import Wanted, carried, wanted
from eyebright.runs.overwrite import remove_earlier
from eyebright.runs.rules import CarriedRules
from eyebright.runs.run import Run, new_directory, write_metrics
from eyebright.runs.slices import ColumnsFile
from eyebright.runs.uncertainty import require_score, with_ood
from eyebright.runtime.context import stage, timed
from eyebright.sealed.metadata import MULTILABEL
from eyebright.sealed.model import SealedModel
from eyebright.text.language import translate
from eyebright.types import JsonObject, Skipped, Split
from eyebright.verbs.evaluate.options import EvaluateConfig
from eyebright.verbs.evaluate.robustness import stress


@stage
def evaluate(config: EvaluateConfig) -> Run:
    """Evaluate a sealed model, and write `metrics.json`, `predictions.csv` and a report.

    Args:
        config: which model, which images.

    Raises:
        NotFoundError: the model or the data does not exist.
        ModelError: the file is not a sealed model.
        DataError: the data has no images, or classes that the model does not know.
    """
    with on_cluster(config.cluster):
        return _evaluated(config)


def _evaluated(config: EvaluateConfig) -> Run:
    model = SealedModel(config.model, threads=1)
    plan = _plan(config, model)
    _require_no_model(config)
    where = config.data or model.path.parent
    name = where.resolve().name
    directory = new_directory(config.out, "evaluations", name, overwrite=config.overwrite)
    evaluation = _extended(config, explained(evaluate_model(model, plan), plan))
    remove_earlier(directory)
    with timed("report"):
        given = ("model",) if config.data is None else ("model", "data")
        content = evaluation.report(name, command("evaluate", config, given))
        facts = {translate("Model"): str(model.path), **versions()}
        write_results(directory, replace(content, seconds={}, facts=facts))
    task: JsonObject = {"task": MULTILABEL} if model.task.multilabel else {}
    metrics = replace(evaluation.metrics_file(), model=model.path, provenance=task)
    write_metrics(directory / METRICS, metrics.to_json())
    return Run(directory, model.path)


def _require_no_model(config: EvaluateConfig) -> None:
    """Refuse to write an evaluation over the metrics and the report of a model's own run.

    Raises:
        ConfigError: the directory to write holds a model.
    """
    if config.out is not None and (config.out / "model.onnx").exists():
        raise ConfigError(
            "An evaluation must not replace the run of a model. {path} contains model.onnx. Choose "
            "another directory with --out.",
            path=config.out,
        )


def _plan(config: EvaluateConfig, model: SealedModel) -> EvaluationPlan:
    """Read the data, and check that it, the options and the model fit together."""
    with timed("scan"):
        manifest, split = _images(config, model, config.split)
    check_labels(manifest, model)
    manifest = _noting_known(_noting_absent(manifest, model), model)
    say_found(manifest)
    requested = wanted(config, model.labels, multilabel=model.task.multilabel)
    if config.ood is not None:
        require_score(model)
    return EvaluationPlan(
        manifest=manifest,
        split=split,
        predicted=(split,),
        seed=config.seed,
        rules=CarriedRules(model, requested, _choosing_images(config, model, requested, split)),
        columns=None if config.columns is None else ColumnsFile(config.columns, config.data or manifest.root),
    )


def _images(
    config: EvaluateConfig, model: SealedModel, split: Split | Literal["auto"]
) -> tuple[Manifest, Split]:
    """Return the images of a split of the data, or of the model's own run."""
    if config.data is None:
        return held_out_images(model, split)
    columns = columns_for(config, model)
    manifest, part = scan_part(config.data, split, multilabel=model.task.multilabel, columns=columns)
    return with_model_labels(manifest, model), part


def _extended(config: EvaluateConfig, evaluation: Evaluation) -> Evaluation:
    """Add the OOD images and the robustness test, where they are asked for."""
    model, predictions, split = evaluation.model, evaluation.predictions, evaluation.split
    if config.ood is not None:
        with timed("ood"):
            uncertainty = with_ood(evaluation.uncertainty, model, predictions.labelled(split), config.ood)
        evaluation = replace(evaluation, uncertainty=uncertainty)
    if config.robustness:
        with timed("robustness"):
            robustness = stress(model, predictions, split, evaluation.manifest.root, config.seed)
        evaluation = replace(evaluation, robustness=robustness)
    return evaluation


def _choosing_images(
    config: EvaluateConfig, model: SealedModel, requested: Wanted, split: Split
) -> Manifest | None:
    """Return the images on which thresholds are chosen: the data's val/; None where the model has them all.

    Raises:
        DataError: targets need it, and there is none, or it is the evaluated split.
    """
    known = carried(model)
    if all(target in known for target in requested.targets):
        return None
    try:
        if split == "val":
            raise _no_split(config)
        manifest, _ = _images(config, model, "val")
    except EyebrightError:
        raise _no_split(config) from None
    if manifest.task.multilabel:
        return manifest
    samples = tuple(sample for sample in manifest.samples if sample.label in model.labels)
    return replace(manifest, samples=samples)


def _no_split(config: EvaluateConfig) -> DataError:
    return DataError(
        "A threshold must be selected on images outside the evaluated split. The model contains no "
        "threshold for this target, and {path} has no val/ besides the evaluated split. Add val/, or "
        "pass --target to `eyebright train`.",
        path=config.data or config.model,
    )


def _noting_absent(manifest: Manifest, model: SealedModel) -> Manifest:
    """Return the manifest with a warning where the model has labels that never occur in the data."""
    absent = [label for label in model.labels if manifest.label_set and label not in manifest.label_set]
    if not absent:
        return manifest
    reason = "Labels that never occur in the data count as absent from every image: {labels}."
    warning = Skipped(".", reason, {"labels": ", ".join(absent)})
    return replace(manifest, warnings=(*manifest.warnings, warning))


def _noting_known(manifest: Manifest, model: SealedModel) -> Manifest:
    """Return the manifest with warnings of images that the model was made with, as its run records them."""
    beside = model.path.with_name("manifest.parquet")
    if not beside.is_file():
        return manifest
    own, found = read_manifest(beside), list(manifest.warnings)
    if known := _of_split(manifest, own, "train"):
        reason = (
            "Evaluation images must be new to the model. {count:image was|images were} used to train it, "
            "so the metrics are too optimistic. Remove them, or use the test split of the training run."
        )
        found.append(Skipped(known[0].path, reason, {"count": len(known)}))
    if _chosen_on_validation(model) and (known := _of_split(manifest, own, "val")):
        reason = (
            "{count:image was|images were} used to choose thresholds or to calibrate prediction sets, so the "
            "verdicts on targets and coverage are too optimistic. Use other images, such as the test split "
            "of the training run."
        )
        found.append(Skipped(known[0].path, reason, {"count": len(known)}))
    return replace(manifest, warnings=tuple(found))


def _of_split(manifest: Manifest, own: Manifest, split: Split) -> list[Sample]:
    """Return the samples that lie in a split of the model's own images."""
    shas = {sample.sha for sample in own.of(split)}
    return [sample for sample in manifest.samples if sample.sha in shas]


def _chosen_on_validation(model: SealedModel) -> bool:
    """Return whether a threshold or the prediction sets of a model come from its validation split."""
    sets, unknown = model.set_rule, model.unknown_rule
    return (
        (sets is not None and sets.calibrated_on == "val")
        or (unknown is not None and unknown.chosen_on == "val")
        or any(threshold.chosen_on == "val" for threshold in carried(model).values())
    )
