"""What of a model is trained: the head, and as many blocks below it as the plan says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from eyebright.training.finetune.model.classifier import Classifier
from eyebright.training.finetune.model.feature_network import FrozenStem
from eyebright.training.finetune.model.optimizer import (
    Optimizer,
    depths,
    make_optimizer,
    parameter_groups,
    unfreeze,
    unfrozen_depth,
)
from eyebright.training.finetune.own_code import own_optimizer
from eyebright.training.finetune.system.cpu_speedups import cpu_speedups
from eyebright.training.finetune.system.distributed import ProcessGroup
from eyebright.training.finetune.system.memory import activation_checkpointing
from eyebright.verbs.train.finetune.initial_model import FinetuneModel
from eyebright.verbs.train.finetune.plan import FinetunePlan
from eyebright.verbs.train.options import TrainConfig


@dataclass(frozen=True)
class Trainable:
    """The parameters of a classifier that are trained.

    Attributes:
        classifier: whose parameters they are.
        blocks: number of blocks that are trained, counted from the head.
        depths: distance of each parameter from the head, by name; the head has 0.
    """

    classifier: Classifier
    blocks: int
    depths: dict[str, int]

    def optimizer(self, plan: FinetunePlan) -> Optimizer:
        """Return an optimiser of these parameters."""
        options, net, depths = plan.options, self.classifier, self.depths
        decays = options.weight_decay, options.layer_decay
        if plan.own.optimizer is not None:
            return own_optimizer(plan.own.optimizer, parameter_groups(net, depths, plan.lr, *decays))
        return make_optimizer(net, depths, options.optimizer, plan.lr, *decays)

    def begin_epoch(self, plan: FinetunePlan, epoch: int, epochs: int) -> None:
        """Unfreeze the blocks whose turn has come, with gradual unfreezing."""
        if plan.options.gradual:
            deepest = unfrozen_depth(epoch, epochs, self.blocks)
            unfreeze(self.classifier, self.depths, deepest)


@contextmanager
def ready_to_train(
    plan: FinetunePlan, model: FinetuneModel, stem: FrozenStem | None, group: ProcessGroup
) -> Iterator[Trainable]:
    """Put the model on its device, reading activations of ``stem`` and training as the plan says.

    Args:
        plan: what is trained.
        model: which is moved, and whose parameters are frozen and unfrozen.
        stem: the frozen stem; None where the model reads pixels.
        group: of processes; gives the device of this one.
    """
    classifier = model.classifier
    trainable = set_trainable(plan, model)
    with classifier.reading(stem):
        classifier.to(group.device)
        recomputed = classifier.checkpointable(model.blocks) if plan.options.save_memory else ()
        with cpu_speedups(classifier, group.device), activation_checkpointing(recomputed):
            yield trainable


def trained_blocks(config: TrainConfig, depth: str, blocks: int) -> int:
    """Return how many of a model's blocks are trained, counted from the head."""
    if depth == "full":
        return blocks
    return min(config.unfreeze or max(1, round(blocks / 4)), blocks)


def set_trainable(plan: FinetunePlan, model: FinetuneModel) -> Trainable:
    """Unfreeze the head and the blocks of the plan, and freeze everything else."""
    classifier, network = model.classifier, model.network
    idle = len(network.blocks) - len(model.blocks)
    found = depths([parameter for parameter, _ in classifier.named_parameters()], network.depths)
    # Depths count from the head; what lies between it and the last block that a feature needs is idle.
    used = {name: max(depth - idle, 0) for name, depth in found.items() if depth == 0 or depth > idle}
    if plan.options.lora:
        used = {name: depth for name, depth in used.items() if depth == 0 or "lora_" in name}
    classifier.requires_grad_(False)
    unfreeze(classifier, used, plan.blocks)
    trained = {name: depth for name, depth in used.items() if depth <= plan.blocks}
    return Trainable(classifier, plan.blocks, trained)
