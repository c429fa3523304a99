"""Weights of images in training, and columns that an earlier run has learned from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from eyebright.data.manifest_file import read_manifest, write_manifest
from eyebright.data.source import scan
from eyebright.data.table.chosen import Columns
from eyebright.data.table.columns import LabelTable, find_meaning
from eyebright.data.table.delimited import DataTable
from eyebright.errors import DataError
from eyebright.text.language import english


def meaning(columns: dict[str, list[str]], chosen: Columns, delimiter: str = ",") -> LabelTable:
    rows = list(zip(*columns.values(), strict=True))
    table = DataTable(Path("labels.csv"), list(columns), rows, range(2, len(rows) + 2), delimiter)
    return find_meaning(table, chosen=chosen)


def table(**further: list[str]) -> dict[str, list[str]]:
    return {"path": ["0.jpg", "1.jpg", "2.jpg"], "label": ["a", "b", "a"], **further}


def weights(found: LabelTable) -> list[float]:
    return [row.weight for row in found.rows]


@pytest.mark.parametrize("name", ["weight", "Sample Weight", "权重"])
def test_certain_names_are_taken(name: str) -> None:
    found = meaning(table(**{name: ["1", "0.5", "2e0"]}), Columns())
    assert weights(found) == [1, 0.5, 2]
    assert (name, "weight") in found.roles


def test_a_decimal_comma_is_one() -> None:
    assert weights(meaning(table(weight=["1,5", "2", "0"]), Columns(), ";")) == [1.5, 2, 0]


def test_the_weight_of_a_body_is_none_of_training_unless_it_is_named() -> None:
    columns = table(age=["40", "50", "60"], weight=["70", "80", "90"])
    found = meaning(columns, Columns())
    assert weights(found) == [1, 1, 1]
    assert any("speak of bodies" in english(n.reason, **n.reason_values) for n in found.notes)
    assert weights(meaning(columns, Columns(weight="weight"))) == [70, 80, 90]
    assert weights(meaning(table(weight=["1", "2", "3"]), Columns(weight="none"))) == [1, 1, 1]


@pytest.mark.parametrize("wrong", ["-1", "nan", "inf", "", "heavy", "1_0"])
def test_what_is_no_weight_is_refused_with_its_line(wrong: str) -> None:
    with pytest.raises(DataError, match=r"0 or more\. Line 3 of labels\.csv has"):
        meaning(table(w=["1", wrong, "1"]), Columns(weight="w"))


def test_weights_that_are_all_0_are_refused() -> None:
    with pytest.raises(DataError, match="all are 0"):
        meaning(table(w=["0", "0", "0"]), Columns(weight="w"))


def test_several_columns_of_weights_and_one_column_with_two_meanings_are_questions() -> None:
    with pytest.raises(DataError, match=r"--weight\. labels\.csv has several"):
        meaning(table(weight=["1", "2", "3"], sample_weight=["1", "2", "3"]), Columns())
    with pytest.raises(DataError, match=r"label was given for --label and for --weight"):
        meaning(table(), Columns(label=("label",), weight="label"))


def test_the_columns_of_an_earlier_run_count_where_none_is_named_and_they_are_there() -> None:
    columns = {
        "path": ["0.jpg", "1.jpg"],
        "kind": ["a", "b"],
        "label": ["x", "y"],
        "w": ["1", "2"],
        "date": ["5/3/2024", "6/3/2024"],
    }
    run = meaning(columns, Columns(label=("kind",), weight="w", group="none", time="date:mdy")).columns
    found = meaning(columns, Columns(remembered=run))
    assert found.columns == replace(run, path="path")
    assert [row.label for row in found.rows] == ["a", "b"]
    assert [row.time[:10] for row in found.rows] == ["2024-05-03", "2024-06-03"]
    assert [row.label for row in meaning(columns, Columns(label=("label",), remembered=run)).rows] == [
        "x",
        "y",
    ]
    del columns["kind"]
    assert [row.label for row in meaning(columns, Columns(remembered=run)).rows] == ["x", "y"]


def test_a_manifest_keeps_weights_times_and_columns(tmp_path: Path, scenes: list[Image.Image]) -> None:
    rows = ["path,kind,w,date,site"]
    for i in range(24):
        scenes[0].crop((8 * i, 0, 8 * i + 32, 32)).save(tmp_path / f"{i:02}.png")
        rows.append(f"{i:02}.png,{'ab'[i % 2]},{i % 3},2024-03-{i + 1:02},north")
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    columns = Columns(label=("kind",), weight="w")
    manifest = scan(tmp_path, columns=columns)
    assert all(s.weight for s in manifest.of("train"))
    assert {s.weight for s in manifest.of("train")} == {1, 2}
    left_out = [s.path for s in manifest.skipped if "weight of this image" in s.reason]
    assert left_out
    assert manifest.columns == Columns("path", ("kind",), weight="w", time="date")
    write_manifest(manifest, tmp_path / "manifest.parquet")
    assert read_manifest(tmp_path / "manifest.parquet") == manifest
    unweighted = scan(tmp_path, columns=replace(columns, weight="none"))
    assert unweighted.digest != manifest.digest
    assert unweighted.training_weights is None
    assert manifest.training_weights is not None
    assert manifest.training_weights.column == "w"


def test_a_class_whose_weights_are_all_0_is_refused(tmp_path: Path, scenes: list[Image.Image]) -> None:
    rows = ["path,label,weight"]
    for i in range(24):
        scenes[0].crop((8 * i, 0, 8 * i + 32, 32)).save(tmp_path / f"{i:02}.png")
        rows.append(f"{i:02}.png,{'ab'[i % 2]},{i % 2}")
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    with pytest.raises(DataError, match=r"All weights are 0 of: a\."):
        scan(tmp_path)
