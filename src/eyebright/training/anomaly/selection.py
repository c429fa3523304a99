"""Selection: which size, stages, detector and score find planted defects on good images held out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial

import numpy as np

from eyebright.runtime.parallel import parallel
from eyebright.text.language import translate
from eyebright.training.anomaly.detector import Method
from eyebright.training.anomaly.material import Detectors, PatchMaterial, gathered, highest
from eyebright.training.anomaly.patches import PatchMaps, columns
from eyebright.training.anomaly.scores import ScoreRule, auroc
from eyebright.training.cache.store import Rows
from eyebright.types import FloatArray, IntArray, Json, JsonObject

METHODS: tuple[Method, ...] = ("whitened memory bank", "memory bank", "gaussian by place")
#: Shares of the places whose mean is the score of the places: one place alone, or some together.
SHARES = (0.0, 0.002, 0.005, 0.01)
#: Labelled anomalies among the compared images count like all planted kinds together.
LABELLED = "labelled"
#: Patch features that each compared detector is fitted on, and points of its memory bank.
ROWS, POINTS = 16_000, 300
# What is as good as the best but for chance: a smaller input, then a method that stands earlier, is taken.
_ALIKE = 0.01
# What the whole image may cost. Planted defects hardly speak for it: another weave is planted nowhere, and on
# textile, where places alone found none of it, the whole image cost 0.014 of planted defects.
_WHOLE = 0.03


@dataclass(frozen=True)
class AnomalyCandidate:
    """One way to score images, and how well it told planted defects from good images that it did not learn.

    Attributes:
        size: S.
        maps: name of the maps.
        method: of the places.
        share: of the places whose highest mean counts; 0 for a single one.
        whole: whether the image as a whole counts too.
        auroc: mean over the kinds of defects.
        kinds: by kind.
    """

    size: int
    maps: str
    method: Method
    share: float
    whole: bool
    auroc: float
    kinds: Mapping[str, float]

    @property
    def name(self) -> str:
        """Return what it is, in words."""
        methods = {
            "whitened memory bank": translate("memory bank, whitened"),
            "memory bank": translate("memory bank"),
            "gaussian by place": translate("Gaussian by place"),
        }
        stages = {
            "first": translate("first stages"),
            "early": translate("early stages"),
            "middle": translate("middle stages"),
        }
        return translate(
            "{size} px, {maps}, {method}, {whole}",
            size=self.size,
            maps=stages[self.maps],
            method=methods[self.method],
            whole=translate("places and whole image") if self.whole else translate("places"),
        )

    def to_json(self) -> JsonObject:
        """Return the candidate as `metrics.json` lists it."""
        kinds: dict[str, Json] = dict(self.kinds)
        return {**asdict(self), "kinds": kinds}


@dataclass(frozen=True)
class Compared:
    """Patch features (P, C) of the images that candidates of one size are compared on.

    Attributes:
        fitted: good images that detectors are fitted on.
        good: others.
        defects: by kind.
    """

    fitted: Sequence[Rows]
    good: Sequence[Rows]
    defects: Mapping[str, Sequence[Rows]]


def places_of(share: float, maps: PatchMaps) -> int:
    """Return how many of the highest places a share stands for."""
    return max(1, round(share * maps.places))


def compare(
    images: Compared, sets: Sequence[PatchMaps], whole: PatchMaps, seed: int, on_step: Callable[[], None]
) -> list[AnomalyCandidate]:
    """Return all candidates of one input size.

    Args:
        images: patch features of the maps of ``whole``.
        sets: that are compared.
        whole: whose layers hold those of all sets.
        seed: of what is drawn.
        on_step: is called after each detector.
    """
    found: list[AnomalyCandidate] = []
    for maps in sets:
        chosen = columns(maps, whole)
        fitted = (image[:, chosen].astype(np.float32) for image in images.fitted)
        material = PatchMaterial.of(fitted, len(images.fitted), ROWS, seed)
        image_detector = material.image_detector()
        counts = [places_of(share, maps) for share in SHARES]
        for method in METHODS:
            detectors = Detectors(material.place_detector(method, POINTS, seed), image_detector)

            def seen(
                image: Rows, by: Detectors, wanted: Sequence[int], picked: IntArray
            ) -> tuple[FloatArray, float]:
                places, of_whole = by.distances(image[:, picked].astype(np.float32))
                return highest(places, wanted), of_whole

            look = partial(seen, by=detectors, wanted=counts, picked=chosen)
            good = list(parallel(look, images.good))
            defects = {kind: list(parallel(look, some)) for kind, some in images.defects.items()}
            for place, share in enumerate(SHARES):
                for with_whole in (False, True):
                    usual = gathered(good, place)
                    rule = ScoreRule.of(usual, with_whole)
                    kinds = {
                        kind: auroc(rule.unusual(usual), rule.unusual(gathered(some, place)))
                        for kind, some in defects.items()
                    }
                    size = maps.preprocessing.size
                    mean = _mean(kinds)
                    found.append(AnomalyCandidate(size, maps.name, method, share, with_whole, mean, kinds))
            on_step()
    return found


def _mean(kinds: Mapping[str, float]) -> float:
    planted = [value for kind, value in kinds.items() if kind != LABELLED]
    means = [float(np.mean(planted))] if planted else []
    return float(np.mean([*means, *([kinds[LABELLED]] if LABELLED in kinds else [])]))


def select(candidates: Sequence[AnomalyCandidate]) -> AnomalyCandidate:
    """Return the best candidate, the whole image preferred.

    Of those that are alike, it is the first by size and by method, and then the best.
    """

    def worth(candidate: AnomalyCandidate) -> float:
        return candidate.auroc + (_WHOLE if candidate.whole else 0)

    best = max(map(worth, candidates))
    alike = [candidate for candidate in candidates if worth(candidate) >= best - _ALIKE]
    return min(alike, key=lambda c: (c.size, METHODS.index(c.method), -worth(c)))
