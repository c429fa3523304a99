"""How the groups of images (patients, lots, products) are found: by any image, the mean, or a majority."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from eyebright.evaluation.group_figures import GroupFigures, GroupRule
from eyebright.report.content import ReportContent
from eyebright.report.document import Section
from eyebright.report.templating import render
from eyebright.text.language import translate
from eyebright.types import Interval

_MOST_CLASSES = 50


@dataclass(frozen=True)
class GroupRow:
    """A rule for the groups of a class, with sensitivity and specificity; None without such groups."""

    label: str
    groups: int
    rule: str
    sensitivity: Interval | None
    specificity: Interval | None


def groups(content: ReportContent) -> Section | None:
    """Return sensitivity and specificity by group; None where images have no groups."""
    found = content.groups
    if found is None:
        return None
    shown = list(found.classes.items())[:_MOST_CLASSES]
    rows = [row for label, figures in shown for row in _rows(label, figures)]
    body = render("sections/groups.html", found=found, rows=rows, shown=len(shown))
    return Section("groups", translate("Results by group"), body)


def rule_name(rule: GroupRule) -> str:
    """Return how the predictions for a group's images become one."""
    match rule:
        case "any":
            return translate("any image")
        case "mean":
            return translate("mean probability")
        case "vote":
            return translate("majority vote")


def _rows(label: str, figures: GroupFigures) -> Sequence[GroupRow]:
    return [
        GroupRow(
            label, figures.positives, rule_name(rule), figures.sensitivity[rule], figures.specificity[rule]
        )
        for rule in get_args(GroupRule)
    ]
