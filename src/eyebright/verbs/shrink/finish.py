"""The end of a search for a smaller model: the selected one is evaluated and reported like any other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import onnx

from eyebright.data.manifest import Manifest
from eyebright.data.manifest_file import write_manifest
from eyebright.exporting.certificate.hashes import sha256
from eyebright.report.content import ReportContent
from eyebright.runs.evaluation import (
    Evaluation,
    EvaluationPlan,
    evaluate_model,
    explained,
    write_model,
    write_results,
)
from eyebright.runs.messages import command
from eyebright.runs.metrics import METRICS, MetricsFile, versions
from eyebright.runs.rules import CarriedRules, Rules, TrainedRules
from eyebright.runs.run import Run, write_metrics
from eyebright.sealed.model import UnwrittenModel
from eyebright.text.language import translate
from eyebright.types import JsonObject
from eyebright.verbs.shrink.candidate import ShrinkCandidate
from eyebright.verbs.shrink.linear_probe_candidates import SealedProbe
from eyebright.verbs.shrink.options import ShrinkConfig
from eyebright.verbs.shrink.targets import Target
from eyebright.verbs.train.options import TrainConfig


@dataclass(frozen=True)
class ShrinkSelection:
    """The outcome of a search.

    Attributes:
        candidate: the selected one.
        probe: the classifier behind it, where that was trained here.
        options: that it was, or would have been, trained with.
        targets: that were asked for.
        reasons: sentences for the report.
    """

    candidate: ShrinkCandidate
    probe: SealedProbe | None
    options: TrainConfig
    targets: Sequence[Target]
    reasons: Sequence[str]


def finish(
    config: ShrinkConfig, selection: ShrinkSelection, original: Path, manifest: Manifest, directory: Path
) -> Run:
    """Evaluate and report the selected model, and write it with what was measured.

    Args:
        config: the options.
        selection: the outcome of the search.
        original: the model that a smaller one was sought for.
        manifest: its images.
        directory: of the run.

    Raises:
        ModelError: the file does not predict what the classifier does that it was made from.
    """
    path = directory / "model.onnx"
    model = UnwrittenModel(path, onnx.load(selection.candidate.path), threads=1)
    plan = _plan(config, selection, model, original, manifest)
    evaluation = evaluate_model(model, plan)
    facts = {name: value for name, value in model.metadata.items() if name != "labels"}
    evaluation = explained(replace(evaluation, model=write_model(evaluation, facts)), plan)
    write_results(directory, _report(config, selection, evaluation))
    write_manifest(evaluation.manifest, directory / "manifest.parquet")
    write_metrics(directory / METRICS, _metrics(selection, evaluation).to_json())
    return Run(directory, path)


def _plan(
    config: ShrinkConfig,
    selection: ShrinkSelection,
    model: UnwrittenModel,
    original: Path,
    manifest: Manifest,
) -> EvaluationPlan:
    """Evaluate on the test split, or else on the validation split; int8 is not held to parity."""
    probe, options = selection.probe, selection.options
    rules: Rules = CarriedRules(model)
    if probe is not None:
        rules = TrainedRules(
            decisions=options, promises=options, holdout=probe.trained.holdout, scored=probe.scored
        )
    exact = probe is not None and selection.candidate.precision != "int8"
    return EvaluationPlan(
        manifest=manifest,
        split="test" if manifest.of("test") else "val",
        predicted=("val", "test"),
        seed=config.seed,
        rules=rules,
        reference=probe.trained.reference if probe is not None and exact else None,
        baseline=original,
    )


def _report(config: ShrinkConfig, selection: ShrinkSelection, evaluation: Evaluation) -> ReportContent:
    title = (config.out or config.model).resolve().name
    return replace(
        evaluation.report(title, command("shrink", config, ("model",))),
        facts={
            translate("Selection"): " ".join(selection.reasons),
            **_facts(config, evaluation.model.metadata, evaluation.model.path),
        },
    )


def _metrics(selection: ShrinkSelection, evaluation: Evaluation) -> MetricsFile:
    candidate = selection.candidate
    chosen: JsonObject = {**asdict(candidate), "path": candidate.path.name, "split": "val"}
    return replace(
        evaluation.metrics_file(),
        chosen=chosen,
        targets=[asdict(target) for target in selection.targets],
        target_met=candidate.meets(selection.targets),
        model_sha256=sha256(evaluation.model.path),
        provenance={"card": evaluation.model.card.content},
    )


def _facts(config: ShrinkConfig, metadata: Mapping[str, str], path: Path) -> dict[str, str]:
    return {
        translate("Model file"): f"{path.stat().st_size / 1e6:.1f} MB",
        translate("Licence of the weights"): metadata.get("licence", "unknown"),
        translate("Random seed"): str(config.seed),
        **versions(),
    }
