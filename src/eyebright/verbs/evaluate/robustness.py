"""A sealed model asked about images that get worse and worse, and about parts of images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import numpy as np

from eyebright.data.corruptions import PARTS, STRENGTHS, corrupt, only
from eyebright.data.decode import PILLOW, open_rgb
from eyebright.data.manifest import Sample
from eyebright.evaluation.robustness import Stressed, robustness, shortcut
from eyebright.runs.scoring import Answers, BoolArray
from eyebright.runtime.context import progress, say
from eyebright.runtime.parallel import parallel
from eyebright.sealed.model import SealedModel
from eyebright.text.format import duration, number
from eyebright.text.language import translate
from eyebright.training.linear_probe.selection import subset
from eyebright.types import IntArray, Split, UInt8Array

#: At most about so many images are asked about, drawn a class at a time.
IMAGES = 200
_TIMED_IMAGES = 4


def stress(model: SealedModel, answers: Answers, split: Split, root: Path, seed: int) -> Stressed:
    """Asks about some images of one part, as they are, at each strength of each corruption, and in parts.

    Images are scaled to the model's input size first, as in the usual benchmarks, so that a strength means
    the same for all. How long it takes is told once a few images are done.

    Args:
        model: opened with one thread a call.
        answers: tell which images can be read.
        split: the part.
        root: of the images.
        seed: of the choice of images and of what is drawn for each.
    """
    kept = _some(answers, split, seed)
    variants = 1 + sum(map(len, STRENGTHS.values())) + len(PARTS)

    def ask(place: int) -> BoolArray:
        sample = answers.samples[place]
        images = _variants(_seen_size(root / sample.path, model), sample, seed)
        probabilities = np.concatenate([model.probabilities(image[None]) for image in images])
        return answers.are_right(probabilities, answers.truth[place])

    right: list[BoolArray] = []
    began = perf_counter()
    text = translate("Running the model on corrupted images")
    with progress().task(text, total=variants * len(kept)) as task:
        for row in parallel(ask, kept.tolist()):
            right.append(row)
            task.advance(variants)
            if len(right) == _TIMED_IMAGES < len(kept):
                each = (perf_counter() - began) / _TIMED_IMAGES
                _say_how_long(variants * len(kept), each * (len(kept) - len(right)))
    return _figures(np.stack(right), answers.kinds[kept])


def _some(answers: Answers, split: Split, seed: int) -> IntArray:
    """The places of about as many distinct images of the part as are asked about."""
    places = answers.of(split)
    _, first = np.unique([answers.samples[i].sha for i in places], return_index=True)
    distinct = places[first]
    kept: IntArray = distinct[subset(answers.kinds[distinct], np.arange(len(distinct)), IMAGES, seed)]
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


def _seen_size(path: Path, model: SealedModel) -> UInt8Array:
    """The image (H, W, 3), its short side scaled down to the input size as the model does it, never up."""
    image = open_rgb(path, min_side=model.size)
    short = min(image.size)
    if short > model.size:
        width, height = (round(side * model.size / short) for side in image.size)
        method = PILLOW[model.card["preprocessing"]["interpolation"]]
        image = image.resize((width, image.height), method).resize((width, height), method)
    return np.asarray(image)


def _figures(right: BoolArray, kinds: IntArray) -> Stressed:
    """From whether each of V answers about each of N images is right (N, V), and what the images are (N,)."""
    columns: Iterator[BoolArray] = iter(right.T)
    clean = next(columns)
    curves = {kind: [next(columns) for _ in strengths] for kind, strengths in STRENGTHS.items()}
    border, centre = (next(columns) for _ in PARTS)
    return Stressed(robustness(clean, curves, STRENGTHS), shortcut(clean, border, centre, kinds))


def _say_how_long(answers: int, seconds: float) -> None:
    say(
        "Robustness test: {count:prediction|predictions} on corrupted images, about {time}.",
        count=number(answers),
        time=duration(seconds),
    )
