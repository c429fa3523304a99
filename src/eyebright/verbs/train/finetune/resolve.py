"""Resolve what the options of a fine-tuning leave open: augmentation, number format, learning rate."""

from __future__ import annotations

from dataclasses import replace

from eyebright.report.content import RateSearch
from eyebright.runtime.context import progress
from eyebright.training.finetune.data.augment import AugmentName
from eyebright.training.finetune.data.augment_search import LADDER
from eyebright.training.finetune.step import Loss
from eyebright.training.finetune.system.distributed import ProcessGroup, init_group
from eyebright.training.finetune.system.probes import choose_precision, rate_test
from eyebright.verbs.train import messages as tell
from eyebright.verbs.train.finetune.dataset import FinetuneDataset, learning_size, select_augmentation
from eyebright.verbs.train.finetune.finetune_setup import FinetuneSetup
from eyebright.verbs.train.finetune.initial_model import FinetuneModel
from eyebright.verbs.train.finetune.plan import FinetunePlan
from eyebright.verbs.train.finetune.recipe import Depth, batch_of, keeps_norms, rate_of
from eyebright.verbs.train.finetune.trainable import Trainable, ready_to_train, trained_blocks
from eyebright.verbs.train.options import TrainConfig


def resolve(config: TrainConfig, depth: Depth, model: FinetuneModel, setup: FinetuneSetup) -> FinetunePlan:
    """Return the plan of a fine-tuning, as far as it is known before its data are built.

    Args:
        config: the options, with what an earlier fine-tuning of the run resolved.
        depth: how much of the backbone is trained.
        model: that training starts from.
        setup: what all fine-tunings of the run share.
    """
    config = with_augmentation(config, model, setup)
    size, blocks = setup.preprocessing.size, trained_blocks(config, depth, len(model.blocks))
    frozen = len(model.blocks) - blocks
    return FinetunePlan(
        depth=depth,
        options=config,
        lr=rate_of(config, depth),
        size=size,
        input_size=size if frozen else learning_size(config, model, size),
        layers=setup.probe.layers,
        blocks=blocks,
        stem_end=model.blocks[frozen - 1] if frozen else None,
        frozen_norm=keeps_norms(config, model.network),
        own=setup.own,
    )


def with_augmentation(config: TrainConfig, model: FinetuneModel, setup: FinetuneSetup) -> TrainConfig:
    """Return the options with an augmentation, chosen on holdout images where it was left open."""
    if config.augment != "auto":
        return config
    name: AugmentName = "none"
    if setup.own.transform is None:
        selected, trials = select_augmentation(config, setup, model.classifier)
        name = LADDER[int(init_group(config.device).broadcast(LADDER.index(selected)))]
        progress().say(tell.augmentation(trials, name))
    return config.model_copy(update={"augment": name})


def measure(
    plan: FinetunePlan,
    dataset: FinetuneDataset,
    model: FinetuneModel,
    loss: Loss,
    seconds: float | None = None,
) -> FinetunePlan:
    """Return the plan with number format and learning rate, found by short trials.

    Args:
        plan: as :func:`resolve` gives it.
        dataset: the training data.
        model: whose weights are the same afterwards.
        loss: of each image.
        seconds: that trials and training may take; None for as long as they need.

    Raises:
        TrainingError: not even one image fits into memory.
    """
    group = init_group(plan.options.device)
    with ready_to_train(plan, model, dataset.stem, group) as trainable:
        if plan.options.precision == "auto":
            plan = _with_precision(plan, trainable, dataset, loss, group)
        if plan.options.lr == "find":
            plan = _with_rate(plan, trainable, dataset, loss, group, seconds)
    return plan


def _with_precision(
    plan: FinetunePlan, trainable: Trainable, dataset: FinetuneDataset, loss: Loss, group: ProcessGroup
) -> FinetunePlan:
    options, net = plan.options, trainable.classifier
    selected, trials = choose_precision(net, dataset.data, loss, group, options.seed, batch_of(options))
    progress().say(tell.precision(trials, selected))
    return replace(plan, options=options.model_copy(update={"precision": selected}))


def _with_rate(
    plan: FinetunePlan,
    trainable: Trainable,
    dataset: FinetuneDataset,
    loss: Loss,
    group: ProcessGroup,
    seconds: float | None,
) -> FinetunePlan:
    """Find the learning rate; where several depths are compared, each has its own."""
    net, optimizer = trainable.classifier, trainable.optimizer(plan)
    seen = rate_test(net, dataset.data, loss, optimizer, group, plan.recipe(seconds))
    lr = group.broadcast(seen.suggestion)
    options = plan.options
    if options.finetune == plan.depth:
        options = options.model_copy(update={"lr": lr})
    search = RateSearch(seen.rates, seen.losses, seen.suggestion)
    return replace(plan, options=options, lr=lr, search=search)
