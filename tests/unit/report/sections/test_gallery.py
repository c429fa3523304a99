"""Which pictures are chosen."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from report_material import evaluation

from eyebright.evaluation.multiclass.results import PredictionRow
from eyebright.report.sections.gallery import examples, mistakes


def test_the_surest_mistakes_come_first_and_at_most_96(tmp_path: Path) -> None:
    html = mistakes(evaluation(tmp_path, ("cat", "dog"), 130, 110)).body
    assert "Showing 96 of 110 mistakes, including the most confident of each kind" in html
    shown = re.findall(r'class="path" title="(\d+)\.png"', html)
    # The material's confidence falls with the number.
    assert shown == [f"{i:05d}" for i in range(96)]


def test_the_surest_mistake_of_a_rare_kind_is_shown(tmp_path: Path) -> None:
    content = evaluation(tmp_path, ("cat", "dog"), 130, 110)
    rare = replace(content.rows[109], predicted="fox")  # the least sure of all mistakes
    html = mistakes(replace(content, rows=[*content.rows[:109], rare, *content.rows[110:]])).body
    shown = re.findall(r'class="path" title="(\d+)\.png"', html)
    assert len(shown) == 96
    assert shown[-1] == "00109"


def test_rows_of_other_parts_are_passed_over(tmp_path: Path) -> None:
    content = evaluation(tmp_path, ("cat", "dog"), 10, 1)
    other = PredictionRow("00005.png", "test", "cat", "dog", 0.999)
    html = mistakes(replace(content, rows=[*content.rows, other])).body
    assert html.count("<figure>") == 1
    assert "00005" not in html


def test_each_class_shows_at_most_four_from_surest_to_least_sure(tmp_path: Path) -> None:
    section = examples(evaluation(tmp_path, ("cat", "dog"), 40, 0))
    assert section is not None
    cats, dogs = section.body.split("<h3>")[1:]
    for group in (cats, dogs):
        sure = [int(value) for value in re.findall(r"<figcaption>(\d+)", group)]
        assert len(sure) == 4
        assert sure == sorted(sure, reverse=True)
        assert sure[0] > sure[-1] + 20


def test_examples_of_many_classes_stay_within_120_pictures(tmp_path: Path) -> None:
    labels = tuple(f"class {i:03d}" for i in range(150))
    section = examples(evaluation(tmp_path, labels, 450, 0))
    assert section is not None
    assert section.body.count("<img") == 120
    assert "Showing 120 of 150 classes." in section.body


def test_nothing_right_means_no_examples(tmp_path: Path) -> None:
    assert examples(evaluation(tmp_path, ("cat", "dog"), 4, 4)) is None
