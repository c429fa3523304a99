"""Which of several models is chosen, and which of them nobody beats."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from eyebright.text.language import LANGUAGES, speaking
from eyebright.verbs.shrink.candidate import ShrinkCandidate, choose, figures, first_good, write_csv
from eyebright.verbs.shrink.page import write_pareto
from eyebright.verbs.shrink.targets import parse_target

TARGETS = [parse_target("latency<=10ms"), parse_target("size<=5MB")]


def made(name: str, correct: int, latency_ms: float, megabytes: float) -> ShrinkCandidate:
    return ShrinkCandidate(
        name=name,
        path=Path(f"{name}.onnx"),
        precision="int8" if "int8" in name else "fp32",
        correct=correct,
        count=100,
        size_bytes=int(megabytes * 1e6),
        latency_ms=latency_ms,
    )


BIG = made("big", 95, 20, 8)
SMALL = made("small", 90, 6, 4)
QUICK = made("quick int8", 90, 3, 4)
TINY = made("tiny", 80, 2, 1)
POOR = made("poor", 70, 9, 4)
ALL = [BIG, SMALL, QUICK, TINY, POOR]


def test_the_most_accurate_that_meets_all_targets_is_chosen_and_the_quickest_of_equals() -> None:
    assert choose(ALL, TARGETS) is QUICK
    assert choose(ALL, [parse_target("latency<=30ms")]) is BIG
    assert choose(ALL, [parse_target("size<=2MB")]) is TINY


def test_where_none_meets_them_the_nearest_is() -> None:
    targets = [parse_target("latency<=1ms"), parse_target("size<=4MB")]
    assert choose(ALL, targets) is TINY  # twice too slow; the quick one three times
    assert not TINY.meets(targets)


def test_who_is_beaten() -> None:
    assert [c.name for c in ALL if not c.beaten(ALL)] == ["big", "quick int8", "tiny"]
    twin = made("twin", 95, 20, 8)
    assert not BIG.beaten([BIG, twin])  # equals do not beat each other


@pytest.mark.parametrize(
    ("right", "kept", "tried"),
    [([90], 0, 1), ([90, 95, 96], 1, 2), ([90, 80], 0, 2), ([90, 90], 0, 2), ([80, 90], 1, 2)],
)
def test_the_first_good_one_is_kept_else_the_most_accurate(
    tmp_path: Path, right: list[int], kept: int, tried: int
) -> None:
    def files() -> Iterator[ShrinkCandidate]:
        for number, correct in enumerate(right):
            path = tmp_path / f"{number}.onnx"
            path.write_bytes(b"")
            yield replace(made("one", correct, 1, 1), path=path)

    found = files()
    best = first_good(found, 95)
    assert (best.path.name, best.correct) == (f"{kept}.onnx", right[kept])
    assert list(tmp_path.iterdir()) == [best.path]
    assert len(list(found)) == len(right) - tried  # were not asked for


def test_the_table_and_the_page_hold_every_candidate(tmp_path: Path) -> None:
    found = figures(ALL, TARGETS, QUICK)
    write_csv(tmp_path / "pareto.csv", found)
    with (tmp_path / "pareto.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["name"] for row in table] == [c.name for c in ALL]
    assert [row["selected"] for row in table] == ["False", "False", "True", "False", "False"]
    assert [row["meets"] for row in table] == ["False", "True", "True", "True", "True"]
    for lang in LANGUAGES:
        path = tmp_path / f"{lang}.html"
        with speaking(lang):
            write_pareto(path, "a <title>", found, {"latency": 10.0, "size": 5e6}, ["Selected."])
        page = path.read_text(encoding="utf-8")
        assert page.count("<title>") == 1 + 2 * len(ALL)  # the page, and a dot in each picture
        assert "a &lt;title&gt;" in page
        assert "<script src" not in page
