"""The images of a fine-tuning as the loop takes them: pixels, or rows of a frozen part, with targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from eyebright.backbones.card import Preprocessing
from eyebright.backbones.torch.network import Network
from eyebright.data.manifest import Manifest, Sample
from eyebright.engines.choose import make
from eyebright.training.cache.store import default_folder
from eyebright.training.finetune.data.activation_cache import Prefix, ViewRows
from eyebright.training.finetune.data.augment import PRESETS, Augmentation, AugmentName
from eyebright.training.finetune.data.augment_search import AugmentTrial, accuracy_under, choose_augmentation
from eyebright.training.finetune.data.cached_activations import PrefixData
from eyebright.training.finetune.data.frozen_stem import frozen_graph, run_engine
from eyebright.training.finetune.data.mixup import Mixing
from eyebright.training.finetune.data.pixel_data import PixelData
from eyebright.training.finetune.data.pixels import Pixels, open_pixels
from eyebright.training.finetune.data.preview import contact_sheet
from eyebright.training.finetune.model.classifier import Classifier
from eyebright.training.linear_probe.targets import truth_of
from eyebright.types import IntArray, Skipped
from eyebright.verbs.train.finetune.teacher import teacher_rows
from eyebright.verbs.train.options import TrainConfig

_ASKED = 128  # held-out images on which augmentations are compared
_SHOWN = 4  # images in the picture of augmentation


@dataclass(frozen=True)
class TuningImages:
    """Images that can be read, as squares, with their classes.

    Attributes:
        config: the options.
        pixels, truth: the training images and their class numbers (N,).
        judges, judge_truth: the held-out images.
        classes: K.
        augmentation: of the training images.
        teacher: its answers, where one is learned from.
        size: the side of the inputs to learn from.
        unreadable: held-out images that were left out.
    """

    config: TrainConfig
    pixels: Pixels
    truth: IntArray
    judges: Pixels
    judge_truth: IntArray
    classes: int
    augmentation: Augmentation
    teacher: ViewRows | None
    size: int
    unreadable: Sequence[Skipped]

    def whole(self) -> PixelData:
        """The images themselves."""
        mixing = Mixing(self.config.mixup, self.config.cutmix)
        return PixelData(
            self.pixels,
            self.truth,
            self.judges,
            self.judge_truth,
            self.classes,
            self.augmentation,
            mixing,
            self.teacher,
            self.size,
        )

    def picture(self) -> bytes:
        """A PNG of some images as augmentation shows them."""
        whole = self.whole()
        shown = np.linspace(0, whole.count - 1, min(_SHOWN, whole.count)).astype(np.int64)
        return contact_sheet(whole, shown, seed=self.config.seed)

    def behind(self, prefix: Prefix) -> PrefixData:
        """Rows of a frozen part, which are yet to be computed."""
        return PrefixData(
            prefix,
            self.pixels,
            self.truth,
            self.judges,
            self.judge_truth,
            self.classes,
            self.augmentation,
            default_folder(),
            seed=self.config.seed,
            mixup=self.config.mixup,
            teacher=self.teacher,
        )


def open_images(
    config: TrainConfig,
    manifest: Manifest,
    samples: Sequence[Sample],
    judges: Sequence[Sample],
    preprocessing: Preprocessing,
    input_size: int | None = None,
) -> TuningImages:
    """Decodes what the cache lacks, and asks the teacher, if there is one.

    Args:
        config: the options.
        manifest: of the samples.
        samples: to learn from.
        judges: held out.
        preprocessing: of the network that learns.
        input_size: the side of the inputs to learn from; the network's own unless told.
    """
    root, labels = manifest.root, manifest.labels
    augmentation = augmentation_of(config)
    cache = default_folder() if config.pixel_cache else None
    size, how = preprocessing.size, preprocessing.interpolation
    input_size = input_size or size
    side = augmentation.stored_size(input_size, size)
    pixels, _ = open_pixels(root, samples, side, how, cache)
    judged, unreadable = open_pixels(root, judges, size, how, cache)
    teacher = None
    if config.teacher is not None:
        teacher = teacher_rows(config, root, labels, pixels.samples, augmentation)
    return TuningImages(
        config,
        pixels,
        truth_of(pixels.samples, manifest),
        judged,
        truth_of(judged.samples, manifest),
        len(labels),
        augmentation,
        teacher,
        input_size,
        unreadable,
    )


def frozen_prefix(net: Classifier, network: Network, unit: str, size: int, engine_name: str) -> Prefix:
    """Cuts ``net`` behind ``unit``, and gives the part before it, which stays as it is.

    Args:
        net: takes rows of that part from now on.
        network: that it stands on.
        unit: the last one that does not learn.
        size: of the images in pixels.
        engine_name: what runs the part.

    Raises:
        ModelError: the network cannot be cut there, or the part not be exported.
    """
    lower = net.cut(network, unit, size)
    engine = make(engine_name, frozen_graph(lower))
    card = {
        "backbone": network.card.name,
        "backbone_sha": network.card.sha,
        "cut": unit,
        "taps": [f"{tap.layer.name}:{tap.kind}" for tap in lower.taps],
        "engine": engine.name,
    }
    return Prefix(lambda pixels: run_engine(engine, pixels), lower.width, card, threads=True)


def learning_size(config: TrainConfig, net: Classifier, network: Network, size: int) -> int:
    """The side of what is learned from where everything learns, for images of ``size`` pixels."""
    smaller = augmentation_of(config).input_size(size)
    return smaller if network.fixed_size is None and net.takes(smaller) else size


def augmentation_of(config: TrainConfig) -> Augmentation:
    """How the training images are varied; as usual where it is not chosen yet."""
    preset = PRESETS["standard" if config.augment == "auto" else config.augment]
    return replace(preset, erasing=config.erasing)


def try_augmentations(
    config: TrainConfig,
    manifest: Manifest,
    judges: Sequence[Sample],
    preprocessing: Preprocessing,
    net: Classifier,
) -> tuple[AugmentName, list[AugmentTrial]]:
    """How strongly images may be varied, by what ``net`` makes of varied held-out ones.

    Args:
        config: the options.
        manifest: of the samples.
        judges: the held-out images, of which some are looked at.
        preprocessing: of the network.
        net: that training begins with; takes pixels.
    """
    some = judges[:: max(1, len(judges) // _ASKED)]
    size, how = preprocessing.size, preprocessing.interpolation

    def accuracy(name: AugmentName) -> float:
        pixels, _ = open_pixels(manifest.root, some, PRESETS[name].stored_size(size), how, None)
        return accuracy_under(name, net, pixels, truth_of(pixels.samples, manifest), size, config.seed)

    return choose_augmentation(accuracy, _chance(truth_of(some, manifest), len(manifest.labels)))


def _chance(truth: IntArray, classes: int) -> float:
    """How often one is right who knows nothing, or only how common each of several labels is."""
    if truth.ndim == 1:
        return 1 / classes
    shares = truth.mean(axis=0)
    return float(np.maximum(shares, 1 - shares).mean())
