"""Training on frozen features, everything chosen inside the training part: engine, input size, layers, L2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eyebright.backbones import embedded
from eyebright.backbones.taps import Tap, columns, tap_sets
from eyebright.data.decode import open_rgb
from eyebright.data.manifest import Manifest, Sample
from eyebright.data.views import view
from eyebright.engines.choose import Trial, remembered_race
from eyebright.errors import DataError, ImageError
from eyebright.language import translate
from eyebright.runtime.progress import Progress
from eyebright.runtime.timing import Stopwatch
from eyebright.training.features import FeatureExtractor, graph_bytes, training_preprocessing
from eyebright.training.head import HeadFit, fit_head
from eyebright.training.large import fit_large
from eyebright.training.selection import SUBSET, Candidate, climb, ladder, subset
from eyebright.types import IntArray, Lang, Skipped, UInt8Array

_RACE_IMAGES = 12
#: Feature tables above this many bytes, as float32, are solved from statistics instead of in memory.
IN_MEMORY_BYTES = 300_000_000
_COMPARED_ROWS = 3000


@dataclass(frozen=True)
class FrozenModel:
    """A trained head with all that was chosen on the way.

    Attributes:
        extractor: of the chosen input size.
        tap_set: the chosen tap set's name.
        taps: its taps, which the head was trained on.
        fit: the head, with its held-out logits (N, K).
        truth: (N,) classes of the held-out logits' images.
        trials: the engines that were raced, the one that is used first.
        sizes: the input sizes that were compared; none where the size was given.
        tap_sets: the tap sets that were compared.
        skipped: images that could not be read.
    """

    extractor: FeatureExtractor
    tap_set: str
    taps: tuple[Tap, ...]
    fit: HeadFit
    truth: IntArray
    trials: Sequence[Trial]
    sizes: Sequence[Candidate]
    tap_sets: Sequence[Candidate]
    skipped: Sequence[Skipped]


class FrozenTrainer:
    """Trains on the training part of a manifest.

    Args:
        manifest: its other parts are never looked at.
        cache: the feature cache's folder.
        views: of each image that the head is trained on.
        seed: of the folds and the subset.
        progress: is told, in ``lang``.
        watch: times the stages.
    """

    def __init__(
        self,
        manifest: Manifest,
        cache: Path,
        *,
        views: int,
        seed: int,
        lang: Lang,
        progress: Progress,
        watch: Stopwatch,
    ) -> None:
        self.manifest = manifest
        self.cache = cache
        self.views = views
        self.seed = seed
        self.lang = lang
        self.progress = progress
        self.watch = watch
        self.samples = list(manifest.of("train"))
        self.skipped: list[Skipped] = []

    def train(self, size: int | None) -> FrozenModel:
        """Trains a head.

        Args:
            size: S in pixels, or None to choose it.

        Raises:
            DataError: too few images can be read.
        """
        sizes = (size,) if size else ladder([min(s.width, s.height) for s in self.samples])
        with self.watch.stage("engine"):
            trials = self._race(sizes[0])
        extractors = {str(s): self._extractor(s, trials[0].name) for s in sizes}
        chosen, tried = str(sizes[0]), []
        if len(sizes) > 1:
            with self.watch.stage("size"):
                chosen, tried = self._choose_size(extractors)
        extractor = extractors[chosen]
        with self.watch.stage("features"):
            text = translate("Computing features at {size} px", self.lang, size=chosen)
            self.samples = self._compute(extractor, self.samples, text)
        with self.watch.stage("head"):
            name, fit, truth, compared = self._solve(extractor)
        taps = tap_sets(embedded.card())[name]
        return FrozenModel(extractor, name, taps, fit, truth, trials, tried, compared, self.skipped)

    def _race(self, size: int) -> list[Trial]:
        graph = graph_bytes(training_preprocessing(embedded.card(), size))
        return remembered_race(self.cache, graph, lambda: self._squares(size))

    def _squares(self, size: int) -> list[UInt8Array]:
        """A few training images from all over, as the engines see them."""
        squares: list[UInt8Array] = []
        stride = max(1, len(self.samples) // _RACE_IMAGES)
        for sample in (*self.samples[::stride], *self.samples):
            try:
                image = open_rgb(self.manifest.root / sample.path, min_side=size)
            except ImageError:  # it is named when its features are computed
                continue
            squares.append(view(image, size, 0, sample.sha))
            if len(squares) == _RACE_IMAGES:
                return squares
        if not squares:
            raise DataError(
                "Training images must be readable. None of {count} is: all are damaged. "
                "Open one with another program and copy the images again.",
                count=len(self.samples),
            )
        return squares

    def _extractor(self, size: int, engine: str) -> FeatureExtractor:
        return FeatureExtractor(self.cache, training_preprocessing(embedded.card(), size), engine, self.views)

    def _compute(self, extractor: FeatureExtractor, samples: Sequence[Sample], text: str) -> list[Sample]:
        """Fills the cache; returns the samples that could be read and remembers the others."""
        with self.progress.task(text, total=len(samples)) as task:
            skipped = extractor.compute(self.manifest.root, samples, task)
        self.skipped += skipped
        gone = {s.path for s in skipped}
        self.samples = [s for s in self.samples if s.path not in gone]
        self._check_classes()
        return [s for s in samples if s.path not in gone]

    def _check_classes(self) -> None:
        counts = np.bincount(self._truth(self.samples), minlength=len(self.manifest.labels))
        few = [label for label, n in zip(self.manifest.labels, counts, strict=True) if n < 2]
        if few:
            raise DataError(
                "Every class must hold at least 2 training images that can be read. Too few are left of: "
                "{labels}. Mend or add images, or remove the class.",
                labels=", ".join(few),
            )

    def _choose_size(self, extractors: dict[str, FeatureExtractor]) -> tuple[str, list[Candidate]]:
        keep = subset(self._truth(self.samples), _groups(self.samples), SUBSET, self.seed)
        samples = [self.samples[i] for i in keep]
        sizes = list(extractors)
        first = translate("Trying {size} px", self.lang, size=sizes[0])
        samples = self._compute(extractors[sizes[0]], samples, first)
        every = columns(embedded.card(), tap_sets(embedded.card())["all"])

        def fit(size: str) -> HeadFit:
            if size != sizes[0]:
                self._compute(extractors[size], samples, translate("Trying {size} px", self.lang, size=size))
            return self._fit(extractors[size], samples, every)

        chosen, _, tried = climb(sizes, fit, self._truth(samples), stop_early=True)
        return chosen, tried

    def _solve(self, extractor: FeatureExtractor) -> tuple[str, HeadFit, IntArray, list[Candidate]]:
        """Compares the tap sets and trains on the best; a large table is solved from its statistics."""
        sets = tap_sets(embedded.card())
        places = {name: columns(embedded.card(), taps) for name, taps in sets.items()}
        widest = max(len(p) for p in places.values())
        large = len(self.samples) * self.views * widest * 4 > IN_MEMORY_BYTES
        samples = self.samples
        if large:
            kept = subset(self._truth(samples), _groups(samples), _COMPARED_ROWS, self.seed)
            samples = [self.samples[i] for i in kept]
        with self.progress.task(translate("Solving the head", self.lang), total=len(sets)) as task:

            def fit(name: str) -> HeadFit:
                solved = self._fit(extractor, samples, places[name])
                task.advance()
                return solved

            truth = self._truth(samples)
            chosen, fits, compared = climb(list(sets), fit, truth, stop_early=False)
        if not large:
            return chosen, fits[chosen], truth, compared
        text = translate("Adding up statistics", self.lang)
        with self.progress.task(text, total=len(self.samples)) as task:
            fit_, truth = fit_large(
                extractor, self.samples, self._truth(self.samples), _groups(self.samples), places[chosen], task
            )
        return chosen, fit_, truth, compared

    def _fit(self, extractor: FeatureExtractor, samples: Sequence[Sample], places: IntArray) -> HeadFit:
        rows = np.concatenate([extractor.read(samples, places, number) for number in range(self.views)])
        truth = self._truth(samples)
        return fit_head(
            rows,
            np.tile(truth, self.views),
            len(self.manifest.labels),
            groups=np.tile(_groups(samples), self.views),
            scored=np.arange(len(rows)) < len(samples),
            seed=self.seed,
        )

    def _truth(self, samples: Sequence[Sample]) -> IntArray:
        number = {label: i for i, label in enumerate(self.manifest.labels)}
        return np.array([number[s.label] for s in samples], np.int64)


def _groups(samples: Sequence[Sample]) -> IntArray:
    """(N,) numbers that equal images share, so that no fold leaks a duplicate."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(s.sha, len(numbers)) for s in samples], np.int64)
