"""A fine-tuning that has ended: what it left behind, and the classifier that can be sealed of it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eyebright.backbones.card import Preprocessing
from eyebright.backbones.torch.exported import ExportedBackbone
from eyebright.backbones.torch.network import Network
from eyebright.data.decode import load_square
from eyebright.data.manifest import Sample
from eyebright.evaluation.calibration import calibrated
from eyebright.report.content import RateSearch, TrainingCurves
from eyebright.runs.parity_check import Reference
from eyebright.training.finetune.loop import Fitted
from eyebright.training.finetune.model.classifier import Classifier
from eyebright.training.finetune.model.lora import merge_adapters
from eyebright.training.finetune.model.predictions import device_of, square_logits
from eyebright.training.finetune.recipe import Precision
from eyebright.training.linear_probe.probe import FrozenModel
from eyebright.types import FloatArray, Skipped
from eyebright.verbs.train import messages as tell
from eyebright.verbs.train.finetune.recipe import Name, batch_of, rate_of
from eyebright.verbs.train.options import TrainConfig
from eyebright.verbs.train.trained_model import TrainedModel


@dataclass(frozen=True, kw_only=True)
class Learned:
    """What one fine-tuning left behind, beside the weights that the network has now.

    Attributes:
        name: how much of the network learned.
        fitted: what the loop came to.
        share: of the way from the weights before to the best ones, where the network was left.
        temperature: what the logits are divided by, from the held-out images.
        precision: the number format that was computed in.
        picture: a PNG of augmented images.
        search: of the learning rate, where there was one.
        unreadable: held-out images of the training part that were left out.
    """

    name: Name
    fitted: Fitted
    share: float
    temperature: float
    precision: Precision
    picture: bytes
    search: RateSearch | None
    unreadable: Sequence[Skipped]

    def chosen(self, config: TrainConfig, start: FrozenModel) -> dict[str, Any]:
        """The settings that were found, for `metrics.json`."""
        return {
            "size": start.extractor.preprocessing.size,
            "layers": start.layers,
            "tune": self.name,
            "batch": batch_of(config),
            "micro_batch": self.fitted.micro_batch,
            "precision": self.precision,
            "lr": rate_of(config, self.name),
            "epoch": self.fitted.best_epoch,
            "share_of_the_way": self.share,
        }

    def tried(self, start: FrozenModel) -> dict[str, Any]:
        """What was compared and what happened, for `metrics.json`."""
        return {
            **tell.candidates(start),
            "notes": self.fitted.notes,
            "stopped_because": self.fitted.stopped_because,
            "waited_share": self.fitted.waited_share,
        }

    def learning(self) -> TrainingCurves:
        """How the network learned, for the report."""
        return TrainingCurves(
            history=self.fitted.history,
            best=self.fitted.best_epoch,
            stopped_because=tell.stopped(self.fitted.stopped_because),
            waited=self.fitted.waited_share,
            notes=self.fitted.notes,
            search=self.search,
            samples=self.picture,
        )


def ready_to_seal(
    learned: Learned,
    config: TrainConfig,
    network: Network,
    net: Classifier,
    start: FrozenModel,
    reasons: Sequence[str],
    several: bool,
) -> TrainedModel:
    """A copy of the fine-tuned network, with all that is to be told of it.

    Args:
        learned: what the training left behind.
        config: the options, with what was chosen on the way.
        network: that learned.
        net: the same with its head; takes pixels.
        start: the frozen head that training began with.
        reasons: sentences for the report; one that is added later is told as well.
        several: whether an image may have several labels.
    """
    network, net = _copied(config, network, net)
    return TrainedModel(
        backbone=ExportedBackbone(network, None),
        preprocessing=start.extractor.preprocessing,
        taps=start.extractor.taps,
        layers=start.layers,
        head=net.linear_head(),
        temperature=learned.temperature,
        engine=f"pytorch {learned.fitted.device}",
        skipped=(*start.skipped, *learned.unreadable),
        reference=_reference(net, start.extractor.preprocessing, learned.temperature, several),
        chosen=learned.chosen(config, start),
        candidates=learned.tried(start),
        choices=tell.choices(start),
        reasons=reasons,
        training_curves=learned.learning(),
        random_weights=not network.pretrained,
        several=several,
    )


def _copied(config: TrainConfig, network: Network, net: Classifier) -> tuple[Network, Classifier]:
    """The next training goes on with this network: what is sealed must not move with it.

    The copy is exported and compared on the CPU, in full float32 and without memory of the device.
    """
    network, net = copy.deepcopy((network, net))
    net.cpu()
    network.body.cpu()
    if config.lora:
        merge_adapters(network.body)
    network.refresh_card()
    return network, net


def _reference(net: Classifier, seen: Preprocessing, temperature: float, several: bool) -> Reference:
    """The answers of the network itself, with which the sealed model is compared."""

    def probabilities(root: Path, samples: Sequence[Sample]) -> FloatArray:
        squares = (load_square(root / s.path, seen.size, seen.interpolation) for s in samples)
        return calibrated(square_logits(net, squares, device_of(net)), temperature, several)

    return probabilities
