"""Robustness: a sealed model run on ever more corrupted images, and on parts of images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import numpy as np

from eyebright.data.corruptions import PARTS, STRENGTHS, corrupt, only
from eyebright.data.header import read_image
from eyebright.data.manifest import Sample
from eyebright.evaluation.robustness import RobustnessResult, robustness, shortcut
from eyebright.runs.scoring import Predictions
from eyebright.runs.seen_size import seen_size
from eyebright.runtime.context import progress_task, say
from eyebright.runtime.parallel import parallel
from eyebright.sealed.model import SealedModel
from eyebright.text.format import duration, number
from eyebright.training.linear_probe.selection import subset
from eyebright.types import BoolArray, IntArray, Split, UInt8Array

#: At most about so many images are used, drawn a class at a time.
IMAGES = 200
_TIMED_IMAGES = 4


def stress(
    model: SealedModel, predictions: Predictions, split: Split, root: Path, seed: int
) -> RobustnessResult:
    """Run the model on some images: as they are, at each strength of each corruption, and in parts.

    Images are scaled to the model's input size first, as in the usual benchmarks, so that a strength means
    the same for all. The time that is left is said once a few images are done.

    Args:
        model: opened with one thread a call.
        predictions: of the images that can be read.
        split: the evaluated one.
        root: of the images.
        seed: of the choice of images, and of the corruptions.
    """
    kept = _some(predictions, split, seed)
    variants = 1 + sum(map(len, STRENGTHS.values())) + len(PARTS)

    def predict(place: int) -> BoolArray:
        sample = predictions.samples[place]
        images = _variants(seen_size(read_image(root / sample.path, sample.sha), model), sample, seed)
        text = [sample.text]
        probabilities = np.concatenate([model.probabilities(image[None], text) for image in images])
        return predictions.are_correct(probabilities, predictions.truth[place])

    right: list[BoolArray] = []
    began = perf_counter()
    with progress_task("Running the model on corrupted images", total=variants * len(kept)) as task:
        for row in parallel(predict, kept.tolist()):
            right.append(row)
            task.advance(variants)
            if len(right) == _TIMED_IMAGES < len(kept):
                each = (perf_counter() - began) / _TIMED_IMAGES
                _say_how_long(variants * len(kept), each * (len(kept) - len(right)))
    return _results(np.stack(right), predictions.kinds[kept], predictions.groups(kept))


def _some(predictions: Predictions, split: Split, seed: int) -> IntArray:
    """Return the places of about 200 distinct images of the split."""
    places = predictions.of(split)
    _, first = np.unique([predictions.samples[i].sha for i in places], return_index=True)
    distinct = places[first]
    kept: IntArray = distinct[subset(predictions.kinds[distinct], np.arange(len(distinct)), IMAGES, seed)]
    return kept


def _variants(pixels: UInt8Array, sample: Sample, seed: int) -> Iterator[UInt8Array]:
    yield pixels
    # What is drawn depends on the image and the seed, not on which thread comes first.
    generator = np.random.default_rng([seed, int(sample.sha[:16], 16)])
    for kind, strengths in STRENGTHS.items():
        for strength in strengths:
            yield corrupt(pixels, kind, strength, generator)
    for part in PARTS:
        yield only(pixels, part)


def _results(right: BoolArray, kinds: IntArray, groups: IntArray | None) -> RobustnessResult:
    """Measure V predictions for each of N images, correct or not (N, V).

    Args:
        right: (N, V).
        kinds: (N,) classes, or sets of labels.
        groups: (N,) numbers that images which are not independent share; None where all are independent.
    """
    columns: Iterator[BoolArray] = iter(right.T)
    clean = next(columns)
    curves = {kind: [next(columns) for _ in strengths] for kind, strengths in STRENGTHS.items()}
    border, centre = (next(columns) for _ in PARTS)
    return RobustnessResult(
        robustness(clean, curves, STRENGTHS, groups), shortcut(clean, border, centre, kinds, groups)
    )


def _say_how_long(predictions: int, seconds: float) -> None:
    say(
        "Robustness test: {count:prediction|predictions} on corrupted images, about {time}.",
        count=number(predictions),
        time=duration(seconds),
    )
