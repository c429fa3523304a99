"""Compare the linear probe, the last blocks fine-tuned and everything fine-tuned, by the holdout images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace

from eyebright.data.manifest import Manifest
from eyebright.report.content import Choice, FinetuneOutcome
from eyebright.report.summary.findings import finetuned_name, finetuning_sentence
from eyebright.runtime.context import progress
from eyebright.runtime.progress import SILENT
from eyebright.task.task import task_of
from eyebright.training.linear_probe.selection import better
from eyebright.training.linear_probe.targets import truth_of
from eyebright.types import JsonObject
from eyebright.verbs.train.finetune.finetune_setup import FinetuneSetup
from eyebright.verbs.train.finetune.fit import FinetuneResult, HoldoutScore, holdout_score
from eyebright.verbs.train.finetune.package import package
from eyebright.verbs.train.finetune.recipe import Depth
from eyebright.verbs.train.frozen.linear_probe import as_trained, frozen_model
from eyebright.verbs.train.launch import main_first
from eyebright.verbs.train.options import TrainConfig
from eyebright.verbs.train.trained_model import TrainedModel


def probe_score(setup: FinetuneSetup) -> HoldoutScore:
    """Return the score of the linear probe that fine-tuning starts from."""
    probe, extractor, manifest = setup.probe, setup.probe.extractor, setup.manifest
    with main_first(setup.device), SILENT.task("", total=len(setup.holdout)) as task:
        unreadable = {s.path for s in extractor.compute(manifest.root, setup.holdout, task)}
    holdout = [s for s in setup.holdout if s.path not in unreadable]
    logits = probe.fit.head.logits(extractor.read(holdout, extractor.taps))
    truth = truth_of(holdout, manifest)
    # Its temperature comes from the same images as the others': else these would seem better.
    return holdout_score(logits, truth, task_of(truth).fit_temperature(logits, truth))


def best_of(
    config: TrainConfig,
    manifest: Manifest,
    setup: FinetuneSetup,
    probe: HoldoutScore,
    results: Mapping[Depth, FinetuneResult],
    reasons: tuple[str, ...],
) -> TrainedModel:
    """Return the result with the lowest holdout loss if its gain is significant, else the linear probe.

    Args:
        config: the options.
        manifest: all samples.
        setup: what all fine-tunings of the run share.
        probe: score of the linear probe.
        results: of the fine-tunings.
        reasons: sentences for the report.
    """
    scores: dict[Depth, HoldoutScore] = {"off": probe, **{d: r.score for d, r in results.items()}}
    best = best_depth(results)
    outcome = outcome_of(best, scores[best], probe)
    reason = finetuning_sentence(asdict(outcome))
    progress().say(reason)
    trained = package(results[best], setup) if outcome.gained else _probe_of_all(config, manifest, setup)
    compared: JsonObject = {depth: s.metrics() for depth, s in scores.items()}
    return replace(
        trained,
        finetune_candidates=[
            Choice(finetuned_name(d), s.accuracy, d == outcome.kept) for d, s in scores.items()
        ],
        reasons=(*reasons, reason),
        finetuning=outcome,
        candidates={**trained.candidates, "finetuning": compared},
    )


def kept_frozen(
    config: TrainConfig, manifest: Manifest, setup: FinetuneSetup, probe: HoldoutScore, reason: str
) -> TrainedModel:
    """Return the linear probe where nothing was fine-tuned.

    Args:
        config: the options.
        manifest: all samples.
        setup: gives the probe.
        probe: its score on the holdout images.
        reason: a sentence for the report.
    """
    trained = _probe_of_all(config, manifest, setup)
    return replace(
        trained,
        finetune_candidates=[Choice(finetuned_name("off"), probe.accuracy, chosen=True)],
        reasons=(reason,),
        candidates={**trained.candidates, "finetuning": {"off": probe.metrics()}},
    )


def best_depth(results: Mapping[Depth, FinetuneResult]) -> Depth:
    """Return the depth whose holdout loss is lowest."""
    return min(results, key=lambda depth: results[depth].score.losses.mean())


def outcome_of(
    depth: Depth, score: HoldoutScore, probe: HoldoutScore, *, requested: bool = False
) -> FinetuneOutcome:
    """Return what fine-tuning changed against the linear probe, and which of the two is kept.

    Args:
        depth: how much was fine-tuned.
        score: of that, on the holdout images.
        probe: of the linear probe, on the same images.
        requested: whether it is kept whatever it brought.
    """
    gained = better(score.losses, probe.losses)
    return FinetuneOutcome(
        depth=depth,
        kept=depth if gained or requested else "off",
        gained=gained,
        images=len(score.losses),
        log_loss_change=float((score.losses - probe.losses).mean()),
        accuracy=score.accuracy.value,
        accuracy_before=probe.accuracy.value,
    )


def _probe_of_all(config: TrainConfig, manifest: Manifest, setup: FinetuneSetup) -> TrainedModel:
    """Return the linear probe, solved on the holdout images as well."""
    probe = setup.probe
    fixed = config.model_copy(update={"size": setup.preprocessing.size, "layers": probe.layers})
    with main_first(config.device):
        return as_trained(frozen_model(fixed, manifest, probe.extractor.backbone))
