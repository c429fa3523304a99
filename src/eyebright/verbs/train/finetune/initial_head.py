"""What fine-tuning begins with: the network as the options want it, and the head that was solved on it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eyebright.backbones.torch.network import Network, set_drop_path
from eyebright.data.manifest import Manifest, Sample
from eyebright.errors import ConfigError
from eyebright.training.finetune.model.classifier import Classifier
from eyebright.training.finetune.model.initial_head import beginning_head
from eyebright.training.finetune.model.lora import add_adapters
from eyebright.training.finetune.model.predictions import blank_image
from eyebright.training.linear_probe.linear import LinearHead
from eyebright.training.linear_probe.probe import FrozenModel
from eyebright.training.linear_probe.targets import truth_of
from eyebright.types import FloatArray
from eyebright.verbs.train.finetune.recipe import loss_of
from eyebright.verbs.train.finetune.teacher import guesses_of
from eyebright.verbs.train.options import TrainConfig

_START_ROWS = 4000  # of frozen features, whose mean and deviation the head's input is scaled by


def beginning_classifier(
    config: TrainConfig,
    manifest: Manifest,
    samples: Sequence[Sample],
    network: Network,
    start: FrozenModel,
) -> Classifier:
    """The network with the head that it begins with; adapters and drop path are put into it in place.

    Args:
        config: the options.
        manifest: of the samples.
        samples: to learn from.
        network: that is to learn.
        start: the head that was solved on its frozen features.

    Raises:
        ConfigError: an option wants of the network what it does not have.
    """
    taps = start.extractor.taps
    some = samples[:: max(1, len(samples) // _START_ROWS)]
    rows = start.extractor.read(some, taps).astype(np.float32)
    head = _head(config, manifest, some, rows, start)
    _prepare(config, network, start.extractor.preprocessing.size)
    guesses = guesses_of(config, samples)
    return Classifier(network, taps, rows, len(manifest.labels), head, config.dropout, guesses)


def _head(
    config: TrainConfig, manifest: Manifest, samples: Sequence[Sample], rows: FloatArray, start: FrozenModel
) -> LinearHead:
    """The solved head over the temperature that suits the loss, by the features (n, D) of some samples."""
    truth = truth_of(samples, manifest)
    # A teacher's probabilities are not known yet; the labels' loss wants logits no further apart.
    loss = loss_of(config.model_copy(update={"teacher": None}), truth, len(manifest.labels))
    return beginning_head(start.fit.head, rows, truth, loss)


def _prepare(config: TrainConfig, network: Network, size: int) -> None:
    """Puts adapters and drop path into the network, where they are asked for."""
    if config.lora:
        add_adapters(network.body, config.lora, blank_image(size), network.card.name)
    if config.drop_path and not set_drop_path(network.body, config.drop_path):
        raise ConfigError(
            "--drop-path needs a backbone with residual branches that can be dropped. {name} has "
            "none. Remove the option.",
            name=network.card.name,
        )
