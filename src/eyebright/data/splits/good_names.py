"""The names that people give to the class of good parts, and what becomes of the others beside it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from eyebright.data.manifest import Sample

#: The two classes of a model that learned from good images alone, in the order of its outputs.
GOOD, ANOMALY = "good", "anomaly"
ONE_CLASS = (GOOD, ANOMALY)

_WORDS = frozenset(
    [
        "good",
        "goods",
        "ok",
        "okay",
        "io",
        "normal",
        "nominal",
        "pass",
        "passed",
        "intact",
        "undamaged",
        "flawless",
        "faultless",
        "perfect",
        "conforming",
        "accepted",
        "gut",
        "正常",
        "良品",
        "合格",
        "合格品",
        "良好",
        "完好",
        "好",
        "无缺陷",
        "正品",
    ]
)
# Words that turn another one round: no_defect, defect-free, without scratches, anomalyFree.
_FREE = frozenset(["no", "non", "not", "without", "free", "zero"])
_FAULTS = frozenset(
    [
        "defect",
        "defects",
        "defective",
        "anomaly",
        "anomalies",
        "anomalous",
        "fault",
        "faults",
        "faulty",
        "flaw",
        "flaws",
        "damage",
        "damaged",
        "error",
        "errors",
        "crack",
        "cracks",
        "scratch",
        "scratches",
    ]
)
# What stands beside those words and says nothing.
_FILLING = frozenset(["image", "images", "img", "imgs", "photo", "photos", "part", "parts", "product"])
_FILLING |= {"products", "piece", "pieces", "sample", "samples", "class", "train", "training", "data", "only"}
_PIECES = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_a-zA-Z]+")


def is_good_name(name: str) -> bool:
    """Return whether a class's name says that nothing is wrong: `good`, `OK parts`, `defect-free`, `正常`."""
    pieces = {piece.casefold() for piece in _PIECES.findall(name.replace("i.O.", "io"))} - _FILLING
    if not pieces:
        return False
    return pieces <= _WORDS or (bool(pieces & _FREE) and pieces <= _FREE | _FAULTS)


def as_one_class(samples: Iterable[Sample]) -> list[Sample]:
    """Return samples as `good` or `anomaly`, whatever kinds of anomaly their labels name."""
    return [replace(s, label=GOOD if is_good_name(s.label) else ANOMALY) for s in samples]
