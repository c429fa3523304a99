"""The training data of a fine-tuning: pixels, or cached activations of the frozen stem."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eyebright.backbones.card import Preprocessing
from eyebright.data.manifest import Manifest, Sample
from eyebright.runtime.processes import is_main
from eyebright.training.cache.store import default_folder
from eyebright.training.finetune.data.activation_cache import ActivationSource, CachedViews
from eyebright.training.finetune.data.augment import PRESETS, Augmentation, AugmentName
from eyebright.training.finetune.data.augment_search import AugmentTrial, accuracy_under, choose_augmentation
from eyebright.training.finetune.data.cached_activations import ActivationData
from eyebright.training.finetune.data.frozen_stem import stem_source
from eyebright.training.finetune.data.mixup import Mixing
from eyebright.training.finetune.data.pixel_data import LabelledPixels, PixelData
from eyebright.training.finetune.data.pixels import open_pixels
from eyebright.training.finetune.data.preview import contact_sheet
from eyebright.training.finetune.data.protocol import TrainData
from eyebright.training.finetune.model.classifier import Classifier
from eyebright.training.finetune.model.feature_network import FrozenStem
from eyebright.training.finetune.own_code import OwnTransform
from eyebright.training.linear_probe.folds import row_weights
from eyebright.training.linear_probe.targets import truth_of
from eyebright.types import FloatArray, IntArray, Skipped
from eyebright.verbs.train.finetune.finetune_setup import FinetuneSetup
from eyebright.verbs.train.finetune.initial_model import FinetuneModel
from eyebright.verbs.train.finetune.plan import FinetunePlan
from eyebright.verbs.train.finetune.recipe import augmentation_of
from eyebright.verbs.train.finetune.teacher import teacher_predictions
from eyebright.verbs.train.options import TrainConfig

_COMPARED = 128  # holdout images on which augmentations are compared
_VIEWS = 4  # of each training image, behind a frozen stem
_SHOWN = 4  # images in the augmentation preview
_TEACHER_SHARE, _VIEWS_SHARE = 0.2, 0.4  # of the time: when a teacher's, and all views must be complete


@dataclass(frozen=True, kw_only=True)
class FinetuneDataset:
    """The training data of a fine-tuning.

    Attributes:
        data: batches for the loop.
        truth: (N,) class numbers of the training images, or (N, K) their labels.
        weights: (N,) of the training images, 1 in the mean; None where all weigh alike.
        stem: the frozen stem whose activations ``data`` holds; None where it holds pixels.
        preview: a PNG of augmented images.
        unreadable: images of the training split that were left out.
    """

    data: TrainData
    truth: IntArray
    weights: FloatArray | None
    stem: FrozenStem | None
    preview: bytes
    unreadable: Sequence[Skipped]


@dataclass(frozen=True, kw_only=True)
class FinetuneImages:
    """Images that can be read, resized, with their labels.

    Attributes:
        config: the options.
        train: the training images.
        holdout: the holdout images.
        classes: K.
        augmentation: of the training images.
        teacher: its predictions, where there is one.
        size: side of the training inputs.
        transform: of the user's own.
        unreadable: holdout images that were left out.
    """

    config: TrainConfig
    train: LabelledPixels
    holdout: LabelledPixels
    classes: int
    augmentation: Augmentation
    teacher: CachedViews | None
    size: int
    transform: OwnTransform | None
    unreadable: Sequence[Skipped]

    def pixel_data(self) -> PixelData:
        """Return the images themselves as training data."""
        return PixelData(
            train=self.train,
            holdout=self.holdout,
            classes=self.classes,
            augmentation=self.augmentation,
            mixing=Mixing(self.config.mixup, self.config.cutmix),
            teacher=self.teacher,
            size=self.size,
            transform=self.transform,
        )

    def activations(self, source: ActivationSource) -> ActivationData:
        """Return activations of a frozen stem as training data; they are yet to be computed."""
        views = CachedViews(
            source,
            self.train.pixels,
            self.holdout.pixels.size,
            self.augmentation,
            default_folder(),
            self.teacher.count if self.teacher else _VIEWS,
            self.config.seed,
        )
        return ActivationData(
            views,
            truth=self.train.truth,
            weights=self.train.weights,
            holdout=self.holdout,
            classes=self.classes,
            mixup=self.config.mixup,
            teacher=self.teacher,
        )

    def preview(self) -> bytes:
        """Return a PNG of some images as augmentation shows them."""
        data = self.pixel_data()
        shown = np.linspace(0, data.count - 1, min(_SHOWN, data.count)).astype(np.int64)
        return contact_sheet(data, shown, seed=self.config.seed)


def build(
    plan: FinetunePlan, model: FinetuneModel, setup: FinetuneSetup, seconds: float | None = None
) -> FinetuneDataset:
    """Return the training data of a plan; what the cache lacks is computed.

    Args:
        plan: says what is trained, and at which size.
        model: whose frozen stem computes activations, where a part of it stays frozen.
        setup: what all fine-tunings of the run share.
        seconds: that data and training may take; there are fewer views of each image where they would leave
            too little for training. None for as long as it needs.

    Raises:
        DataError, StorageError: the images or the disk do not allow it.
        ModelError: the backbone cannot be cut there, or the stem not be exported.
    """
    began = time.monotonic()

    def until(share: float) -> float | None:
        if seconds is None:
            return None
        # Others than the first process take what it left in the cache.
        return began + share * seconds if is_main() else 0.0

    images = open_images(
        plan.options,
        setup.manifest,
        setup.samples,
        setup.holdout,
        setup.preprocessing,
        plan.input_size,
        None if plan.own.transform is None else OwnTransform(plan.own.transform),
        until(_TEACHER_SHARE),
    )
    preview = images.preview()
    stem, data = None, None
    if plan.stem_end is not None:
        stem = model.classifier.frozen_stem(model.network, plan.stem_end, plan.size)
        engine_name = setup.probe.trials[0].name
        data = images.activations(stem_source(stem, model.network, plan.stem_end, engine_name))
        data.compute(until=until(_VIEWS_SHARE))
    own = {s.path for s in setup.whole.of("train")}
    return FinetuneDataset(
        data=data or images.pixel_data(),
        truth=images.train.truth,
        weights=images.train.weights,
        stem=stem,
        preview=preview,
        unreadable=[s for s in images.unreadable if s.path in own],  # others are reported in the end
    )


def open_images(
    config: TrainConfig,
    manifest: Manifest,
    samples: Sequence[Sample],
    holdout: Sequence[Sample],
    preprocessing: Preprocessing,
    input_size: int | None = None,
    transform: OwnTransform | None = None,
    until: float | None = None,
) -> FinetuneImages:
    """Decode what the cache lacks, and run the teacher, if there is one.

    Args:
        config: the options.
        manifest: of the samples.
        samples: the training images.
        holdout: the holdout images.
        preprocessing: of the backbone.
        input_size: side of the training inputs; the backbone's own by default.
        transform: of the user's own, of the training images.
        until: on the monotonic clock, by when the teacher's views must be complete.
    """
    root, labels = manifest.root, manifest.labels
    augmentation = augmentation_of(config)
    cache = default_folder() if config.pixel_cache else None
    size, how = preprocessing.size, preprocessing.interpolation
    input_size = input_size or size
    side = augmentation.stored_size(input_size, size)
    pixels, _ = open_pixels(root, samples, side, how, cache)
    holdout_pixels, unreadable = open_pixels(root, holdout, size, how, cache)
    teacher = None
    if config.teacher is not None:
        teacher = teacher_predictions(config, root, labels, pixels.samples, augmentation, until)
    return FinetuneImages(
        config=config,
        train=LabelledPixels(pixels, truth_of(pixels.samples, manifest), row_weights(pixels.samples)),
        holdout=LabelledPixels(holdout_pixels, truth_of(holdout_pixels.samples, manifest)),
        classes=len(labels),
        augmentation=augmentation,
        teacher=teacher,
        size=input_size,
        transform=transform,
        unreadable=unreadable,
    )


def learning_size(config: TrainConfig, model: FinetuneModel, size: int) -> int:
    """Return the side of the training inputs where everything is trained, for images of ``size`` pixels."""
    smaller = augmentation_of(config).input_size(size)
    return smaller if model.network.fixed_size is None and model.classifier.takes(smaller) else size


def select_augmentation(
    config: TrainConfig, setup: FinetuneSetup, net: Classifier
) -> tuple[AugmentName, list[AugmentTrial]]:
    """Return how strongly images may be augmented, by what ``net`` predicts for augmented holdout images.

    Args:
        config: the options.
        setup: gives the holdout images, of which some are used.
        net: that training starts from; takes pixels.
    """
    manifest, holdout = setup.manifest, setup.holdout
    some = holdout[:: max(1, len(holdout) // _COMPARED)]
    size, how = setup.preprocessing.size, setup.preprocessing.interpolation

    def accuracy(name: AugmentName) -> float:
        pixels, _ = open_pixels(manifest.root, some, PRESETS[name].stored_size(size), how, None)
        return accuracy_under(name, net, pixels, truth_of(pixels.samples, manifest), size, config.seed)

    return choose_augmentation(accuracy, manifest.task.chance(truth_of(some, manifest), len(manifest.labels)))
