"""The metadata of a sealed model as they are read: anyone may have written them, so each is checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from eyebright.evaluation.decisions.operating import StoredThreshold
from eyebright.evaluation.rules.decisions import Decisions
from eyebright.evaluation.uncertainty.conformal import SetRule
from eyebright.evaluation.uncertainty.ood import UnknownRule
from eyebright.runtime.stored import STORED, Value, parse_json
from eyebright.types import Interpolation, Split

#: What the metadata's `task` says where an image may have several labels.
MULTILABEL = "multilabel"
_LARGEST_SIDE = 8192
_DEEP_WHITE = "65535"  # of files of an earlier version

_Positive = Annotated[float, Field(gt=0)]
_Names = Annotated[tuple[str, ...], Field(min_length=1)]


class StoredPreprocessing(BaseModel):
    """How the sealed graph makes the backbone's input, as the card says it."""

    model_config = STORED

    size: Annotated[int, Field(ge=1, le=_LARGEST_SIDE)]
    interpolation: Interpolation
    crop: _Positive | None = None
    mean: tuple[float, float, float]
    std: tuple[_Positive, _Positive, _Positive]


class StoredText(BaseModel):
    """What reads texts, and the columns of the table that they came from; other settings may follow."""

    model_config = ConfigDict(**STORED, extra="allow")

    featuriser: str
    columns: tuple[str, ...] = ()


class StoredCard(BaseModel):
    """The card of a sealed model; settings that a training selected may follow."""

    model_config = ConfigDict(**STORED, extra="allow")

    backbone: str
    source: str = "-"
    preprocessing: StoredPreprocessing
    taps: tuple[str, ...] = ()
    text: StoredText | None = None


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
_CARD = TypeAdapter(StoredCard)
_THRESHOLDS = TypeAdapter(tuple[float, ...], config=STORED)
_UNKNOWN = TypeAdapter(UnknownRule)
_SETS = TypeAdapter(SetRule)
_POINTS = TypeAdapter(tuple[StoredThreshold, ...])
_COSTS = TypeAdapter(tuple[tuple[float, ...], ...], config=STORED)
_HEADLINE = TypeAdapter(HeadlineMetrics)
_LEVEL = TypeAdapter(Annotated[int, Field(ge=1)] | None, config=STORED)
_VERSIONS = TypeAdapter(dict[str, str], config=STORED)


@dataclass(frozen=True)
class SealedMetadata:
    """The entries of a sealed model's metadata that Eyebright understands.

    Attributes:
        labels: the K classes in the order of the outputs.
        card: backbone and preprocessing.
        decisions: how the model decides.
        unknown_rule: from which OOD score on an image is unknown.
        set_rule: how prediction sets are made.
        white_level: the grey value that is white where grey has more than 8 bits; None of 8-bit images.
        points: thresholds of targets, in the order in which the targets were given.
        metrics: headline metrics at training time.
        versions: of the packages that it was made with.
    """

    labels: tuple[str, ...]
    card: StoredCard
    decisions: Decisions
    unknown_rule: UnknownRule | None
    set_rule: SetRule | None
    white_level: int | None
    points: tuple[StoredThreshold, ...]
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
        labels = _required(_LABELS, entries, "labels")
        rule = _entry(_SETS, entries, "conformal")
        unknown, points = _unknown_and_points(entries)
        _require(len(set(labels)) == len(labels), "labels")
        _require(rule is None or len(rule.class_thresholds) == len(labels), "conformal")
        return cls(
            labels=labels,
            card=_required(_CARD, entries, "card"),
            decisions=_decisions(entries, labels, points, unknown),
            unknown_rule=unknown,
            set_rule=rule,
            white_level=_required(_LEVEL, {"white_level": _DEEP_WHITE} | dict(entries), "white_level"),
            points=points,
            metrics=_entry(_HEADLINE, entries, "metrics"),
            versions=_entry(_VERSIONS, entries, "versions") or {},
        )


def decisions_of(entries: Mapping[str, str], labels: Sequence[str]) -> Decisions:
    """Return the decisions in a sealed model's metadata; of several targets of one class the first decides.

    Args:
        entries: the metadata.
        labels: the K classes.

    Raises:
        ValueError: an entry is not what Eyebright writes; one line names it.
    """
    unknown, points = _unknown_and_points(entries)
    return _decisions(entries, labels, points, unknown)


def _decisions(
    entries: Mapping[str, str],
    labels: Sequence[str],
    points: Sequence[StoredThreshold],
    unknown: UnknownRule | None,
) -> Decisions:
    multilabel = entries.get("task") == MULTILABEL
    stored = _entry(_THRESHOLDS, entries, "thresholds")
    thresholds = np.array(stored or (), np.float64) if multilabel else np.full(len(labels), np.nan)
    _require(thresholds.shape == (len(labels),), "thresholds")
    for point in reversed(points):
        _require(point.label in labels, "operating_points")
        thresholds[labels.index(point.label)] = point.threshold
    rows = _entry(_COSTS, entries, "costs")
    _require(rows is None or {len(row) for row in [rows, *rows]} == {len(labels)}, "costs")
    return Decisions(
        thresholds,
        None if rows is None else np.array(rows, np.float64),
        multilabel,
        None if unknown is None else unknown.threshold,
    )


def _unknown_and_points(
    entries: Mapping[str, str],
) -> tuple[UnknownRule | None, tuple[StoredThreshold, ...]]:
    return _entry(_UNKNOWN, entries, "unknown"), _entry(_POINTS, entries, "operating_points") or ()


def _require(fitting: bool, name: str) -> None:
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
