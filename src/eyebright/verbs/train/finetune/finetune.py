"""Fine-tuning: resolve a plan, build its dataset, fit the model, package it for sealing.

Training starts from the linear probe: the head that was solved on frozen features, with the input size and
layers that were selected for it. Holdout images, used for nothing else, decide when it stops and which wins.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from eyebright.backbones import catalog
from eyebright.backbones.licences import require_use
from eyebright.data.manifest import Manifest
from eyebright.report.summary.findings import finetuning_sentence
from eyebright.runtime.context import progress, say, timed
from eyebright.runtime.processes import is_main
from eyebright.training.cache.store import exports_folder
from eyebright.training.finetune.recipe import OWN
from eyebright.training.linear_probe.folds import row_weights
from eyebright.verbs.train import messages as tell
from eyebright.verbs.train.frozen.linear_probe import frozen_model
from eyebright.verbs.train.holdout import with_holdout
from eyebright.verbs.train.launch import main_first
from eyebright.verbs.train.options import TrainConfig
from eyebright.verbs.train.own_code import NOTHING_OWN, OwnCode, require_own_backbone
from eyebright.verbs.train.resume import adopt
from eyebright.verbs.train.trained_model import TrainedModel

if TYPE_CHECKING:
    from eyebright.backbones.torch.network import Network
    from eyebright.training.finetune.history import EpochRow
    from eyebright.verbs.train.finetune.finetune_setup import FinetuneSetup
    from eyebright.verbs.train.finetune.fit import FinetuneResult, HoldoutScore
    from eyebright.verbs.train.finetune.initial_model import FinetuneModel
    from eyebright.verbs.train.finetune.recipe import Depth

#: Before a file that `eyebright prune` wrote, where the name of a backbone stands.
PRUNED = "pruned:"


def network_to_finetune(config: TrainConfig, manifest: Manifest, own: OwnCode) -> Network:
    """Return the network to fine-tune, once options, device and weights are found to be right.

    Args:
        config: the options.
        manifest: all samples.
        own: code of the user's own, which is tried.

    Raises:
        EyebrightError: they are not, or PyTorch is not installed; nothing was written.
    """
    catalog.require_torch()
    from eyebright.training.finetune.model.fold_batchnorm import fold_norms
    from eyebright.training.finetune.model.predictions import blank_image
    from eyebright.training.finetune.system.distributed import init_group
    from eyebright.verbs.train.finetune.recipe import check, keeps_norms

    check(config, manifest.task)
    init_group(config.device)
    _try(own, manifest)
    network = load_network(config, own)
    if keeps_norms(config, network):
        fold_norms(network.body, blank_image(network.card.preprocessing.size))
    if config.teacher is not None:
        tell.student(network.card, config.teacher)
    return network


def finetune(
    config: TrainConfig,
    manifest: Manifest,
    network: Network,
    directory: Path,
    on_epoch: Callable[[EpochRow], bool | None],
    began: float,
    own: OwnCode,
) -> TrainedModel:
    """Fine-tune a copy of a network on the training split of ``manifest``.

    Args:
        config: with ``finetune`` last, full or auto.
        manifest: all samples; the evaluated split is not looked at.
        network: see :func:`network_to_finetune`; stays as it is.
        directory: of the run; gets `checkpoints/`, `history.csv` and `plan.json`.
        on_epoch: called with each row of the history; True ends the training, and what it raises.
        began: when the time of a budget began, on the monotonic clock.
        own: code of the user's own.

    Raises:
        EyebrightError: the memory, the images or the disk do not allow it.
    """
    from eyebright.backbones.torch.exported import ExportedBackbone
    from eyebright.verbs.train.finetune.compare import outcome_of, probe_score
    from eyebright.verbs.train.finetune.finetune_setup import FinetuneSetup
    from eyebright.verbs.train.finetune.initial_model import initial_model
    from eyebright.verbs.train.finetune.package import package

    inner = with_holdout(manifest, config.seed)
    with main_first(config.device):
        probe = frozen_model(sized(config, network), inner, ExportedBackbone(network, exports_folder()))
    setup = FinetuneSetup(
        manifest=inner,
        whole=manifest,
        probe=probe,
        directory=directory,
        device=config.device,
        on_epoch=on_epoch,
        began=began,
        own=own,
    )
    model = initial_model(config, setup, network)
    with timed("finetune"):
        score = probe_score(setup)  # fine-tuning changes the network in place
        if config.finetune in ("last", "full"):
            seconds = None if config.budget is None else setup.seconds_left(config.budget)
            result = _finetune_depth(config, config.finetune, model, setup, seconds)
            outcome = outcome_of(config.finetune, result.score, score, requested=True)
            progress().say(finetuning_sentence(asdict(outcome)))
            return replace(package(result, setup), finetuning=outcome)
        return _finetune_auto(config, manifest, model, setup, score)


def load_network(config: TrainConfig, own: OwnCode = NOTHING_OWN) -> Network:
    """Return the network to start from; random weights come with a warning, and from the seed."""
    catalog.require_torch()
    from eyebright.training.finetune.system.seeding import seed_weights

    seed_weights(config.seed)
    if config.backbone.startswith(PRUNED):
        from eyebright.compression.pruned import load_pruned

        return load_pruned(Path(config.backbone.removeprefix(PRUNED)))
    network = own.sealed_in(_network(config, own))
    require_use(network.card.name, network.card.licence, config.licence)
    if not network.pretrained:
        say(
            "Warning: {name} starts from random weights and is not pretrained. Expect much lower "
            "accuracy than with pretrained weights (--weights FILE).",
            name=network.card.name,
        )
    return network


def _try(own: OwnCode, manifest: Manifest) -> None:
    """Try the user's objects: what cannot be used is told now, not after minutes."""
    from eyebright.training.finetune.own_code import OwnTransform, check_loss, check_optimizer

    if own.loss is not None:
        check_loss(own.loss, len(manifest.labels), row_weights(manifest.of("train")) is not None)
    if own.optimizer is not None:
        check_optimizer(own.optimizer)
    if own.transform is not None:
        OwnTransform(own.transform)


def _network(config: TrainConfig, own: OwnCode) -> Network:
    size = None if config.size == "auto" else config.size
    if own.backbone is not None:
        return own.backbone.network(size)
    if config.backbone.startswith(OWN):
        raise require_own_backbone(config.backbone)
    return catalog.load(config.backbone, config.weights, size)


def sized(config: TrainConfig, network: Network) -> TrainConfig:
    """Return the options; random features cannot select a size, so the network's own is taken then."""
    if config.size != "auto" or network.pretrained:
        return config
    return config.model_copy(update={"size": network.card.preprocessing.size, "layers": "stages"})


def _finetune_depth(
    config: TrainConfig, depth: Depth, model: FinetuneModel, setup: FinetuneSetup, seconds: float | None
) -> FinetuneResult:
    """Resolve, build and fit one fine-tuning; ``model`` is trained, and becomes the result's.

    Args:
        config: the options, with what an earlier fine-tuning of the run resolved.
        depth: how much of the backbone is trained.
        model: to train.
        setup: what all fine-tunings of the run share.
        seconds: that all this may take; None for as long as it needs.
    """
    from eyebright.training.finetune.system.distributed import init_group
    from eyebright.verbs.train.finetune.dataset import build
    from eyebright.verbs.train.finetune.fit import fit
    from eyebright.verbs.train.finetune.recipe import loss_of
    from eyebright.verbs.train.finetune.resolve import measure, resolve

    began = time.monotonic()
    plan = resolve(config, depth, model, setup)
    with main_first(config.device):
        dataset = build(plan, model, setup, seconds)
    loss = loss_of(config, dataset.truth, len(setup.manifest.labels), dataset.weights, setup.own.loss)
    plan = measure(plan, dataset, model, loss, seconds)
    if seconds is not None:
        seconds = init_group(config.device).broadcast(seconds - (time.monotonic() - began))
    return fit(plan, dataset, model, loss, setup, seconds)


def _finetune_auto(
    config: TrainConfig, manifest: Manifest, model: FinetuneModel, setup: FinetuneSetup, score: HoldoutScore
) -> TrainedModel:
    """Compare the linear probe with the last blocks fine-tuned and, from there, everything fine-tuned."""
    from eyebright.verbs.train.finetune.compare import best_depth, best_of, kept_frozen
    from eyebright.verbs.train.finetune.recipe import AUTO_SECONDS
    from eyebright.verbs.train.finetune.resolve import with_augmentation
    from eyebright.verbs.train.finetune.time_shares import (
        against_full,
        against_last,
        seconds_for_full,
        seconds_for_last,
    )

    budget = config.budget or AUTO_SECONDS
    reason = against_last(setup.seconds_left(budget), setup)
    if reason is not None:
        progress().say(reason)
        return kept_frozen(config, manifest, setup, score, reason)
    resolved = with_augmentation(config, model, setup)
    full = seconds_for_full(resolved, model, setup)
    seconds = seconds_for_last(setup.seconds_left(budget), full)
    last = _finetune_depth(resolved, "last", model, setup, seconds)
    results: dict[Depth, FinetuneResult] = {"last": last}
    left = setup.seconds_left(budget, last.earlier_seconds)
    reason = against_full(last, left, full)
    if reason is None:
        results["full"] = _finetune_depth(last.plan.options, "full", last.model.copy(), setup, left)
    if is_main():
        adopt(setup.directory / best_depth(results), setup.directory)
    return best_of(config, manifest, setup, score, results, (reason,) if reason else ())
