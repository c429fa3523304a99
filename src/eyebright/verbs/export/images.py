"""The images that an export is compared and calibrated on: the run's own, wherever they lie now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eyebright.data.manifest import Sample
from eyebright.runs.images import check_labels, drawn, manifest_of
from eyebright.sealed.model import SealedModel


@dataclass(frozen=True)
class ExportImages:
    """Samples under a root.

    Attributes:
        root: ``root / sample.path`` is where one lies.
        compared: validation images, on which the certificate is made.
        training: for calibration and for what is learned again.
    """

    root: Path
    compared: Sequence[Sample]
    training: Sequence[Sample]


def export_images(model: SealedModel, data: Path | None, count: int, seed: int) -> ExportImages:
    """Finds the images of a model.

    Args:
        model: the original; its run's manifest lies beside it, or ``data`` is given.
        data: a folder to look in instead; images that the run knows keep their part there, by their content.
        count: of validation images, at most; they are drawn with ``seed``.
        seed: of the draw, and of the split where ``data`` has neither parts nor a run that knows it.

    Raises:
        DataError: the images are gone, or none is left to compare on.
    """
    manifest = manifest_of(model, data, seed, splits=("val",))
    check_labels(manifest, model)
    return ExportImages(manifest.root, drawn(manifest, count, seed), manifest.of("train"))
