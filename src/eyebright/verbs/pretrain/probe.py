"""`pretrain --dry-run`: what pretraining would take on this machine, from an epoch on a few images."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from eyebright.backbones import catalog
from eyebright.data.manifest import Sample
from eyebright.report.display import Displayed, ResultTable
from eyebright.runtime.context import progress_task, showing, stage
from eyebright.runtime.progress import SILENT
from eyebright.text.format import duration
from eyebright.text.language import translate
from eyebright.verbs.pretrain.images import PretrainImages, unlabelled_images
from eyebright.verbs.pretrain.options import PretrainConfig
from eyebright.verbs.pretrain.pretrain import EPOCHS, recipe_of

# The first few take what is done once: the stem's export and the engines' race.
_WARMING, _PROBED = 8, 24


@dataclass(frozen=True, repr=False)
class PretrainCost(Displayed):
    """What an image takes; nothing was kept of the trial.

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

    def sentence(self) -> str:
        """Return what all images take."""
        return translate(
            "{time}: {views} views of each image, then {epochs:epoch|epochs} of {epoch}, fewer with "
            "`--budget`",
            time=duration(self.seconds),
            views=self.views,
            epochs=self.epochs,
            epoch=duration(self.images * self.learning),
        )

    def display(self) -> Iterator[str | ResultTable]:
        """Yield what all images take, and what tells whether it helps."""
        yield translate(
            "Nothing was trained. Estimated on this machine, for {count:image|images}:", count=self.images
        )
        yield self.sentence()
        yield translate(
            "Whether it helps, only labelled images can tell: `eyebright train DATA --pretrain IMAGES`."
        )


@stage
def probe(config: PretrainConfig) -> PretrainCost:
    """Measure an epoch on a few images, and write nothing.

    Args:
        config: of the pretraining; it needs images.

    Raises:
        MissingExtraError: PyTorch is not installed.
        EyebrightError: the images or an option does not allow a pretraining, or the features collapsed.
    """
    catalog.require_torch()
    return pretraining_cost(config)


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
    with (
        progress_task("Trying self-supervised training on a few images"),
        showing(SILENT),
        tempfile.TemporaryDirectory() as folder,
    ):
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
