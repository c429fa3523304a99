"""Learning from good images alone: settings are selected, detectors fitted, held-out images scored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from threadpoolctl import threadpool_limits

from eyebright.backbones.backbone import Backbone
from eyebright.data.manifest import Sample
from eyebright.engines.choose import Trial
from eyebright.engines.selection import say_engine
from eyebright.errors import DataError, ImageError, NotFoundError
from eyebright.runtime.context import progress_task, say, timed
from eyebright.runtime.parallel import parallel
from eyebright.training.anomaly.fastest import fastest_extractor
from eyebright.training.anomaly.material import Detectors, PatchMaterial, folds_of, highest
from eyebright.training.anomaly.patches import PatchExtractor, PatchMaps, joined, patch_maps
from eyebright.training.anomaly.planting import PLANTED, plant
from eyebright.training.anomaly.scores import Distances, ScoreRule
from eyebright.training.anomaly.selection import (
    LABELLED,
    METHODS,
    AnomalyCandidate,
    Compared,
    compare,
    places_of,
    select,
)
from eyebright.training.cache.store import Rows
from eyebright.types import FloatArray, Skipped, UInt8Array

#: Input sizes that are compared where none is given: as large as needed, no larger.
SIZES = (224, 448)
#: The fewest good images from which anything can be learned and evaluated.
FEWEST = 10
#: Images that ways to score are compared on at most: good ones, those of them that are held out, those that
#: get planted defects, and labelled anomalies.
COMPARED, HELD_OUT, PLANTED_ON, LABELLED_ON = 160, 50, 18, 36
#: Patch features and points of the memory bank of the selected way; folds, and images that they score.
ROWS, POINTS, FOLDS, SCORED = 40_000, 1000, 3, 1500

#: Returns the mean of the most unusual places, and the distance of the whole, of patch features (P, C).
_Look: TypeAlias = Callable[[FloatArray], tuple[float, float]]


@dataclass(frozen=True)
class AnomalyModel:
    """Detectors fitted on all good images, with what was found on the way.

    Attributes:
        maps: whose patch features they take.
        detectors: of places and of whole images.
        highest: how many of the most unusual places are averaged.
        rule: how distances become the score.
        engine: that patch features were computed with.
        trials: of the engines.
        chosen: the selected candidate.
        candidates: all.
        scored: good images, each with detectors that did not learn from it.
        unusual: (n,) by how many spreads these are unusual.
        planted: (m,) the same of planted defects.
        skipped: images that could not be read.
        extractor: that computes patch features of further images.
    """

    maps: PatchMaps
    detectors: Detectors
    highest: int
    rule: ScoreRule
    engine: str
    trials: Sequence[Trial]
    chosen: AnomalyCandidate
    candidates: Sequence[AnomalyCandidate]
    scored: Sequence[Sample]
    unusual: FloatArray
    planted: FloatArray
    skipped: Sequence[Skipped]
    extractor: PatchExtractor

    def distances(self, squares: Sequence[UInt8Array]) -> Distances:
        """Return the distances of images (S, S, 3) by the training pipeline."""
        look = _looking(self.detectors, self.highest)
        with threadpool_limits(limits=1, user_api="blas"):
            found = list(parallel(lambda square: look(self.extractor.of_square(square)), squares))
        return Distances(*np.array(found, np.float32).T)


class AnomalyTrainer:
    """Learns from good images.

    Args:
        root: of the images.
        good: the training images.
        anomalies: labelled ones, which help to select; perhaps none.
        backbone: whose patch features are taken.
        cache: the feature cache's folder.
        seed: of all that is drawn.
    """

    def __init__(
        self,
        root: Path,
        good: Sequence[Sample],
        anomalies: Sequence[Sample],
        backbone: Backbone,
        cache: Path,
        seed: int,
    ) -> None:
        self._root = root
        self._good = list(good)
        self._anomalies = anomalies
        self._backbone = backbone
        self._cache = cache
        self._seed = seed

    def train(self, sizes: Sequence[int]) -> AnomalyModel:
        """Select among input sizes and ways of scoring, and fit the selected one on all good images.

        Raises:
            DataError: too few of the images can be read.
        """
        # Many small products, an image a thread: threads of the products would only wait for each other.
        with threadpool_limits(limits=1, user_api="blas"):
            return self._train(sizes)

    def _train(self, sizes: Sequence[int]) -> AnomalyModel:
        with timed("selection"):
            candidates = self._compare(sizes)
        chosen = select(candidates)
        auroc = f"{chosen.auroc:.3f}"
        say("Selected by planted defects: {way} (mean AUROC {auroc}).", way=chosen.name, auroc=auroc)
        maps = next(m for m in patch_maps(self._backbone, chosen.size) if m.name == chosen.maps)
        extractor, trials = fastest_extractor(maps, self._backbone, self._root, self._good, self._cache)
        say_engine(trials)
        with timed("features"), progress_task("Computing features", total=len(self._good)) as task:
            skipped = extractor.compute(self._root, self._good, task)
        gone = {entry.path for entry in skipped}
        good = [sample for sample in self._good if sample.path not in gone]
        require_enough(len(good))
        with timed("detectors"):
            return self._fit(good, skipped, extractor, trials, chosen, candidates)

    def _fit(
        self,
        good: Sequence[Sample],
        skipped: Sequence[Skipped],
        extractor: PatchExtractor,
        trials: Sequence[Trial],
        chosen: AnomalyCandidate,
        candidates: Sequence[AnomalyCandidate],
    ) -> AnomalyModel:
        count = places_of(chosen.share, extractor.maps)
        order = np.random.default_rng(self._seed).permutation(len(good))[:SCORED]
        scored = [good[i] for i in np.sort(order)]
        folds = folds_of(len(scored), FOLDS, self._seed)
        tops, wholes = np.empty(len(scored), np.float32), np.empty(len(scored), np.float32)
        planted: list[tuple[float, float]] = []
        with progress_task("Scoring good images", total=len(scored)) as task:
            for fold in range(int(folds.max()) + 1):
                rest = [s for s, own in zip(scored, folds, strict=True) if own != fold]
                look = _looking(self._detectors(extractor, rest, chosen), count)
                places = np.flatnonzero(folds == fold)
                seen = self._seen(extractor, [scored[i] for i in places], look)
                for place, found in zip(places, seen, strict=True):
                    tops[place], wholes[place] = found
                    task.advance()
                some = [scored[i] for i in places[: PLANTED_ON // FOLDS]]
                planted += self._planted(extractor, some, look)
        own = Distances(tops, wholes)
        rule = ScoreRule.of(own, chosen.whole)
        with progress_task("Learning from all good images"):
            detectors = self._detectors(extractor, good, chosen)
        defects = Distances(*np.array(planted, np.float32).reshape(-1, 2).T)
        return AnomalyModel(
            maps=extractor.maps,
            detectors=detectors,
            highest=count,
            rule=rule,
            engine=extractor.engine,
            trials=trials,
            chosen=chosen,
            candidates=candidates,
            scored=scored,
            unusual=rule.unusual(own),
            planted=rule.unusual(defects),
            skipped=skipped,
            extractor=extractor,
        )

    def _detectors(
        self, extractor: PatchExtractor, samples: Sequence[Sample], chosen: AnomalyCandidate
    ) -> Detectors:
        material = PatchMaterial.of(extractor.read(samples), len(samples), ROWS, self._seed)
        places = material.place_detector(chosen.method, POINTS, self._seed)
        return Detectors(places, material.image_detector())

    def _seen(
        self, extractor: PatchExtractor, samples: Sequence[Sample], look: _Look
    ) -> Iterator[tuple[float, float]]:
        return parallel(look, extractor.read(samples))

    def _planted(
        self, extractor: PatchExtractor, samples: Sequence[Sample], look: _Look
    ) -> list[tuple[float, float]]:
        """Return the distances of good images with each kind of defect."""
        squares = parallel(lambda sample: (sample, extractor.square(self._root, sample)), samples)
        changed = [plant(square, kind, sample.key) for sample, square in squares for kind in PLANTED]
        return list(parallel(lambda square: look(extractor.of_square(square)), changed, extractor.callers))

    def _compare(self, sizes: Sequence[int]) -> list[AnomalyCandidate]:
        random = np.random.default_rng(self._seed)
        drawn = [self._good[i] for i in np.sort(random.permutation(len(self._good))[:COMPARED])]
        labelled = [
            self._anomalies[i] for i in np.sort(random.permutation(len(self._anomalies))[:LABELLED_ON])
        ]
        found: list[AnomalyCandidate] = []
        for size in sizes:
            sets = patch_maps(self._backbone, size)
            whole = joined(sets)
            extractor, _ = fastest_extractor(whole, self._backbone, self._root, self._good, self._cache)
            images = self._images(extractor, drawn, labelled)
            with progress_task(
                "Comparing ways to score at {size} px", len(sets) * len(METHODS), size=size
            ) as task:
                found += compare(images, sets, whole, self._seed, task.advance)
        return found

    def _images(
        self, extractor: PatchExtractor, drawn: Sequence[Sample], labelled: Sequence[Sample]
    ) -> Compared:
        """Return patch features of good images, of planted defects and of labelled anomalies."""
        size = extractor.maps.preprocessing.size
        squares: list[tuple[Sample, UInt8Array]] = []

        def read(sample: Sample) -> tuple[Sample, UInt8Array] | None:
            try:
                return sample, extractor.square(self._root, sample)
            except (ImageError, NotFoundError):  # it is named when all features are computed
                return None

        squares = [pair for pair in parallel(read, drawn) if pair is not None]
        require_enough(len(squares))
        held_out = squares[: max(2, min(HELD_OUT, len(squares) // 3))]
        fitted = squares[len(held_out) :]
        defects = {
            kind: [plant(square, kind, sample.key) for sample, square in held_out[:PLANTED_ON]]
            for kind in PLANTED
        }
        if known := [pair[1] for pair in parallel(read, labelled) if pair is not None]:
            defects[LABELLED] = known
        total = len(squares) + sum(map(len, defects.values()))
        with progress_task("Planting defects at {size} px", total, size=size) as task:

            def patches(images: Sequence[UInt8Array]) -> list[Rows]:
                rows = []
                for row in parallel(extractor.of_square, images, extractor.callers):
                    rows.append(row.astype(np.float16))
                    task.advance()
                return rows

            return Compared(
                patches([square for _, square in fitted]),
                patches([square for _, square in held_out]),
                {kind: patches(images) for kind, images in defects.items()},
            )


def _looking(detectors: Detectors, count: int) -> _Look:
    """Return how the distances of an image follow from its patch features (P, C)."""

    def look(patches: FloatArray) -> tuple[float, float]:
        places, whole = detectors.distances(patches)
        return float(highest(places, [count])[0]), whole

    return look


def require_enough(count: int) -> None:
    """Refuse too few good images.

    Raises:
        DataError: there are fewer than :data:`FEWEST`.
    """
    if count < FEWEST:
        raise DataError(
            "Learning what is good takes at least {least} good images that can be read. There are {count}. "
            "Add images.",
            least=FEWEST,
            count=count,
        )
