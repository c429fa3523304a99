"""Shortcuts: properties that have nothing to do with what an image shows, and still give its class away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from eyebright.auditing.records import FORMATS, Records
from eyebright.data.manifest import Sample
from eyebright.evaluation.intervals import Float64Array, hull, mover, wilson
from eyebright.training.linear_probe.folds import assign_folds
from eyebright.types import IntArray, Interval, JsonObject

#: A property is a shortcut from this share of the way from chance to certainty on.
TELLING = 0.2
SIGNIFICANT = 0.004
_DRAWS = 249
_FOLDS = 5
_RIDGE = 1e-2
_MOST = 2000
_MOST_TARGETS = 4_000_000  # values at once
_CAMERAS = 20
_BINS = 8


@dataclass(frozen=True)
class TellingProperty:
    """How well one property alone tells the classes.

    Attributes:
        name: size, camera, compression, brightness or border.
        accuracy: mean recall of the classes, of images that were held out, with 95 % limits.
        chance: what guessing reaches.
        p: the share of shuffled labels that are told as well.
        label: the class that is told best, and its recall.
    """

    name: str
    accuracy: Interval
    chance: float
    p: float
    label: tuple[int, float]

    @property
    def is_shortcut(self) -> bool:
        """Return whether it certainly tells enough to be one."""
        gain = (self.accuracy.low - self.chance) / (1 - self.chance)
        return gain >= TELLING and self.p <= SIGNIFICANT

    def to_json(self, label: str) -> JsonObject:
        """Return it with the name of the class that is told best, as `metrics.json` holds it."""
        return {
            "property": self.name,
            "accuracy": asdict(self.accuracy),
            "chance": self.chance,
            "p": self.p,
            "class": label,
            "recall": self.label[1],
        }


def properties(
    samples: Sequence[Sample], records: Records, cameras: Sequence[str]
) -> Mapping[str, Float64Array]:
    """Return tables (N, F) of what is measured of images, by the property's name."""
    width = np.array([s.width for s in samples], np.float64)
    height = np.array([s.height for s in samples], np.float64)
    shown = ["", *(name for name, _ in Counter(filter(None, cameras)).most_common(_CAMERAS))]
    looks = records["looks"].astype(np.float64)
    formats = records["format"][:, None] == np.arange(-1, len(FORMATS))
    return {
        "size": _binned(np.log(width), np.log(height), np.log(width / height)),
        "camera": np.array([[camera == name for name in shown] for camera in cameras], np.float64),
        # Not bytes: how many an image takes hangs on what it shows.
        "compression": np.concatenate([_binned(records["quantisation"].astype(np.float64)), formats], axis=1),
        "brightness": _binned(looks[:, 0], np.log(looks[:, 1] + 1e-3)),
        "border": _binned(*records["borders"].astype(np.float64).T),
    }


def find_shortcuts(
    tables: Mapping[str, Float64Array], truth: IntArray, groups: IntArray, classes: int, seed: int
) -> list[TellingProperty]:
    """Return how well each property that varies tells the classes, the best first.

    Args:
        tables: (N, F) by name.
        truth: (N,) class numbers.
        groups: (N,) numbers; images of one group share a fold.
        classes: K.
        seed: of the folds and the shuffles.
    """
    random = np.random.default_rng(seed)
    chosen = np.sort(random.permutation(len(truth))[:_MOST])
    truth, groups = truth[chosen], groups[chosen]
    present = np.flatnonzero(np.bincount(truth, minlength=classes) >= 2 * _FOLDS)
    if len(present) < 2:
        return []
    kept = np.isin(truth, present)
    kind = np.searchsorted(present, truth[kept])
    fold = assign_folds(kind, groups[kept], _FOLDS, seed)
    found = []
    for name, table in tables.items():
        rows = table[chosen][kept]
        rows = rows[:, rows.std(axis=0) > 0]
        if rows.shape[1]:
            found.append(_told(name, rows, kind, fold, present, random))
    return sorted(found, key=lambda one: (-one.accuracy.value, one.name))


def _told(
    name: str,
    rows: Float64Array,
    kind: IntArray,
    fold: IntArray,
    present: IntArray,
    random: np.random.Generator,
) -> TellingProperty:
    count = len(present)
    rows = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    rows = np.concatenate([rows, np.ones((len(rows), 1))], axis=1)
    # One classifier a fold serves all shuffles: what they share is inverted once.
    solved = []
    for number in range(int(fold.max()) + 1):
        inside, outside = fold == number, fold != number
        normal = rows[outside].T @ rows[outside] + _RIDGE * len(rows) * np.eye(rows.shape[1]) / count
        solved.append((inside, outside, rows[inside] @ np.linalg.inv(normal) @ rows[outside].T))
    recalls = _recalls(solved, kind[None], count)[0]
    shuffled = np.stack([random.permutation(kind) for _ in range(_DRAWS)])
    draws = np.concatenate(
        [_recalls(solved, some, count).mean(axis=1) for some in np.array_split(shuffled, _portions(count))]
    )
    value = float(recalls.mean())
    p = (1 + np.count_nonzero(draws >= value)) / (1 + _DRAWS)
    counts = np.bincount(kind, minlength=count)
    limits = mover(recalls, wilson(recalls * counts, counts), np.full(count, 1 / count))
    best = int(recalls.argmax())
    return TellingProperty(
        name, hull(value, limits), 1 / count, float(p), (int(present[best]), float(recalls[best]))
    )


def _portions(classes: int) -> int:
    """Return in how many portions shuffles are told, so that their targets fit in memory."""
    return min(_DRAWS, 1 + _DRAWS * _MOST * classes // _MOST_TARGETS)


def _recalls(
    solved: Sequence[tuple[np.ndarray, np.ndarray, Float64Array]],
    kinds: IntArray,
    classes: int,
) -> Float64Array:
    """Return the recalls (S, K) of classes, given S ways (S, N) to deal them out.

    Each fold's images are predicted from the others by ridge regression.
    """
    draws, count = kinds.shape
    counts = np.bincount(kinds[0], minlength=classes)  # the same of all that are dealt out anew
    weights = 1 / np.maximum(counts, 1)  # every class counts the same
    targets = np.equal.outer(kinds.T, np.arange(classes)) * weights
    predicted = np.empty((draws, count), np.int64)
    for inside, outside, smoother in solved:
        told = smoother @ targets[outside].reshape(-1, draws * classes)
        predicted[:, inside] = told.reshape(-1, draws, classes).argmax(axis=2).T
    right = predicted == kinds
    return np.stack(
        [(right & (kinds == number)).sum(axis=1) * weights[number] for number in range(classes)], axis=1
    )


def _binned(*columns: Float64Array) -> Float64Array:
    """Return a column for each of up to eight bins of equally many images: a class may lie between others."""
    tables = []
    for column in columns:
        edges = np.unique(np.quantile(column, np.linspace(0, 1, _BINS + 1)[1:-1]))
        place = np.searchsorted(edges, column, side="right")
        tables.append(np.equal.outer(place, np.arange(len(edges) + 1)))
    return np.concatenate(tables, axis=1).astype(np.float64)
