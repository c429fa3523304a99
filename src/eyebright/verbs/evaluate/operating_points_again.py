"""Decisions of an evaluation: those that the model carries, or others, chosen on images not reported."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np

from eyebright.data.manifest import Manifest
from eyebright.data.source import scan_part
from eyebright.errors import DataError, EyebrightError
from eyebright.evaluation.decisions.operating import Labelled, Threshold, stored
from eyebright.evaluation.decisions.targets import OperatingTarget, parse_target
from eyebright.runs.scoring import ask
from eyebright.runtime.context import progress_task
from eyebright.sealed.model import SealedModel
from eyebright.training.cache.store import default_folder
from eyebright.types import Split
from eyebright.verbs.evaluate.operating_points import Decided, Wanted, decide, thresholds
from eyebright.verbs.evaluate.options import EvaluateConfig


def carried(model: SealedModel) -> dict[OperatingTarget, Threshold]:
    """The thresholds in the model's metadata, by their targets."""
    found = {}
    for entry in json.loads(model.metadata.get("operating_points", "[]")):
        target = parse_target(entry["target"])
        found[target] = stored(entry, target)
    return found


def choosing_part(config: EvaluateConfig, model: SealedModel, asked: Wanted, split: Split) -> Manifest | None:
    """The images on which thresholds are chosen: the data's val/; None where the model carries all of them.

    Raises:
        DataError: targets need it, and there is none, or it is what is reported.
    """
    known = carried(model)
    if all(target in known for target in asked.targets):
        return None
    try:
        if split == "val":
            raise _no_part(config)
        manifest, _ = scan_part(config.data, "val")
    except EyebrightError:
        raise _no_part(config) from None
    if manifest.several is not None:
        return manifest
    return replace(
        manifest, samples=tuple(sample for sample in manifest.samples if sample.label in model.labels)
    )


def decide_evaluated(
    model: SealedModel, asked: Wanted, choosing: Manifest | None, judged: Labelled, config: EvaluateConfig
) -> Decided:
    """What is asked for, or else what the model carries, checked on the images that are reported."""
    known = carried(model)
    chosen = [known[target] for target in asked.targets if target in known]
    costs = asked.costs
    if choosing is not None:
        missing = [target for target in asked.targets if target not in known]
        chosen += thresholds(missing, model.labels, _answers(model, choosing, config))
    elif not asked.targets and costs is None:
        chosen = list(known.values())
        if "costs" in model.metadata:
            costs = np.array(json.loads(model.metadata["costs"]), np.float64)
    return decide(chosen, costs, model.labels, judged, config.seed)


def _answers(model: SealedModel, manifest: Manifest, config: EvaluateConfig) -> Labelled:
    samples = manifest.samples
    with progress_task("Running the sealed model", total=len(samples)) as task:
        return ask(model, manifest.root, samples, task, default_folder()).labelled("val")


def _no_part(config: EvaluateConfig) -> DataError:
    return DataError(
        "A threshold must be selected on images outside the evaluated split. The model contains no "
        "threshold for this target, and {path} has no val/ besides the evaluated split. Add val/, or "
        "pass --target to `eyebright train`.",
        path=config.data,
    )
