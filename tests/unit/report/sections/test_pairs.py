"""The classes that are confused most stand side by side, each with its own images."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from report_material import evaluation

from eyebright.report.content import ReportContent
from eyebright.report.sections.pairs import pairs

LABELS = ("cat", "dog", "a < b")


def with_answers(root: Path, answers: dict[str, list[str]]) -> ReportContent:
    """Ten images of each class, the first of them answered as ``answers`` say, the others right."""
    base = evaluation(root, LABELS, 30, 0)
    left = {label: list(named) for label, named in answers.items()}
    rows = [
        replace(row, predicted=left[row.label].pop(0)) if left.get(row.label) else row for row in base.rows
    ]
    return replace(base, rows=rows)


def headings(html: str, level: int) -> list[str]:
    return re.findall(rf"<h{level}>(.*?)</h{level}>", html)


def test_both_directions_count_and_the_worst_pair_comes_first(tmp_path: Path) -> None:
    content = with_answers(
        tmp_path, {"cat": ["dog"] * 2 + ["a < b"] * 2, "dog": ["cat"] * 6, "a < b": ["dog"]}
    )
    section = pairs(content)
    assert section is not None
    assert headings(section.body, 3) == ["cat and dog: 8 confusions", "a &lt; b and cat: 2 confusions"]
    assert headings(section.body, 4) == [
        "cat, predicted as dog (2 of 10)",
        "dog, predicted as cat (6 of 10)",
        "a &lt; b, predicted correctly (never as cat)",
        "cat, predicted as a &lt; b (2 of 10)",
    ]
    assert section.body.count("<img") == 2 + 4 + 4 + 2


def test_a_class_of_which_nothing_is_right_has_an_empty_side(tmp_path: Path) -> None:
    content = with_answers(tmp_path, {"cat": ["a < b"] * 10, "dog": ["cat"] * 5})
    section = pairs(content)
    assert section is not None
    side = re.escape("cat, predicted correctly (never as dog)</h4>") + r"\s*<ul class=\"strip\">\s*</ul>"
    assert re.search(side, section.body)


def test_single_mistakes_and_none_are_no_pair(tmp_path: Path) -> None:
    assert pairs(with_answers(tmp_path, {})) is None
    assert pairs(with_answers(tmp_path, {"cat": ["dog"], "dog": ["a < b"]})) is None
