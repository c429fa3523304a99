"""What learning from good images alone would take on this machine, from a few of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from threadpoolctl import threadpool_limits

from eyebright.backbones.backbone import Backbone
from eyebright.data.manifest import Sample
from eyebright.errors import ImageError, NotFoundError
from eyebright.runtime.parallel import parallel
from eyebright.training.anomaly.fastest import fastest_extractor
from eyebright.training.anomaly.patches import PatchMaps, joined, patch_maps
from eyebright.training.anomaly.planting import PLANTED
from eyebright.training.anomaly.selection import LABELLED, METHODS, Compared, compare
from eyebright.training.anomaly.selection import POINTS as COMPARED_POINTS
from eyebright.training.anomaly.selection import ROWS as COMPARED_ROWS
from eyebright.training.anomaly.trainer import (
    COMPARED,
    FOLDS,
    HELD_OUT,
    LABELLED_ON,
    PLANTED_ON,
    POINTS,
    ROWS,
    SCORED,
    require_enough,
)
from eyebright.types import UInt8Array

_PROBED, _FEW = 12, 2


@dataclass(frozen=True)
class AnomalyImages:
    """How many images a training has.

    Attributes:
        good: to learn from.
        labelled: anomalies that help to select.
        evaluated: that are scored in the end.
    """

    good: int
    labelled: int
    evaluated: int


@dataclass(frozen=True)
class ProbedSize:
    """What a few images took at one input size.

    Attributes:
        size: S.
        places: of an image.
        ways: detectors that are compared.
        extracting: seconds to decode an image and compute its patch features.
        looking: seconds in which all detectors score an image.
        fitting: seconds in which all detectors are fitted.
        rows: patch features that these were fitted on.
    """

    size: int
    places: int
    ways: int
    extracting: float
    looking: float
    fitting: float
    rows: int

    def comparing_seconds(self, images: AnomalyImages) -> float:
        """Return how long the ways to score at this size are compared."""
        good = min(images.good, COMPARED)
        held_out = min(HELD_OUT, good // 3)
        changed = min(PLANTED_ON, held_out) * len(PLANTED) + min(images.labelled, LABELLED_ON)
        rows = min(COMPARED_ROWS, (good - held_out) * self.places)
        return (
            (good + changed) * self.extracting
            + (held_out + changed) * self.looking
            + self.fitting * rows / self.rows
        )

    def learning_seconds(self, images: AnomalyImages) -> float:
        """Return how long the selected way takes to learn, and to score what is held out."""
        bank = POINTS / COMPARED_POINTS
        rows = min(ROWS, images.good * self.places)
        fitting = (FOLDS + 1) * self.fitting / self.ways * bank * rows / self.rows
        planted = min(PLANTED_ON, images.good) * len(PLANTED)
        scored = min(images.good, SCORED) + planted + images.evaluated
        extracted = images.good + planted + images.evaluated
        return fitting + scored * self.looking / self.ways * bank + extracted * self.extracting


def probe(size: int, backbone: Backbone, root: Path, good: Sequence[Sample], cache: Path) -> ProbedSize:
    """Measure one input size on a dozen good images.

    Args:
        size: S.
        backbone: whose patch features are taken.
        root: of the images.
        good: the training images.
        cache: the feature cache's folder; it gets the engines' trials, no features.

    Raises:
        DataError: too few of the images can be read.
    """
    sets = patch_maps(backbone, size)
    whole = joined(sets)
    extractor, _ = fastest_extractor(whole, backbone, root, good, cache)

    def square(sample: Sample) -> UInt8Array | None:
        try:
            return extractor.square(root, sample)
        except (ImageError, NotFoundError):  # the training names it
            return None

    with threadpool_limits(limits=1, user_api="blas"):
        began = time.perf_counter()
        squares = [found for found in parallel(square, good[:_PROBED]) if found is not None]
        require_enough(len(squares))
        rows = list(parallel(extractor.of_square, squares, extractor.callers))
        extracting = (time.perf_counter() - began) / len(squares)
        few, many = (
            _timed_comparison(Compared(rows, rows[:count], {LABELLED: rows[:1]}), sets, whole)
            for count in (_FEW, len(rows))
        )
    looking = max(many - few, 0.0) / (len(rows) - _FEW)
    fitting = max(few - looking * (_FEW + 1), 0.0)
    fitted = min(COMPARED_ROWS, len(rows) * whole.places)
    return ProbedSize(size, whole.places, len(sets) * len(METHODS), extracting, looking, fitting, fitted)


def _timed_comparison(images: Compared, sets: Sequence[PatchMaps], whole: PatchMaps) -> float:
    began = time.perf_counter()
    compare(images, sets, whole, 0, lambda: None)
    return time.perf_counter() - began
