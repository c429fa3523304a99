"""`evaluate`: how good a sealed model is on labelled images that it has not seen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from eyebright.data.manifest import Manifest
from eyebright.data.manifest_file import read_manifest
from eyebright.data.source import scan_part
from eyebright.errors import DataError, nearest
from eyebright.evaluation.robustness import Stressed
from eyebright.evaluation.slices import Column
from eyebright.runs import messages as tell
from eyebright.runs.run import Run, new_directory, write_metrics
from eyebright.runs.scoring import Answers, ask
from eyebright.runs.write import Outcome, versions
from eyebright.runtime.context import progress_task, stage, timed, watch
from eyebright.sealed.image_statistics import Looks
from eyebright.sealed.model import SEVERAL, SealedModel
from eyebright.text.language import translate
from eyebright.training.cache.store import default_folder
from eyebright.types import Skipped, Split
from eyebright.verbs.evaluate.heatmaps import inside
from eyebright.verbs.evaluate.operating_points import at_thresholds, say_unmet, wanted
from eyebright.verbs.evaluate.operating_points_again import choosing_part, decide_evaluated
from eyebright.verbs.evaluate.options import EvaluateConfig
from eyebright.verbs.evaluate.robustness import stress
from eyebright.verbs.evaluate.slices import find_slices, read_columns
from eyebright.verbs.evaluate.uncertainty import know_evaluated, require_score, with_foreign

_ENGINE = "onnxruntime float32"


@stage
def evaluate(config: EvaluateConfig) -> Run:
    """Asks a sealed model about labelled images and writes `metrics.json`, `predictions.csv` and a report.

    Args:
        config: which model, which images.

    Raises:
        NotFoundError: the model or the data does not exist.
        ModelError: the file is not a sealed model.
        DataError: the data has no images, or classes that the model does not know.
    """
    model = SealedModel(config.model, threads=1)
    with timed("scan"):
        manifest, split = scan_part(config.data, config.split)
    check_labels(manifest, model)
    manifest = _noting_trained(_noting_absent(manifest, model), model.path)
    tell.found(manifest)
    asked = wanted(config, model.labels, several=model.thresholds is not None)
    if config.foreign is not None:
        require_score(model)
    choosing = choosing_part(config, model, asked, split)
    directory = new_directory(config.out, "evaluations", config.data.resolve().name)
    looks = Looks(default_folder(), model.size)
    with timed("evaluate"):
        samples = manifest.of(split)
        with progress_task("Running the sealed model", total=len(samples)) as task:
            answers = ask(model, manifest.root, samples, task, default_folder(), looks.see)
    answers.require_images(split)
    with timed("decide"):
        decided = decide_evaluated(model, asked, choosing, answers.labelled(split), config)
    say_unmet(decided)
    answers = at_thresholds(answers, decided)
    knowing = know_evaluated(model, answers, split)
    if config.foreign is not None:
        with timed("foreign"):
            own = answers.labelled(split)
            knowing = with_foreign(knowing, model, own, config.foreign)
    with timed("slices"):
        further = _columns(config, manifest.root, answers, split)
        slices = find_slices(answers, split, manifest.root, looks, further)
    stressed = _stressed(config, model, answers, split, manifest.root)
    outcome = Outcome(manifest.without(answers.skipped), answers, split, config.seed)
    card = model.card
    with timed("inside"):
        seen = inside(model, manifest.root, answers, split, config.seed)
    with timed("report"):
        content = {
            "title": config.data.resolve().name,
            "engine": _ENGINE,
            "backbone": card["backbone"],
            "size": model.size,
            "layers": card.get("layers", ", ".join(card["taps"])),
            "command": tell.command("evaluate", config, ("model", "data")),
            "licence": model.metadata.get("licence", ""),
            "decided": decided.curves,
            "cost": decided.cost,
            "slices": slices,
            "stressed": stressed,
            **seen,
            "knowing": knowing,
            "facts": {translate("Model"): str(model.path), **versions()},
        }
        outcome.write(directory, content)
    facts = {
        **({} if model.thresholds is None else {"task": SEVERAL}),
        "model": str(model.path),
        "data_sha": manifest.digest,
        "versions": versions(),
        **decided.figures(),
        "slices": [found.to_json() for found in slices],
        **({} if stressed is None else stressed.to_json()),
        **knowing.figures(),
    }
    write_metrics(directory / "metrics.json", outcome.figures(watch().seconds, _ENGINE, **facts))
    return Run(directory, model.path)


def _columns(config: EvaluateConfig, root: Path, answers: Answers, split: Split) -> list[Column]:
    """Further properties of the evaluated images, where a file of them was given."""
    if config.columns is None:
        return []
    samples = [answers.samples[i] for i in answers.of(split)]
    return read_columns(config.columns, samples, (root, config.data))


def _stressed(
    config: EvaluateConfig, model: SealedModel, answers: Answers, split: Split, root: Path
) -> Stressed | None:
    """How the model bears worse images, where that is asked for."""
    if not config.robustness:
        return None
    with timed("robustness"):
        return stress(model, answers, split, root, config.seed)


def check_labels(manifest: Manifest, model: SealedModel) -> None:
    """Refuses classes that the model does not know, and one label an image where it names several.

    Raises:
        DataError: naming the classes and the nearest that it knows.
    """
    if (manifest.several is None) != (model.thresholds is None):
        raise DataError(
            "The data and the model must be of the same kind. In {one}, an image has one label; in "
            "{other}, it may have several. Use images labelled like those that {path} was trained on.",
            one=manifest.root if manifest.several is None else model.path,
            other=model.path if manifest.several is None else manifest.root,
            path=model.path,
        )
    unknown = [label for label in manifest.labels if label not in model.labels]
    if unknown:
        raise DataError(
            "The model must know every class in the data. It does not know: {unknown}. Closest "
            "matches: {nearest}. Rename the folders, remove them, or train on these classes.",
            unknown=", ".join(unknown),
            nearest=nearest(unknown[0], model.labels),
        )


def _noting_absent(manifest: Manifest, model: SealedModel) -> Manifest:
    """The manifest with a warning where the model names labels that the data never does."""
    absent = [label for label in model.labels if manifest.several and label not in manifest.several]
    if not absent:
        return manifest
    reason = "Labels that never occur in the data count as absent from every image: {labels}."
    warning = Skipped(".", reason, {"labels": ", ".join(absent)})
    return replace(manifest, warnings=(*manifest.warnings, warning))


def _noting_trained(manifest: Manifest, model: Path) -> Manifest:
    """The manifest with a warning for every image that the model was trained on, as its run tells."""
    beside = model.with_name("manifest.parquet")
    if not beside.is_file():
        return manifest
    trained = {s.sha for s in read_manifest(beside).of("train")}
    known = [s for s in manifest.samples if s.sha in trained]
    if not known:
        return manifest
    reason = (
        "Evaluation images must be new to the model. {count:image was|images were} used to train it, "
        "so the metrics are too optimistic. Remove them, or use the test split of the training run."
    )
    warning = Skipped(known[0].path, reason, {"count": len(known)})
    return replace(manifest, warnings=(*manifest.warnings, warning))
