"""Whether each class has training images left, before features are computed and after files were skipped."""

from __future__ import annotations

from collections.abc import Sequence

from eyebright.data.checks import naming
from eyebright.data.manifest import Manifest, Sample
from eyebright.errors import DataError
from eyebright.runtime.context import say
from eyebright.text.format import listed
from eyebright.training.linear_probe.targets import truth_of
from eyebright.types import Skipped


def require_training_images(
    manifest: Manifest, samples: Sequence[Sample], skipped: Sequence[Skipped]
) -> None:
    """Refuse classes of which no training image is left; one is enough, where another was held out.

    Args:
        manifest: all samples.
        samples: of the training split, those that can be read.
        skipped: training images that cannot be read.

    Raises:
        DataError: naming the classes, and the files that could not be read.
    """
    gone = _with_images(manifest, samples, 0)
    if gone:
        error = DataError(
            "Every class must have a readable training image besides those that are held out for "
            "validation or test. None is left of: {labels}. Repair or add images, or remove the class.",
            labels=listed(gone),
        )
        raise naming(error, skipped)


def say_single_images(manifest: Manifest, samples: Sequence[Sample]) -> None:
    """Warn of classes with one training image, of which nothing can be cross-validated."""
    if single := _with_images(manifest, samples, 1):
        say(
            "Warning: {count:class has|classes have} a single training image: {labels}. Their "
            "probabilities cannot be calibrated. Add images.",
            count=len(single),
            labels=listed(single),
        )


def _with_images(manifest: Manifest, samples: Sequence[Sample], wanted: int) -> list[str]:
    counts = manifest.task.counts(truth_of(samples, manifest), len(manifest.labels))
    return [label for label, count in zip(manifest.labels, counts, strict=True) if count == wanted]
