"""Everything that is looked for, in one go: from material to findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from eyebright.auditing.classes.class_findings import (
    imbalance_findings,
    overlap_findings,
    shortcut_findings,
    split_findings,
)
from eyebright.auditing.duplicates.copies import find_copies
from eyebright.auditing.duplicates.copy_findings import copy_findings, exact_groups, joined_groups
from eyebright.auditing.duplicates.medoids import medoid_groups
from eyebright.auditing.faults import find_faults
from eyebright.auditing.findings import KINDS, Finding, PlantedResult
from eyebright.auditing.image_findings import (
    border_findings,
    fault_findings,
    marks_of,
    outlier_findings,
    planted_borders,
    size_findings,
    watermark_findings,
)
from eyebright.auditing.label_findings import judge_labels, label_findings
from eyebright.auditing.labels import budget
from eyebright.auditing.material import Material
from eyebright.auditing.part_findings import compare_all_parts, shift_findings
from eyebright.auditing.shift import Shift
from eyebright.auditing.subject import AuditSubject
from eyebright.runtime.context import progress_task
from eyebright.task.task import ClassificationTask
from eyebright.text.language import english
from eyebright.training.linear_probe.folds import groups_of
from eyebright.types import Interval, Skipped, Split

_STEPS = 4


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
    samples = material.samples
    alone, truth = np.arange(len(samples)), task.encode(samples, labels)
    subject = AuditSubject(material, task, labels, truth, alone, groups_of(samples), parts, seed)
    findings = [Finding("broken", (entry.path,), {"reason": _reason(entry)}, 1.0) for entry in broken]
    with progress_task("Auditing", total=_STEPS) as shown:
        pairs = find_copies(material)
        exact, near = exact_groups(samples), medoid_groups(pairs.first, pairs.second, pairs.score)
        joins = [*exact, *near]
        subject = replace(
            subject, copies=joined_groups(alone, joins), groups=joined_groups(subject.groups, joins)
        )
        findings += copy_findings(samples, pairs, exact, near, parts=parts)
        shown.advance()
        judged = judge_labels(subject)
        findings += label_findings(subject, judged) if judged else ()
        shown.advance()
        shifts = compare_all_parts(subject)
        findings += shift_findings(subject, shifts)
        shown.advance()
        marks = marks_of(subject)
        findings += [
            *shortcut_findings(subject, marks),
            *watermark_findings(subject, marks),
            *overlap_findings(subject, judged),
            *split_findings(subject),
            *imbalance_findings(subject),
        ]
        faults = {kind: find_faults(kind, material.records, some) for kind, some in material.faults.items()}
        findings += [
            *size_findings(subject),
            *border_findings(subject),
            *outlier_findings(subject),
            *fault_findings(subject, faults),
        ]
        shown.advance()
    findings.sort(key=lambda one: (KINDS.index(one.kind), -(one.probability or 0)))
    errors = judged.errors if judged else None
    return Examination(
        findings=findings,
        planted={
            "near_duplicate": pairs.found,
            **({"label_error": errors.found} if errors else {}),
            "border": planted_borders(material),
            **{kind: found.found for kind, found in faults.items()},
        },
        wrong_labels=float(errors.wrong.sum()) if errors else None,
        budget=budget(errors.wrong.reshape(-1)) if errors else {},
        label_calibration_error=errors.calibration_error if errors else None,
        shifts=shifts,
    )


def _reason(entry: Skipped) -> str:
    return english(entry.reason, **entry.reason_values)
