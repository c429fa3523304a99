"""Everything that is looked for, in one go: from material to findings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from eyebright.auditing.classes import overlaps, rare
from eyebright.auditing.copies import find_copies
from eyebright.auditing.copy_findings import copy_findings, exact_groups, joined_groups
from eyebright.auditing.faults import CALLED_FAULTY, find_faults
from eyebright.auditing.findings import KINDS, Finding, PlantedResult
from eyebright.auditing.labels import CALLED_WRONG, LabelErrors, budget, find_label_errors
from eyebright.auditing.material import Material
from eyebright.auditing.medoids import medoid_groups
from eyebright.auditing.oddities import USUAL, bordered, odd_sizes, outliers
from eyebright.auditing.shift import SIGNIFICANT, Shift, compare_parts
from eyebright.auditing.shortcuts import SIGNIFICANT as SHORTCUT_SIGNIFICANT
from eyebright.auditing.shortcuts import TELLING, find_shortcuts, properties
from eyebright.data.manifest import SPLITS, joined
from eyebright.evaluation.intervals import share_of
from eyebright.runtime.context import progress_task
from eyebright.task.task import ClassificationTask
from eyebright.text.language import english
from eyebright.training.linear_probe.folds import groups_of
from eyebright.types import IntArray, Interval, JsonObject, Skipped, Split

_FEWEST_GROUPS = 5  # of a class whose labels are judged
_FEWEST_IMAGES = 40
_FEWEST_OF_CLASS = 20
_SHOWN = 12


@dataclass(frozen=True)
class Examination:
    """What was found.

    Attributes:
        findings: in the order of their kinds, the likeliest of a kind first.
        planted: how well the kinds that were planted are found.
        wrong_labels: estimated number of wrong labels; None where labels were not judged.
        budget: wrong labels expected among so many that are looked at.
        label_calibration_error: of the probabilities of the planted wrong labels; None where there are none.
        shifts: of every pair of parts that was compared, found or not.
    """

    findings: Sequence[Finding]
    planted: Mapping[str, PlantedResult]
    wrong_labels: float | None
    budget: Mapping[int, Interval]
    label_calibration_error: float | None
    shifts: Mapping[tuple[Split, Split], Shift]


def examine(
    material: Material,
    task: ClassificationTask,
    labels: Sequence[str],
    broken: Sequence[Skipped],
    *,
    parts: bool,
    seed: int,
) -> Examination:
    """Look for everything.

    Args:
        material: of all images that can be read.
        task: of their labels.
        labels: the K classes in the order of their numbers.
        broken: images that cannot be read.
        parts: whether the data itself says which images train and which evaluate.
        seed: of all that is drawn.
    """
    looked = _Examiner(material, task, labels, parts, seed)
    steps = (
        looked.copies,
        looked.wrong_labels,
        looked.shift,
        looked.shortcuts,
        looked.overlaps,
        looked.imbalance,
        looked.oddities,
        looked.faults,
    )
    findings = [Finding("broken", (entry.path,), {"reason": _reason(entry)}, 1.0) for entry in broken]
    with progress_task("Auditing", total=len(steps)) as shown:
        for step in steps:
            findings += step()
            shown.advance()
    findings.sort(key=lambda one: (KINDS.index(one.kind), -(one.probability or 0)))
    judged = looked.judged
    return Examination(
        findings=findings,
        planted=looked.planted,
        wrong_labels=None if judged is None else float(judged.wrong.sum()),
        budget={} if judged is None else budget(judged.wrong.reshape(-1)),
        label_calibration_error=None if judged is None else judged.calibration_error,
        shifts=looked.shifts,
    )


class _Examiner:
    """One examination; a step uses what those before it found."""

    def __init__(
        self,
        material: Material,
        task: ClassificationTask,
        labels: Sequence[str],
        parts: bool,
        seed: int,
    ) -> None:
        self.material, self.samples = material, material.samples
        self.task, self.labels, self.parts, self.seed = task, labels, parts, seed
        self.truth = task.encode(self.samples, labels)
        self.planted: dict[str, PlantedResult] = {}
        self.shifts: dict[tuple[Split, Split], Shift] = {}
        self.judged: LabelErrors | None = None
        self._judged_places = np.zeros(0, np.int64)
        self._copies = np.arange(len(self.samples))
        self._groups = groups_of(self.samples)

    def copies(self) -> Iterator[Finding]:
        """Yield copies and leaks."""
        pairs = find_copies(self.material)
        self.planted["near_duplicate"] = pairs.found
        near = medoid_groups(pairs.first, pairs.second, pairs.score)
        joins = [*exact_groups(self.samples), *near]
        self._copies = joined_groups(self._copies, joins)
        self._groups = joined_groups(self._groups, joins)
        yield from copy_findings(self.samples, pairs, parts=self.parts)

    def wrong_labels(self) -> Iterator[Finding]:
        """Yield labels that are more likely wrong than right."""
        places = self._places_to_judge()
        if len(places) < _FEWEST_IMAGES:
            return
        truth, names = self.truth[places], list(self.labels)
        if not self.task.multilabel:
            present, truth = np.unique(truth, return_inverse=True)
            names = [self.labels[number] for number in present]
            if len(names) < 2:
                return
        judged = find_label_errors(
            self.material.rows[places], truth, len(names), self._groups[places], self.seed
        )
        self.judged, self._judged_places = judged, places
        self.planted["label_error"] = judged.found
        for place, wrong, suggested, label in zip(
            places.tolist(), judged.wrong, judged.suggested, truth, strict=True
        ):
            sample = self.samples[place]
            if wrong.max() < CALLED_WRONG:
                continue
            if self.task.multilabel:
                answers = np.where(wrong >= CALLED_WRONG, suggested, label)
                better = joined(names[number] for number in np.flatnonzero(answers))
            else:
                better = names[int(suggested)]
            yield Finding("label_error", (sample.path,), {"label": sample.label}, float(wrong.max()), better)

    def shift(self) -> Iterator[Finding]:
        """Yield pairs of parts that can be told apart."""
        if not self.parts:
            return
        strata = self.task.strata(self.truth)
        _, first = np.unique(self._copies, return_index=True)
        split = np.array([SPLITS.index(self.samples[place].split) for place in first])
        pairs = [
            pair for pair in combinations(range(len(SPLITS)), 2) if all((split == one).any() for one in pair)
        ]
        for one, other in pairs:
            places = first[(split == one) | (split == other)]
            found = self._compared(places, other, strata)
            if found is None:
                continue
            names = SPLITS[one], SPLITS[other]
            self.shifts[names] = found
            if found.p <= SIGNIFICANT / len(pairs):
                classes = self._shifted_classes(places, other, strata)
                evidence: JsonObject = {
                    "parts": list(names),
                    "told_apart": round(found.auc, 4),
                    "p": found.p,
                    "classes": classes,
                    "compared": list(found.counts),
                }
                yield Finding("shift", self._paths(found.shown), evidence, 1 - found.p)

    def shortcuts(self) -> Iterator[Finding]:
        """Yield properties that give the class away."""
        if self.task.multilabel or len(self.labels) < 2:
            return
        tables = properties(self.samples, self.material.records, self.material.cameras)
        for found in find_shortcuts(tables, self.truth, self._groups, len(self.labels), self.seed):
            gain = (found.accuracy.low - found.chance) / (1 - found.chance)
            if gain < TELLING or found.p > SHORTCUT_SIGNIFICANT:
                continue
            number, recall = found.label
            evidence: JsonObject = {
                "property": found.name,
                "accuracy": round(found.accuracy.value, 4),
                "low": round(found.accuracy.low, 4),
                "high": round(found.accuracy.high, 4),
                "chance": round(found.chance, 4),
                "p": found.p,
                "class": self.labels[number],
                "recall": round(recall, 4),
            }
            yield Finding("shortcut", (), evidence, 1 - found.p)

    def overlaps(self) -> Iterator[Finding]:
        """Yield pairs of classes that cannot be told apart."""
        if self.judged is None or self.task.multilabel:
            return
        truth = self.truth[self._judged_places]
        present, truth = np.unique(truth, return_inverse=True)
        for found in overlaps(self.judged.logits, truth):
            names = [self.labels[present[number]] for number in (found.first, found.second)]
            area = found.area
            evidence: JsonObject = {
                "classes": names,
                "told_apart": round(area.value, 4),
                "low": round(area.low, 4),
                "high": round(area.high, 4),
            }
            yield Finding("class_overlap", self._paths(self._judged_places[found.shown]), evidence)

    def imbalance(self) -> Iterator[Finding]:
        """Yield classes with few images."""
        counts = self.task.counts(self.truth, len(self.labels))
        for number in rare(counts).tolist():
            evidence: JsonObject = {
                "class": self.labels[number],
                "images": int(counts[number]),
                "largest": int(counts.max()),
            }
            yield Finding("imbalance", (), evidence)

    def oddities(self) -> Iterator[Finding]:
        """Yield images of another size or shape, with a border, or unlike all others."""
        odd, area, shape = odd_sizes(self.samples)
        for place in np.flatnonzero(odd).tolist():
            sample = self.samples[place]
            evidence: JsonObject = {
                "width": sample.width,
                "height": sample.height,
                "area": round(float(area[place]), 4),
                "shape": round(float(shape[place]), 4),
            }
            yield Finding("odd_size", (sample.path,), evidence)
        borders = self.material.records["borders"]
        framed = bordered(self.material.records)
        self.planted["border"] = _border_result(self.material)
        for place in np.flatnonzero(framed).tolist() if framed.mean() <= USUAL else []:
            shares: JsonObject = dict(
                zip(("top", "bottom", "left", "right"), borders[place].round(4).tolist(), strict=True)
            )
            yield Finding("border", (self.samples[place].path,), shares)
        _, first = np.unique(self._copies, return_index=True)
        if len(first) >= _FEWEST_IMAGES:
            strange = outliers(self.material.rows[first], self.seed)
            for number in np.flatnonzero(strange).tolist():
                yield Finding("outlier", self._paths(first[[number]]), {}, float(strange[number]))

    def faults(self) -> Iterator[Finding]:
        """Yield images that are blurred, dark, bright or pale."""
        for kind, planted in self.material.faults.items():
            found = find_faults(kind, self.material.records, planted)
            self.planted[kind] = found.found
            for place in np.flatnonzero(found.probability >= CALLED_FAULTY).tolist():
                evidence: JsonObject = {
                    "value": round(float(found.values[place]), 4),
                    "usual": round(float(np.median(found.values)), 4),
                }
                yield Finding(kind, (self.samples[place].path,), evidence, float(found.probability[place]))

    def _places_to_judge(self) -> IntArray:
        """Return the images whose class has enough others that are no copies."""
        if self.task.multilabel:
            return np.arange(len(self.samples))
        pairs = np.unique(np.stack([self.truth, self._groups]), axis=1)
        groups = np.bincount(pairs[0], minlength=len(self.labels))
        return np.flatnonzero(groups[self.truth] >= _FEWEST_GROUPS)

    def _compared(self, places: IntArray, other: int, strata: IntArray) -> Shift | None:
        second = np.array([self.samples[place].split == SPLITS[other] for place in places])
        found = compare_parts(
            self.material.rows[places], second, strata[places], self._groups[places], self.seed
        )
        return None if found is None else found.at(places)

    def _shifted_classes(self, places: IntArray, other: int, strata: IntArray) -> list[str]:
        """Return the classes in which the parts differ as well, Bonferroni's share of 0.05 each."""
        shifted = []
        for number in np.unique(strata[places]).tolist():
            some = places[strata[places] == number]
            second = np.array([self.samples[place].split == SPLITS[other] for place in some])
            if min(second.sum(), (~second).sum()) < _FEWEST_OF_CLASS:
                continue
            found = self._compared(some, other, strata)
            if found is not None and found.p <= 0.05 / len(self.labels):
                shifted.append(self.labels[number] if number < len(self.labels) else "")
        return shifted

    def _paths(self, places: IntArray) -> tuple[str, ...]:
        return tuple(self.samples[place].path for place in places.tolist())


def _border_result(material: Material) -> PlantedResult:
    """Return the share of planted borders that are found."""
    found = bordered(material.planted["border"].records)
    return PlantedResult(share_of(int(found.sum()), len(found)), None, len(found))


def _reason(entry: Skipped) -> str:
    return english(entry.reason, **entry.reason_values)
