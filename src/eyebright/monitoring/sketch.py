"""What is kept of the images of one window of time: counts, sums and a sample of rows, and no image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from eyebright.evaluation.intervals import Float64Array
from eyebright.monitoring.projection import WIDTH
from eyebright.monitoring.signals import BINS, LOOKS, SIGNALS, Signal, histogram, uncertainty
from eyebright.types import BoolArray, FloatArray, IntArray

#: SampledRows that a log keeps, the newest; fewer of models with very many classes.
MOST_ROWS = 2000
_MOST_NUMBERS = 1_000_000


def most_rows(classes: int) -> int:
    """Return how many rows of so many classes are kept."""
    return min(MOST_ROWS, _MOST_NUMBERS // (classes + WIDTH))


@dataclass(frozen=True)
class SampledRows:
    """A random sample of a window's images.

    Attributes:
        keys: (R,) uniform random numbers; those images are kept that drew the smallest.
        probabilities: (R, K).
        scores: (R,) OOD scores; NaN of a model without.
        projections: (R, WIDTH); NaN of a model whose features are not known.
        names: of the images, empty where none was given.
    """

    keys: Float64Array
    probabilities: FloatArray
    scores: FloatArray
    projections: FloatArray
    names: Sequence[str]

    def __len__(self) -> int:
        return len(self.keys)

    @classmethod
    def empty(cls, classes: int) -> SampledRows:
        """Return no rows, of so many classes."""
        wide = np.empty((0, classes), np.float32), np.empty(0, np.float32), np.empty((0, WIDTH), np.float32)
        return cls(np.empty(0), *wide, ())

    @classmethod
    def joined(cls, parts: Sequence[SampledRows]) -> SampledRows:
        """Return the rows of all ``parts``, of which there is at least one."""
        return cls(
            np.concatenate([part.keys for part in parts]),
            np.concatenate([part.probabilities for part in parts]),
            np.concatenate([part.scores for part in parts]),
            np.concatenate([part.projections for part in parts]),
            tuple(name for part in parts for name in part.names),
        )

    def at(self, places: IntArray) -> SampledRows:
        """Return the rows at ``places`` (r,)."""
        return SampledRows(
            self.keys[places],
            self.probabilities[places],
            self.scores[places],
            self.projections[places],
            tuple(self.names[i] for i in places),
        )

    def sampled(self, count: int) -> SampledRows:
        """Return at most ``count`` rows, a random sample of these."""
        if len(self) <= count:
            return self
        return self.at(np.sort(np.argsort(self.keys, kind="stable")[:count]))


@dataclass(frozen=True)
class Batch:
    """Predictions that were just made, for B images.

    Attributes:
        probabilities: (B, K) calibrated.
        predicted: (B, K) of 0 and 1: the classes that were answered; none of an unknown image.
        unknown: (B,) whether the answer was unknown.
        scores: OOD scores (B,); None of a model without.
        projections: (B, WIDTH) of the features; None where these are not known.
        looks: brightness, contrast, sharpness and, where it is known, the short side in pixels (n, 3 or 4) of
            n <= B of the images.
        names: B names to show as examples; empty for none.
        whole: whether more than the answers is counted; of a busy service's images, some are enough.
    """

    probabilities: FloatArray
    predicted: IntArray
    unknown: BoolArray
    scores: FloatArray | None = None
    projections: FloatArray | None = None
    looks: FloatArray | None = None
    names: Sequence[str] = ()
    whole: bool = True

    def values(self, signal: Signal) -> FloatArray | None:
        """Return the values (n,) of one signal; None where it is not known."""
        if signal == "uncertainty":
            return uncertainty(self.probabilities, self.scores)
        if signal == "unknown_score":
            return self.scores
        if signal == "confidence":
            return np.asarray(self.probabilities.max(axis=1))
        column = LOOKS.index(signal)
        return None if self.looks is None or self.looks.shape[1] <= column else self.looks[:, column]

    def rows(self, keys: Float64Array) -> SampledRows:
        """Return the images as rows."""
        count = len(keys)
        scores, projections = self.scores, self.projections
        return SampledRows(
            keys,
            self.probabilities,
            np.full(count, np.nan, np.float32) if scores is None else scores,
            np.full((count, WIDTH), np.nan, np.float32) if projections is None else projections,
            tuple(self.names) or ("",) * count,
        )


@dataclass(frozen=True)
class Sketch:
    """A window: all that a log holds of its images.

    Attributes:
        start, end: seconds since 1970, UTC.
        images: how many there were.
        unknown: how many were answered as unknown.
        predicted: (K,) how often each class was answered.
        bins: (S, BINS) how many images had which value of each of :data:`SIGNALS`.
        projected: how many are part of the sums.
        projection_sums: (WIDTH,) of the projections.
        projection_products: (WIDTH, WIDTH) sums of the products of two.
        rows: a random sample of the images.
    """

    start: float
    end: float
    images: int
    unknown: int
    predicted: IntArray
    bins: IntArray
    projected: int
    projection_sums: Float64Array
    projection_products: Float64Array
    rows: SampledRows

    @classmethod
    def empty(cls, classes: int, start: float, end: float) -> Sketch:
        """Return a window without images."""
        bins = np.zeros((len(SIGNALS), BINS), np.int64)
        counts = np.zeros(classes, np.int64)
        products = np.zeros((WIDTH, WIDTH))
        return cls(start, end, 0, 0, counts, bins, 0, np.zeros(WIDTH), products, SampledRows.empty(classes))

    def joined(self, other: Sketch) -> Sketch:
        """Return one window of both, such as those of two machines."""
        rows = SampledRows.joined([self.rows, other.rows]).sampled(most_rows(len(self.predicted)))
        return Sketch(
            min(self.start, other.start),
            max(self.end, other.end),
            self.images + other.images,
            self.unknown + other.unknown,
            self.predicted + other.predicted,
            self.bins + other.bins,
            self.projected + other.projected,
            self.projection_sums + other.projection_sums,
            self.projection_products + other.projection_products,
            rows,
        )


@dataclass
class OpenSketch:
    """A window that images are still added to.

    Args:
        classes: K.
        start: seconds since 1970, UTC.
        random: draws which images are kept as rows.
    """

    classes: int
    start: float
    random: np.random.Generator
    images: int = 0
    batches: int = 0
    _unknown: int = 0
    _projected: int = 0
    _rows: list[SampledRows] = field(default_factory=list)
    _waiting: int = 0

    def __post_init__(self) -> None:
        self._predicted = np.zeros(self.classes, np.int64)
        self._bins = np.zeros((len(SIGNALS), BINS), np.int64)
        self._sums = np.zeros(WIDTH)
        self._products = np.zeros((WIDTH, WIDTH))

    def add(self, batch: Batch) -> None:
        """Count the images of a batch."""
        count = len(batch.probabilities)
        self.images += count
        self.batches += 1
        self._unknown += int(batch.unknown.sum())
        self._predicted += batch.predicted.sum(axis=0)
        if not batch.whole:
            return
        for row, signal in zip(self._bins, SIGNALS, strict=True):
            if (values := batch.values(signal)) is not None:
                row += histogram(signal, values)
        if batch.projections is not None:
            self._projected += count
            wide = batch.projections.astype(np.float64)
            self._sums += wide.sum(axis=0)
            self._products += wide.T @ wide
        self._rows.append(batch.rows(self.random.random(count)))
        self._waiting += count
        if self._waiting > 2 * most_rows(self.classes):
            self._sample()

    def closed(self, end: float) -> Sketch:
        """Return the window as it is now; more images may follow."""
        self._sample()
        rows = self._rows[0] if self._rows else SampledRows.empty(self.classes)
        return Sketch(
            self.start,
            end,
            self.images,
            self._unknown,
            self._predicted.copy(),
            self._bins.copy(),
            self._projected,
            self._sums.copy(),
            self._products.copy(),
            rows,
        )

    def _sample(self) -> None:
        if self._rows:
            self._rows = [SampledRows.joined(self._rows).sampled(most_rows(self.classes))]
            self._waiting = len(self._rows[0])
