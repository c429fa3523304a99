"""The metadata of a sealed model as they are read: anyone may have written them, so each is checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from eyebright.evaluation.decisions.operating import StoredThreshold
from eyebright.evaluation.intervals import Float64Array
from eyebright.evaluation.rules.decisions import Decisions
from eyebright.evaluation.uncertainty.conformal import SetRule
from eyebright.evaluation.uncertainty.ood import UnknownRule
from eyebright.runtime.stored import STORED, Value, parse_json
from eyebright.types import Interpolation, Split

#: What the metadata's `task` says where an image may have several labels.
MULTILABEL = "multilabel"
_LARGEST_SIDE = 8192

_Positive = Annotated[float, Field(gt=0)]
_Names = Annotated[tuple[str, ...], Field(min_length=1)]
_Table = Annotated[tuple[tuple[float, ...], ...], Field(min_length=1)]


class StoredPreprocessing(BaseModel):
    """How the sealed graph makes the backbone's input, as the card says it."""

    model_config = STORED

    size: Annotated[int, Field(ge=1, le=_LARGEST_SIDE)]
    interpolation: Interpolation
    crop: _Positive | None = None
    mean: tuple[float, float, float]
    std: tuple[_Positive, _Positive, _Positive]


class SealedCard(BaseModel):
    """The card of a sealed model; settings that a training selected may follow."""

    model_config = ConfigDict(**STORED, extra="allow")

    backbone: str
    source: str = "-"
    preprocessing: StoredPreprocessing
    taps: tuple[str, ...] = ()


class StoredInterval(BaseModel):
    """A figure with its 95 % interval."""

    model_config = STORED

    value: float
    low: float
    high: float


class HeadlineMetrics(BaseModel):
    """The headline metrics of either task, and the split that they were measured on."""

    model_config = STORED

    split: Split
    accuracy: StoredInterval | None = None
    balanced_accuracy: StoredInterval | None = None
    hamming_loss: StoredInterval | None = None
    macro_f1: StoredInterval | None = None
    micro_f1: StoredInterval | None = None
    log_loss: StoredInterval | None = None
    ece: StoredInterval | None = None


_LABELS = TypeAdapter(_Names, config=STORED)
_CARD = TypeAdapter(SealedCard)
_THRESHOLDS = TypeAdapter(tuple[float, ...], config=STORED)
_UNKNOWN = TypeAdapter(UnknownRule)
_SETS = TypeAdapter(SetRule)
_POINTS = TypeAdapter(tuple[StoredThreshold, ...])
_COSTS = TypeAdapter(_Table, config=STORED)
_HEADLINE = TypeAdapter(HeadlineMetrics)
_VERSIONS = TypeAdapter(dict[str, str], config=STORED)


@dataclass(frozen=True)
class SealedMetadata:
    """The entries of a sealed model's metadata that Eyebright understands.

    Attributes:
        labels: the K classes in the order of the outputs.
        card: backbone and preprocessing.
        thresholds: (K,) of a multi-label model; None of a single-label one.
        unknown_rule: from which OOD score on an image is unknown.
        set_rule: how prediction sets are made.
        points: thresholds of targets, in the order in which the targets were given.
        costs: (K, K), or None.
        metrics: headline metrics at training time.
        versions: of the packages that it was made with.
    """

    labels: tuple[str, ...]
    card: SealedCard
    thresholds: Float64Array | None
    unknown_rule: UnknownRule | None
    set_rule: SetRule | None
    points: tuple[StoredThreshold, ...]
    costs: Float64Array | None
    metrics: HeadlineMetrics | None
    versions: dict[str, str]

    @classmethod
    def read(cls, entries: Mapping[str, str]) -> SealedMetadata:
        """Return the metadata of a file.

        Raises:
            ValueError: an entry is missing, or is not what Eyebright writes; one line names it.
        """
        if missing := {"labels", "card"} - entries.keys():
            raise ValueError(f"the metadata entry {min(missing)} is missing")
        thresholds = _entry(_THRESHOLDS, entries, "thresholds")
        costs = _entry(_COSTS, entries, "costs")
        found = cls(
            labels=_required(_LABELS, entries, "labels"),
            card=_required(_CARD, entries, "card"),
            thresholds=np.array(thresholds or (), np.float64) if entries.get("task") == MULTILABEL else None,
            unknown_rule=_entry(_UNKNOWN, entries, "unknown"),
            set_rule=_entry(_SETS, entries, "conformal"),
            points=_entry(_POINTS, entries, "operating_points") or (),
            costs=None if costs is None else _matrix(costs),
            metrics=_entry(_HEADLINE, entries, "metrics"),
            versions=_entry(_VERSIONS, entries, "versions") or {},
        )
        found._check_classes()
        return found

    @property
    def decisions(self) -> Decisions | None:
        """Return how operating points or costs change the prediction; None for the most probable class."""
        if self.thresholds is not None or (not self.points and self.costs is None):
            return None
        limits = np.full(len(self.labels), np.nan)
        for point in reversed(self.points):  # of several targets of one class the first decides
            limits[self.labels.index(point.label)] = point.threshold
        return Decisions(limits, self.costs)

    def _check_classes(self) -> None:
        """Hold what has a value for each class to the number of classes."""
        classes = len(self.labels)
        rule = self.set_rule
        fits = {
            "labels": len(set(self.labels)) == classes,
            "thresholds": self.thresholds is None or self.thresholds.shape == (classes,),
            "conformal": rule is None or len(rule.class_thresholds) == classes,
            "operating_points": all(point.label in self.labels for point in self.points),
            "costs": self.costs is None or self.costs.shape == (classes, classes),
        }
        for name, fitting in fits.items():
            if not fitting:
                raise ValueError(f"the metadata entry {name} does not fit the classes")


def _required(kind: TypeAdapter[Value], entries: Mapping[str, str], name: str) -> Value:
    try:
        return parse_json(kind, entries[name])
    except ValueError as error:
        raise ValueError(f"the metadata entry {name} is not valid ({error})") from None


def _entry(kind: TypeAdapter[Value], entries: Mapping[str, str], name: str) -> Value | None:
    """Return an entry that a model may lack."""
    return None if entries.get(name, "null") == "null" else _required(kind, entries, name)


def _matrix(rows: tuple[tuple[float, ...], ...]) -> Float64Array:
    if len({len(row) for row in rows}) != 1:
        raise ValueError("the metadata entry costs does not fit the classes")
    return np.array(rows, np.float64)
