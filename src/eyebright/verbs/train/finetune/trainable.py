"""What of a network learns: the head, and as many units below it as the options say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eyebright.backbones.torch.network import Network
from eyebright.training.finetune.model.classifier import Classifier
from eyebright.training.finetune.model.optimizer import Optimizer, depths, make_optimizer
from eyebright.training.finetune.model.unfreeze import deepest_learning, unfreeze
from eyebright.verbs.train.finetune.recipe import Name, epochs_of, rate_of
from eyebright.verbs.train.options import TrainConfig


@dataclass(frozen=True)
class Unfrozen:
    """What of a network learns.

    Attributes:
        net: the network with its head.
        reach: how many units learn, counted from the head.
        depths: of the parameters that learn, by name; the head has 0.
    """

    net: Classifier
    reach: int
    depths: dict[str, int]

    def optimizer(self, config: TrainConfig, name: Name) -> Optimizer:
        """An optimiser of these parameters, as the options want it."""
        return make_optimizer(
            self.net,
            self.depths,
            config.optimizer,
            rate_of(config, name),
            config.weight_decay,
            config.layer_decay,
        )

    def begin_epoch(self, config: TrainConfig, name: Name, epoch: int) -> None:
        """Lets those units learn whose turn has come, where they learn one after another."""
        if config.gradual:
            deepest = deepest_learning(epoch, epochs_of(config, name), self.reach)
            unfreeze(self.net, self.depths, deepest)


def let_learn(
    config: TrainConfig, name: Name, net: Classifier, network: Network, units: Sequence[str]
) -> Unfrozen:
    """Lets the head and the last units or all of them learn, and nothing else.

    Args:
        config: the options.
        name: how much is to learn.
        net: the network with its head; what learns is changed in place.
        network: that it stands on.
        units: of the network that a feature needs.
    """
    reach = len(units)
    if name != "full":
        reach = min(config.unfreeze or max(1, round(len(units) / 4)), len(units))
    idle = len(network.units) - len(units)
    found = depths([parameter for parameter, _ in net.named_parameters()], network.depths)
    # Depths count from the head; what lies between it and the last unit that a feature needs is idle.
    used = {name: max(depth - idle, 0) for name, depth in found.items() if depth == 0 or depth > idle}
    if config.lora:
        used = {name: depth for name, depth in used.items() if depth == 0 or "lora_" in name}
    net.requires_grad_(False)
    unfreeze(net, used, reach)
    return Unfrozen(net, reach, {name: depth for name, depth in used.items() if depth <= reach})
