"""How every training ends: the model is sealed, asked, proved and reported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from eyebright.data.manifest import Manifest
from eyebright.data.manifest_file import write_manifest
from eyebright.evaluation.forecast import DataCurve, grown
from eyebright.evaluation.slices import Slice
from eyebright.evaluation.uncertainty.results import Knowing
from eyebright.exporting.certificate.hashes import sha256
from eyebright.report.content import BesideParent
from eyebright.runs import messages as tell
from eyebright.runs.run import Run, write_metrics, write_options
from eyebright.runs.scoring import Answers, ask
from eyebright.runs.write import Outcome
from eyebright.runtime.context import progress_task, timed, watch
from eyebright.sealed.image_statistics import Looks
from eyebright.sealed.model import SealedModel, write_sealed
from eyebright.sealed.parity import Parity
from eyebright.training.cache.store import default_folder
from eyebright.types import Split
from eyebright.verbs.evaluate.baseline import beside_parent
from eyebright.verbs.evaluate.heatmaps import inside
from eyebright.verbs.evaluate.operating_points import Decided, at_thresholds, decide_trained, say_unmet
from eyebright.verbs.evaluate.slices import find_slices
from eyebright.verbs.evaluate.uncertainty import know_trained
from eyebright.verbs.train.options import TrainConfig
from eyebright.verbs.train.parity_check import prove
from eyebright.verbs.train.seal import seal
from eyebright.verbs.train.trained_model import Trained


@dataclass(frozen=True)
class Found:
    """What the sealed model's answers tell of it.

    Attributes:
        outcome: the answers for the validation and test parts, with their figures.
        parity: the sealed model beside the training pipeline.
        parent: beside the model that it learned from, where there is one.
        decided: thresholds and costs.
        knowing: what it does not know.
        ece_before: the calibration error that it would have without the temperature.
        slices: where it is worse.
        curve: what more images would give, where that was asked for.
        inside: its heat maps and its map of features, by their names on the page.
    """

    outcome: Outcome
    parity: Parity
    parent: BesideParent | None
    decided: Decided
    knowing: Knowing
    ece_before: float
    slices: Sequence[Slice]
    curve: DataCurve | None
    inside: Mapping[str, Any]

    def thresholds(self) -> dict[str, Any]:
        """From which on a label is answered, where an image may have several."""
        thresholds = self.outcome.answers.thresholds
        return {} if thresholds is None else {"thresholds": thresholds.tolist()}

    def metadata(self) -> dict[str, Any]:
        """What the sealed model carries of it."""
        return {**self.decided.metadata(), **self.knowing.metadata(), "metrics": self.outcome.headline()}


def finish(config: TrainConfig, manifest: Manifest, trained: Trained, directory: Path) -> Run:
    """Seals, evaluates, proves and reports a trained classifier.

    Args:
        config: the options of the run.
        manifest: all samples.
        trained: the classifier.
        directory: where everything is written, `metrics.json` last.

    Raises:
        ModelError: the sealed model does not answer as the training pipeline does.
    """
    tell.left_out(trained.skipped)
    path = directory / "model.onnx"
    (directory / "metrics.json").unlink(missing_ok=True)  # of an earlier run, whose files are replaced now
    with timed("seal"):
        provenance = _provenance(trained, manifest)
        sealed = seal(trained, manifest, path, provenance, config.false_rejection, config.seed)
    found = _evaluated(config, manifest, trained, path, sealed.scored)
    provenance |= found.thresholds()
    with timed("report"):
        content = _content(config, trained, found, provenance, path, watch().seconds)
        found.outcome.write(directory, content)
    write_sealed(path, sealed.graph, manifest.labels, {**provenance, **found.metadata()})
    write_manifest(found.outcome.manifest, directory / "manifest.parquet")
    if config.finetune == "off":  # else they stand there since the beginning, with what was chosen on the way
        write_options(config, directory)
    # metrics.json comes last: where it exists, the run is complete.
    write_metrics(directory / "metrics.json", _figures(trained, found, provenance, path, watch().seconds))
    return Run(directory, path)


def _provenance(trained: Trained, manifest: Manifest) -> dict[str, Any]:
    """What the sealed model carries in its metadata, as far as it is known before it answers."""
    provenance = tell.provenance(trained, manifest)
    if trained.parent is not None:
        provenance["parent_sha256"] = sha256(SealedModel(trained.parent).path)
    return provenance


def _evaluated(config: TrainConfig, manifest: Manifest, trained: Trained, path: Path, scored: int) -> Found:
    """Evaluation and proof, by the sealed model itself."""
    with timed("evaluate"):
        model = SealedModel(path, threads=1)
        looks = Looks(default_folder(), trained.preprocessing.size)
        answers = _asked(model, manifest, looks)
    with timed("proof"):
        parity = prove(trained.reference, model, answers, manifest.root, config.seed)
    parent = None
    if trained.parent is not None:
        with timed("compare"):
            parent = beside_parent(trained.parent, path, answers, manifest)
    split: Split = "test" if manifest.of("test") else "val"
    answers.require_images(split)
    decided = decide_trained(config, trained.held_out, answers, split, config.seed)
    say_unmet(decided)
    answers = at_thresholds(answers, decided)
    knowing = know_trained(config, trained.held_out, scored, answers, split)
    outcome = Outcome(manifest.without([*trained.skipped, *answers.skipped]), answers, split, config.seed)
    ece_before = outcome.ece_before(trained.temperature)
    with timed("slices"):
        slices = find_slices(answers, split, manifest.root, looks)
    with timed("inside"):
        seen = inside(model, manifest.root, answers, split, config.seed)
    curve = grown(trained.curve, config.seed)
    return Found(outcome, parity, parent, decided, knowing, ece_before, slices, curve, seen)


def _asked(model: SealedModel, manifest: Manifest, looks: Looks) -> Answers:
    """The sealed model's answers for the validation and test parts; ``looks`` sees the images."""
    samples = (*manifest.of("val"), *manifest.of("test"))
    with progress_task("Running the sealed model", total=len(samples)) as task:
        return ask(model, manifest.root, samples, task, default_folder(), looks.see)


def _content(
    config: TrainConfig,
    trained: Trained,
    found: Found,
    provenance: Mapping[str, Any],
    path: Path,
    seconds: Mapping[str, float],
) -> dict[str, Any]:
    """What the page shows beside the answers."""
    return {
        "title": tell.title(config),
        "engine": trained.engine,
        "backbone": trained.backbone.card.name,
        "size": trained.preprocessing.size,
        "layers": trained.layers,
        "command": tell.command("train", config, ("data",) if config.data else ()),
        "ece_before": found.ece_before,
        "temperature": trained.temperature,
        "choices": trained.choices,
        "tunings": trained.tunings,
        "reasons": trained.reasons,
        "learning": trained.learning,
        "tunable": config.finetune == "off",
        "licence": provenance["licence"],
        "random_weights": trained.random_weights,
        "parity": found.parity,
        "decided": found.decided.curves,
        "cost": found.decided.cost,
        "slices": found.slices,
        "curve": found.curve,
        "knowing": found.knowing,
        "parent": found.parent,
        **found.inside,
        "seconds": seconds,
        "facts": tell.facts(config, provenance, path),
    }


def _figures(
    trained: Trained, found: Found, provenance: Mapping[str, Any], path: Path, seconds: dict[str, float]
) -> dict[str, Any]:
    """The content of `metrics.json`."""
    return found.outcome.figures(
        seconds,
        trained.engine,
        ece_before=found.ece_before,
        temperature=trained.temperature,
        parity=asdict(found.parity),
        chosen=dict(trained.chosen),
        tried=dict(trained.tried),
        model_sha256=sha256(path),
        **found.decided.figures(),
        slices=[worse.to_json() for worse in found.slices],
        **({} if found.curve is None else {"data_curve": found.curve.to_json()}),
        **found.knowing.figures(),
        **({} if found.parent is None else {"parent": asdict(found.parent)}),
        **provenance,
    )
