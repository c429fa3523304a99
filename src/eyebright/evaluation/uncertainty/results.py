"""What a model does not know: its own and foreign images by their strangeness, and its sets of classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from eyebright.evaluation.decisions.operating import Labelled
from eyebright.evaluation.uncertainty.conformal import SetFigures, SetRule, set_figures
from eyebright.evaluation.uncertainty.ood import Separation, UnknownRule, above
from eyebright.types import FloatArray, Interval


@dataclass(frozen=True)
class Accepted:
    """A foreign image that did not count as unknown: its place, the class it got, and how sure that was."""

    path: str
    label: str
    confidence: float
    score: float


@dataclass(frozen=True)
class Foreign:
    """Images of something else.

    Attributes:
        folder: where they lie.
        scores: (M,) how strange they are.
        by_score: how well the score tells them from the model's own.
        by_softmax: the same by the highest probability, at the same share of own images rejected.
        accepted: those that did not count as unknown, the least strange first.
    """

    folder: str
    scores: FloatArray
    by_score: Separation
    by_softmax: Separation
    accepted: tuple[Accepted, ...]


@dataclass(frozen=True)
class Knowing:
    """What is found on the images that are reported.

    Attributes:
        labels: the K classes.
        part: that is reported.
        rule: when an image counts as unknown; None of a model that does not tell.
        own: (N,) how strange the reported images are; None likewise.
        rejected: the share of them that count as unknown.
        sets: how sets are made; None of a model without.
        alike: figures of sets with one threshold for all classes.
        by_class: figures of sets with a threshold for each.
        foreign: images of something else, where there were any.
    """

    labels: tuple[str, ...]
    part: str
    rule: UnknownRule | None = None
    own: FloatArray | None = None
    rejected: Interval | None = None
    sets: SetRule | None = None
    alike: SetFigures | None = None
    by_class: SetFigures | None = None
    foreign: Foreign | None = None

    def metadata(self) -> dict[str, Any]:
        """What the sealed model carries."""
        found = {"unknown": self.rule, "conformal": self.sets}
        return {name: rule.to_json() for name, rule in found.items() if rule is not None}

    def figures(self) -> dict[str, Any]:
        """For `metrics.json`."""
        found: dict[str, Any] = {}
        if self.rule is not None and self.rejected is not None:
            found["unknown"] = self.rule.to_json() | {"part": self.part, "rejected": asdict(self.rejected)}
        if self.foreign is not None:
            found["unknown"] |= self._foreign(self.foreign)
        chosen, other = self.alike, self.by_class
        if self.sets is not None and chosen is not None and other is not None:
            if self.sets.per_class:
                chosen, other = other, chosen
            found["conformal"] = {
                **self.sets.to_json(),
                "part": self.part,
                **self._sets(chosen),
                "alike" if self.sets.per_class else "class_conditional": self._sets(other),
            }
        return found

    def _foreign(self, foreign: Foreign) -> dict[str, Any]:
        return {
            "auroc": asdict(foreign.by_score.auroc),
            "accepted": asdict(foreign.by_score.accepted),
            "foreign": {"folder": foreign.folder, "images": len(foreign.scores)},
            "max_softmax": foreign.by_softmax.to_json(),
        }

    def _sets(self, figures: SetFigures) -> dict[str, Any]:
        return {
            "measured": asdict(figures.measured),
            "mean_set_size": figures.mean_size,
            "classes": {
                label: {
                    "images": images,
                    "measured": None if share is None else asdict(share),
                    "mean_set_size": size,
                }
                for label, images, share, size in zip(
                    self.labels, figures.images, figures.classes, figures.class_sizes, strict=True
                )
            },
        }


def know(
    labels: Sequence[str],
    judged: Labelled,
    scores: FloatArray | None,
    rule: UnknownRule | None,
    sets: SetRule | None,
) -> Knowing:
    """How rules turn out on the images that are reported.

    Args:
        labels: the K classes.
        judged: the answers for these images, at least one.
        scores: (N,) how strange they are; None of a model that does not tell.
        rule: chosen on other images.
        sets: calibrated on other images.
    """
    return Knowing(
        tuple(labels),
        judged.part,
        rule,
        scores,
        None if scores is None or rule is None else above(scores, rule.threshold),
        sets,
        None if sets is None else set_figures(sets.sets(judged.probabilities, False), judged.truth),
        None if sets is None else set_figures(sets.sets(judged.probabilities, True), judged.truth),
    )
