"""The model that fine-tuning starts from: a copy of the backbone, with the head solved on its features."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eyebright.backbones.torch.network import Network, set_drop_path
from eyebright.data.manifest import Sample
from eyebright.errors import ConfigError
from eyebright.training.finetune.model.classifier import Classifier
from eyebright.training.finetune.model.feature_network import used_blocks
from eyebright.training.finetune.model.initial_head import initial_head
from eyebright.training.finetune.model.lora import add_adapters
from eyebright.training.finetune.model.predictions import blank_image
from eyebright.training.linear_probe.linear import LinearHead
from eyebright.training.linear_probe.targets import truth_of
from eyebright.types import FloatArray
from eyebright.verbs.train.finetune.finetune_setup import FinetuneSetup
from eyebright.verbs.train.finetune.recipe import loss_of
from eyebright.verbs.train.finetune.teacher import distilled_width
from eyebright.verbs.train.options import TrainConfig

_START_ROWS = 4000  # of frozen features, whose mean and deviation the head's input is scaled by


@dataclass(frozen=True)
class FinetuneModel:
    """A backbone and the classifier that stands on it; both share the backbone's weights.

    Attributes:
        network: the backbone.
        classifier: pixels → logits.
        blocks: names of the backbone's blocks that a feature needs.
    """

    network: Network
    classifier: Classifier
    blocks: tuple[str, ...]

    def copy(self) -> FinetuneModel:
        """Return a model with weights of its own."""
        network, classifier = copy.deepcopy((self.network, self.classifier))
        return FinetuneModel(network, classifier, self.blocks)


def initial_model(config: TrainConfig, setup: FinetuneSetup, network: Network) -> FinetuneModel:
    """Return a copy of ``network`` with the probe's head, adapters and drop path.

    Args:
        config: the options.
        setup: what all fine-tunings of the run share.
        network: the backbone that the probe's features come from; stays as it is.

    Raises:
        ConfigError: an option wants of the network what it does not have.
    """
    extractor = setup.probe.extractor
    taps, size = extractor.taps, extractor.preprocessing.size
    some = setup.samples[:: max(1, len(setup.samples) // _START_ROWS)]
    features = extractor.read(some, taps).astype(np.float32)
    head = _head(config, setup, some, features)
    network = copy.deepcopy(network)
    _add_layers(config, network, size)
    distilled = distilled_width(config, setup.samples)
    classes = len(setup.manifest.labels)
    classifier = Classifier(network, taps, features, classes, head, config.dropout, distilled)
    return FinetuneModel(network, classifier, used_blocks(network, taps))


def _head(
    config: TrainConfig, setup: FinetuneSetup, samples: Sequence[Sample], features: FloatArray
) -> LinearHead:
    truth = truth_of(samples, setup.manifest)
    # A teacher's probabilities are not known yet; the labels' loss wants logits no further apart.
    without = config.model_copy(update={"teacher": None})
    loss = loss_of(without, truth, len(setup.manifest.labels), own=setup.own.loss)
    return initial_head(setup.probe.fit.head, features, truth, loss)


def _add_layers(config: TrainConfig, network: Network, size: int) -> None:
    """Put adapters and drop path into the network, where the options want them."""
    if config.lora:
        add_adapters(network.body, config.lora, blank_image(size), network.card.name)
    if config.drop_path and not set_drop_path(network.body, config.drop_path):
        raise ConfigError(
            "--drop-path needs a backbone with residual branches that can be dropped. {name} has "
            "none. Remove the option.",
            name=network.card.name,
        )
