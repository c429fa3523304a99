"""What pretraining would take on this machine, from an epoch on a few images."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from eyebright.data.manifest import Sample
from eyebright.runtime.context import showing
from eyebright.runtime.progress import SILENT
from eyebright.verbs.pretrain.images import PretrainImages, unlabelled_images
from eyebright.verbs.pretrain.options import PretrainConfig
from eyebright.verbs.pretrain.pretrain import EPOCHS, recipe_of

# The first few take what is done once: the stem's export and the engines' race.
_WARMING, _PROBED = 8, 24


@dataclass(frozen=True)
class PretrainCost:
    """What an image takes.

    Attributes:
        images: to learn from.
        views: of each image.
        epochs: unless others are asked for.
        viewing: seconds an image for all its views and, where a stem is frozen, its activations.
        learning: seconds an image in each epoch.
    """

    images: int
    views: int
    epochs: int
    viewing: float
    learning: float

    @property
    def seconds(self) -> float:
        """Return the seconds of the whole pretraining."""
        return self.images * (self.viewing + self.epochs * self.learning)


def pretraining_cost(config: PretrainConfig) -> PretrainCost:
    """Measure an epoch on a few images; what it learns is dropped.

    Args:
        config: of the pretraining; it needs images.

    Raises:
        MissingExtraError: PyTorch is not installed.
        EyebrightError: the images or an option does not allow a pretraining, or the features collapsed.
    """
    from eyebright.training.finetune.system.distributed import init_group
    from eyebright.training.pretrain.loop import pretrain_network
    from eyebright.training.pretrain.training import PretrainRecord
    from eyebright.verbs.pretrain.dataset import build_views
    from eyebright.verbs.pretrain.network import load_pretrain_network

    if config.augment == "auto":  # is chosen once, whatever the number of images
        config = config.model_copy(update={"augment": "gentle"})
    with showing(SILENT), tempfile.TemporaryDirectory() as folder:
        images = unlabelled_images(config.data or Path(), config.path)
        device = init_group(config.device).device
        trained = load_pretrain_network(config, device)
        samples = images.manifest.samples
        build_views(config, _some(images, samples[:_WARMING]), trained)
        probed = samples[_WARMING : _WARMING + _PROBED] or samples[:_WARMING]
        began = time.perf_counter()
        dataset = build_views(config, _some(images, probed), trained)
        viewing = (time.perf_counter() - began) / len(probed)
        recipe = replace(recipe_of(config, dataset, trained.blocks, device.type, 0.0), epochs=1)
        record = PretrainRecord(directory=Path(folder), fingerprint={})
        with trained.encoder.reading(dataset.stem):
            found = pretrain_network(
                trained.pretrainer(recipe), dataset.data, recipe, trained.network.depths, record
            )
    learning = 1 / found.history[-1].images_per_second
    return PretrainCost(len(samples), config.views, config.epochs or EPOCHS, viewing, learning)


def _some(images: PretrainImages, samples: Sequence[Sample]) -> PretrainImages:
    return PretrainImages(replace(images.manifest, samples=tuple(samples)), ())
