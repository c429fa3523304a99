"""What a training on good images alone found, for `metrics.json` and the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from eyebright.types import Interval, Json, JsonObject


@dataclass(frozen=True, kw_only=True)
class LimitFacts:
    """What the limit rests on.

    Attributes:
        target: that it was set for.
        rate: of false alarms that was asked for; None where only another target was.
        good: number of good images that it was set on.
        anomalies: number of labelled anomalies that it was set on.
        alarms: good images among them that are above it.
        chosen_on: their split: "val", or "train" for folds of the training split.
        assured: whether there were enough good images for the rate.
        least: how many that takes; None without a rate.
        needed: how many evaluated good images without a false alarm show the rate; None without a rate.
    """

    target: str
    rate: float | None
    good: int
    anomalies: int
    alarms: int
    chosen_on: str
    assured: bool
    least: int | None
    needed: int | None


@dataclass(frozen=True)
class KindRecall:
    """One kind of anomaly among the evaluated images: how many there are, and the share that is found."""

    kind: str
    count: int
    recall: Interval


@dataclass(frozen=True)
class ScoredImage:
    """An image with its score, 1 at the limit.

    Attributes:
        path: relative to the data.
        kind: of anomaly, as the data names it; empty of a good image.
        score: of it.
        picture: the image as a data URI; empty where it cannot be read.
        map: the same with the map of anomalies over it.
    """

    path: str
    kind: str
    score: float
    picture: str = ""
    map: str = ""


@dataclass(frozen=True)
class Way:
    """A way to score that was compared, by the mean AUROC on planted defects and that of each kind."""

    name: str
    auroc: float
    kinds: Mapping[str, float]
    chosen: bool


@dataclass(frozen=True, kw_only=True)
class AnomalyOutcome:
    """What was learned from good images, and what the evaluated ones say of it.

    Attributes:
        limit: from which on an image is an anomaly.
        learned: number of good images that it was learned from.
        good: number of evaluated good images.
        alarms: how many of them are above the limit.
        false_alarms: their share.
        anomalies: number of evaluated anomalies.
        auroc: how well the score tells them from good images; None without anomalies.
        recall: the share of anomalies above the limit; None without anomalies.
        kinds: recall by kind.
        suspects: training images that are so unusual that they may be anomalies, the most unusual first.
        hardest: evaluated good images with the highest scores.
        missed: evaluated anomalies below the limit, those that look best first.
        found: some anomalies above it, those with the lowest scores first.
        ways: that were compared; of each size, stages and detector the best.
        candidates: all that were compared, as `metrics.json` lists them.
    """

    limit: LimitFacts
    learned: int
    good: int
    alarms: int
    false_alarms: Interval | None
    anomalies: int
    auroc: Interval | None
    recall: Interval | None
    kinds: Sequence[KindRecall]
    suspects: Sequence[ScoredImage]
    hardest: Sequence[ScoredImage]
    missed: Sequence[ScoredImage]
    found: Sequence[ScoredImage]
    ways: Sequence[Way]
    candidates: Sequence[JsonObject]

    def to_json(self) -> JsonObject:
        """Return the entry `anomaly` of `metrics.json`."""

        def images(some: Sequence[ScoredImage]) -> list[Json]:
            return [{"path": one.path, "kind": one.kind, "score": one.score} for one in some]

        return {
            "limit": asdict(self.limit),
            "learned": self.learned,
            "good": self.good,
            "alarms": self.alarms,
            "false_alarms": None if self.false_alarms is None else asdict(self.false_alarms),
            "anomalies": self.anomalies,
            "auroc": None if self.auroc is None else asdict(self.auroc),
            "recall": None if self.recall is None else asdict(self.recall),
            "kinds": {one.kind: {"images": one.count, "recall": asdict(one.recall)} for one in self.kinds},
            "suspects": images(self.suspects),
            "hardest": images(self.hardest),
            "missed": images(self.missed),
            "candidates": list(self.candidates),
        }
