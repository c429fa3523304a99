"""The kinds of findings as a table: how many were found, and how well such are found."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from eyebright.auditing.examine import Examination
from eyebright.auditing.findings import KINDS
from eyebright.types import Interval
from eyebright.verbs.audit.words import title


@dataclass(frozen=True)
class KindRow:
    """A kind of findings; recall and precision where it was planted."""

    kind: str
    title: str
    count: int
    recall: Interval | None
    precision: Interval | None


def kind_rows(found: Examination) -> list[KindRow]:
    """Return the kinds that were found or planted, in their order."""
    counts = Counter(finding.kind for finding in found.findings)
    rows = []
    for kind in KINDS:
        planted = found.planted.get(kind)
        if counts[kind] or planted is not None:
            recall, precision = (None, None) if planted is None else (planted.recall, planted.precision)
            rows.append(KindRow(kind, title(kind), counts[kind], recall, precision))
    return rows
