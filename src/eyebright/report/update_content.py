"""What an update of a run found and changed, as `metrics.json` and the report hold it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eyebright.types import Interval, Split


@dataclass(frozen=True, kw_only=True)
class ClassForecast:
    """What was known of a new class before the head was solved.

    Where images may have several labels, they are those that have the new one or ``nearest``, not both.

    Attributes:
        label: the new class.
        images: of its training images, at most 100.
        nearest: the class that it is most likely to be confused with; None where nothing points to one.
        confused: of the images, those nearer to the mean of ``nearest`` than to that of their class.
        lost: images of ``nearest``, of ``compared``, that are nearer to the mean of the new class.
        compared: images of ``nearest``, at most 100.
        predicted: what the earlier model predicts for training images, by how many; of several labels, those
            that the images do not have.
    """

    label: str
    images: int
    nearest: str | None
    confused: int
    lost: int
    compared: int
    predicted: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class ClassChange:
    """What an update did to a class that both models know, on the same evaluated images.

    Attributes:
        label: the class, by its name now.
        images: of it, in the evaluated split.
        before, after: how many the earlier and the updated model predict correctly.
        difference: in recall, with its 95 % interval.
        p: McNemar's exact p, adjusted by Holm for the number of classes.
        to_new: images of it that the updated model predicts as a new class.
    """

    label: str
    images: int
    before: int
    after: int
    difference: Interval
    p: float
    to_new: int


@dataclass(frozen=True, kw_only=True)
class UpdateOutcome:
    """What an update took from an earlier run, and what it changed.

    Attributes:
        earlier: name of the earlier run's directory.
        earlier_sha256: of its model.
        added: new images by split.
        relabelled: images of the earlier run with another label now, renamed and merged classes not counted.
        edits: renamed, merged and removed classes, as they were asked for.
        new_classes: their names.
        finetuned: whether the backbone was fine-tuned, without the new images.
        foreign: new training images that the earlier model finds unlike its own, of ``scored``.
        scored: new training images with an OOD score.
        expected: what was said of each new class before the head was solved.
        split: the evaluated one.
        classes: of both models, compared.
        everything: all images of these classes together; None where there are none.
    """

    earlier: str
    earlier_sha256: str
    added: Mapping[Split, int]
    relabelled: int
    edits: Sequence[str]
    new_classes: Sequence[str]
    finetuned: bool
    foreign: int
    scored: int
    expected: Sequence[ClassForecast]
    split: Split
    classes: Sequence[ClassChange]
    everything: ClassChange | None
