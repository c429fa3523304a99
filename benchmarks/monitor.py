"""How soon a change is seen, how often without one, and how well the accuracy is known without labels.

    python benchmarks/monitor.py RUN [--foreign FOLDER …] [--repeats 50] [--months 100] [--images 720x20]

RUN is a run with validation and test images. For each stream these are dealt anew into a reference and 200
images that follow it, no image twice: a stream that repeats a few images is not like its reference, and an
alarm of it is no false one. Each FOLDER holds images of a class that the model does not know: one image in
five of the stream. A month is 720 windows whose images and whose reference are drawn from all these images
alike, so that nothing ever changes; it is looked at 24 times. Accuracy is estimated for a random half of
the validation and test images, five times; the other half is the reference.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageFilter

from eyebright.data.corruptions import STRENGTHS, Corruption, corrupt
from eyebright.data.decode import decode
from eyebright.data.manifest import Manifest, Sample
from eyebright.data.manifest_file import read_manifest
from eyebright.data.walk import FolderListing, walk
from eyebright.exporting.certificate.hashes import sha256
from eyebright.monitoring.accuracy import AccuracyEstimator
from eyebright.monitoring.analysis import answers
from eyebright.monitoring.drift import find_drift
from eyebright.monitoring.log import Log
from eyebright.monitoring.model_monitor import ModelMonitor, look_at
from eyebright.monitoring.projection import FeatureProjection
from eyebright.monitoring.reference import measure_reference
from eyebright.monitoring.reference_file import Reference
from eyebright.monitoring.sketch import Batch, OpenSketch, SampledRows, Sketch
from eyebright.runtime.parallel import parallel
from eyebright.sealed.model import SealedModel
from eyebright.sealed.ood_output import stored_residual
from eyebright.types import FloatArray, IntArray, UInt8Array

Change = Callable[[UInt8Array, np.random.Generator], UInt8Array]
Draw: TypeAlias = "Callable[[IntArray, np.random.Generator], Table]"
WINDOW, HORIZON = 25, 200
MOMENTS = (50, 100, 200)
FOREIGN = 0.2
# Of draws with other class frequencies, which are drawn with replacement.
DRAWN = 400
HALVES = 5
LOOKS = 24
SOME = 150


@dataclass(frozen=True)
class Table:
    """What the model says of N images; ``correct`` is empty where no label is known."""

    probabilities: FloatArray
    scores: FloatArray
    projections: FloatArray
    looks: FloatArray
    truth: IntArray

    def at(self, places: IntArray) -> Table:
        return Table(
            self.probabilities[places],
            self.scores[places],
            self.projections[places],
            self.looks[places],
            self.truth[places],
        )

    def followed_by(self, other: Table) -> Table:
        return Table(
            np.concatenate([self.probabilities, other.probabilities]),
            np.concatenate([self.scores, other.scores]),
            np.concatenate([self.projections, other.projections]),
            np.concatenate([self.looks, other.looks]),
            np.concatenate([self.truth, other.truth]),
        )

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def rows(self) -> SampledRows:
        names = ("",) * len(self)
        return SampledRows(np.zeros(len(self)), self.probabilities, self.scores, self.projections, names)


def blur(pixels: UInt8Array, _: np.random.Generator) -> UInt8Array:
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(2)))


def darker(pixels: UInt8Array, _: np.random.Generator) -> UInt8Array:
    return np.asarray(np.rint(pixels * np.float32(0.7)), np.uint8)


def plain(pixels: UInt8Array, _: np.random.Generator) -> UInt8Array:
    return pixels


def corruption(kind: Corruption, step: int) -> Change:
    return lambda pixels, random: corrupt(pixels, kind, STRENGTHS[kind][step], random)


class Model:
    """A run's model, and what it says of files."""

    def __init__(self, run: Path) -> None:
        self.sealed = SealedModel(run, threads=1)
        _ = self.sealed.split_model
        self.projection = FeatureProjection(sha256(self.sealed.path), stored_residual(self.sealed.graph()))

    def table(self, files: Sequence[tuple[Path, int]], change: Change = plain) -> Table:
        def row(numbered: tuple[int, tuple[Path, int]]) -> tuple[FloatArray, ...]:
            number, (path, _) = numbered
            model = self.sealed
            pixels = decode(path, min_side=model.size, white_level=model.white_level)
            pixels = change(pixels, np.random.default_rng(number))
            probabilities, scores, features = model.predict_with_features(pixels[None])
            score = np.full(1, np.nan, np.float32) if scores is None else scores
            projections = self.projection(features)  # type: ignore[arg-type]
            return probabilities[0], score[0], projections[0], look_at(pixels)

        probabilities, scores, projections, seen = zip(*parallel(row, enumerate(files)), strict=True)
        truth = np.array([truth for _, truth in files], np.int64)
        return Table(np.stack(probabilities), np.stack(scores), np.stack(projections), np.stack(seen), truth)

    def log(self, stream: Table, random: np.random.Generator) -> Log:
        """Return a log of the stream, a window after every few images."""
        starts = range(0, len(stream), WINDOW)
        return self.empty.followed_by(
            [self.window(stream.at(np.arange(i, i + WINDOW)), i, random) for i in starts]
        )

    @property
    def empty(self) -> Log:
        return Log("0" * 64, self.sealed.labels)

    def window(self, images: Table, start: float, random: np.random.Generator) -> Sketch:
        decisions, classes = self.sealed.decisions, len(self.sealed.labels)
        predicted = np.equal.outer(decisions.predict(images.probabilities), np.arange(classes))
        unknown = decisions.unknown(images.scores)
        opened = OpenSketch(classes, start, random)
        answered = np.where(unknown[:, None], 0, predicted).astype(np.int64)
        opened.add(
            Batch(images.probabilities, answered, unknown, images.scores, images.projections, images.looks)
        )
        return opened.closed(start + 1)


@dataclass(frozen=True)
class Deal:
    """Clean images, dealt into the reference and the places (HORIZON,) of those that follow it."""

    reference: Reference
    following: IntArray

    @classmethod
    def of(cls, known: Reference, images: Table, random: np.random.Generator) -> Deal:
        order = random.permutation(len(images))
        return cls(_with(known, images.at(order[HORIZON:])), order[:HORIZON])


def _with(known: Reference, images: Table) -> Reference:
    """Return a reference of other images, none of them corrupted."""
    nothing = [""] * len(images)
    right = np.zeros(len(images), bool)
    return Reference(
        known.model_sha256,
        known.labels,
        nothing,
        right,
        images.probabilities,
        images.scores,
        images.projections,
        images.looks,
    )


def drawing(images: Table) -> Draw:
    """Return what draws these images of a stream as they come."""
    return lambda places, _: images.at(places)


def power(model: Model, known: Reference, name: str, images: Table, draw: Draw, repeats: int) -> None:
    """Print in which share of streams a change is seen within so many images."""
    seen, tests = [], Counter[str]()
    for seed in range(repeats):
        random = np.random.default_rng(seed)
        deal = Deal.of(known, images, random)
        predicted = answers(model.sealed.decisions, deal.reference)[0]
        stream = draw(deal.following, random)
        drifts = find_drift(model.log(stream, random), deal.reference, predicted, seed)
        alarms = [drift for drift in drifts if drift.since is not None]
        first = min((d.since for d in alarms if d.since is not None), default=10**6)
        tests.update(drift.test for drift in alarms if drift.since == first)
        seen.append((first + 1) * WINDOW)
    shares = " | ".join(f"{100 * np.mean([s <= moment for s in seen]):.0f} %" for moment in MOMENTS)
    print(f"| {name} | {shares} | {', '.join(test for test, _ in tests.most_common(2))} |", flush=True)


@dataclass(frozen=True)
class Half:
    """What is known of half of the images, and the places of the others, whose accuracy is estimated."""

    estimator: AccuracyEstimator
    places: IntArray
    before: float


def halves(model: Model, manifest: Manifest, samples: Sequence[Sample]) -> Iterator[Half]:
    """Yield random halves of the samples, each with an estimator that measured the rest."""
    for seed in range(HALVES):
        places = np.random.default_rng([seed, 2]).permutation(len(samples))[: len(samples) // 2]
        estimated = {samples[place].path for place in places}
        kept = replace(manifest, samples=tuple(s for s in manifest.samples if s.path not in estimated))
        reference = measure_reference(model.sealed, sha256(model.sealed.path), kept, 0)
        before = float(reference.clean.correct.mean())
        yield Half(AccuracyEstimator(reference, model.sealed.decisions), places, before)


def accuracy(some: Sequence[Half], model: Model, name: str, images: Table) -> list[float]:
    """Print the accuracy with labels and the estimate without, over all halves, and return the errors."""
    rights, values, inside = [], [], 0
    for half in some:
        estimated = images.at(half.places)
        right = np.mean(model.sealed.decisions.predict(estimated.probabilities) == estimated.truth)
        now = half.estimator.estimate(estimated.rows, len(estimated)).now
        rights.append(float(right))
        values.append(now.value)
        inside += bool(now.low <= right <= now.high)
    errors = [value - right for value, right in zip(values, rights, strict=True)]
    plain = float(images.probabilities.max(axis=1).mean())
    print(
        f"| {name} | {100 * np.mean(rights):.1f} | {100 * plain:.1f} | {100 * np.mean(values):.1f} | "
        f"{100 * np.mean(np.abs(errors)):.1f} | {inside} of {len(some)} |",
        flush=True,
    )
    return errors


def label_shift(some: Sequence[Half], model: Model, images: Table, repeats: int) -> None:
    """Print how the estimate errs where classes are drawn with frequencies of Dirichlet's distribution."""
    errors, unchanged, inside = [], [], 0
    classes = len(model.sealed.labels)
    for half in some:
        known = images.at(half.places)
        counts = np.maximum(np.bincount(known.truth, minlength=classes), 1)
        for seed in range(repeats):
            random = np.random.default_rng(seed)
            wanted = (random.dirichlet(np.ones(classes)) / counts)[known.truth]
            drawn = known.at(random.choice(len(known), DRAWN, p=wanted / wanted.sum()))
            right = float(np.mean(model.sealed.decisions.predict(drawn.probabilities) == drawn.truth))
            now = half.estimator.estimate(drawn.rows, len(drawn)).now
            errors.append(abs(now.value - right))
            unchanged.append(abs(half.before - right))
            inside += bool(now.low <= right <= now.high)
    print(
        f"Label shift, {len(errors)} draws of {DRAWN} images: mean error {100 * np.mean(errors):.1f} points, "
        f"of the accuracy before {100 * np.mean(unchanged):.1f}; inside the interval: {inside}",
        flush=True,
    )


def months(model: Model, known: Reference, pool: Table, count: int, windows: int, each: int) -> None:
    """Print how many months without a change raise an alarm."""
    alarms, tests, began = 0, Counter[str](), time.process_time()
    for seed in range(count):
        random = np.random.default_rng([seed, 1])
        reference = _with(known, pool.at(random.integers(0, len(pool), len(pool))))
        places = random.integers(0, len(pool), (windows, each))
        predicted = answers(model.sealed.decisions, reference)[0]
        log, found = model.empty, set[str]()
        for some in np.array_split(np.arange(windows), min(LOOKS, windows)):
            log = log.followed_by([model.window(pool.at(places[t]), t, random) for t in some])
            found |= {drift.test for drift in find_drift(log, reference, predicted, seed) if drift.alarm}
        alarms += bool(found)
        tests.update(found)
    seconds = time.process_time() - began
    print(
        f"Months of {windows} windows of {each} images without a change: {count}, {seconds:.0f} CPU seconds."
    )
    print(f"With an alarm: {alarms} {dict(tests)}", flush=True)


def overhead(model: Model, files: Sequence[Path]) -> None:
    """Print the time of predictions, and of what is recorded of them, on one thread, in turn."""
    pixels = [decode(f, min_side=model.sealed.size, white_level=model.sealed.white_level) for f in files]
    monitor = ModelMonitor(model.sealed, None)
    spent = dict.fromkeys(("model", "looks", "recorded whole", "answer counted"), 0.0)
    for image in pixels:
        moments = [time.process_time()]
        probabilities, scores, features = model.sealed.predict_with_features(image[None])
        moments.append(time.process_time())
        seen = look_at(image)[None]
        moments.append(time.process_time())
        monitor.observe(probabilities, scores, features, seen)
        moments.append(time.process_time())
        monitor.observe(probabilities, scores, whole=False)
        moments.append(time.process_time())
        for name, seconds in zip(spent, np.diff(moments), strict=True):
            spent[name] += seconds
    each = (f"{name} {1000 * seconds / len(files):.3f}" for name, seconds in spent.items())
    print(f"CPU time an image, ms: {', '.join(each)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--foreign", type=Path, nargs="*", default=[])
    parser.add_argument("--repeats", type=int, default=50)
    parser.add_argument("--months", type=int, default=100)
    parser.add_argument("--images", default="720x20")
    options = parser.parse_args()
    model = Model(options.run)
    manifest = read_manifest(options.run / "manifest.parquet")
    random = np.random.default_rng(0)
    samples = [*manifest.of("val"), *manifest.of("test")]
    reference = measure_reference(model.sealed, sha256(model.sealed.path), manifest, 0)
    files = [(manifest.root / s.path, model.sealed.labels.index(s.label)) for s in samples]
    images = model.table(files)
    overhead(model, [path for path, _ in files[:100]])
    changed = {"blur, sigma 2 px": model.table(files, blur), "30 % darker": model.table(files, darker)}
    print(f"| stream | {' | '.join(f'within {m} images' for m in MOMENTS)} | first seen by |")
    print("|---|" + "---|" * (len(MOMENTS) + 1))
    for name, some in {"unchanged": images, **changed}.items():
        power(model, reference, name, images, drawing(some), options.repeats)
    for folder in options.foreign:
        found = [folder / path for path in walk(folder, FolderListing(), set())]
        others = model.table([(found[i], -1) for i in random.permutation(len(found))[:SOME]])

        def mixed(places: IntArray, random: np.random.Generator, others: Table = others) -> Table:
            foreign = np.flatnonzero(random.random(len(places)) < FOREIGN)[: len(others)]
            places = places.copy()
            places[foreign] = len(images) + random.permutation(len(others))[: len(foreign)]
            return images.followed_by(others).at(places)

        power(model, reference, f"20 % {folder.name}", images, mixed, options.repeats)
    dealt = list(halves(model, manifest, samples))
    print("| images | accuracy | mean confidence | estimated | mean error | inside |")
    print("|---|---|---|---|---|---|")
    accuracy(dealt, model, "unchanged", images)
    errors = [error for name, table in changed.items() for error in accuracy(dealt, model, name, table)]
    for kind in STRENGTHS:
        errors += accuracy(dealt, model, f"{kind}, strength 3", model.table(files, corruption(kind, 2)))
    print(
        f"Mean error {100 * np.mean(np.abs(errors)):.1f} points, largest {100 * np.max(np.abs(errors)):.1f}"
    )
    label_shift(dealt, model, images, options.repeats)
    if options.months:
        windows, each = map(int, options.images.split("x"))
        months(model, reference, images, options.months, windows, each)


if __name__ == "__main__":
    main()
