"""What columns mean: read as a person means it, or asked for, never guessed."""

from __future__ import annotations

from pathlib import Path

import pytest

from eyebright.data.table.columns import LabelTable, find_meaning
from eyebright.data.table.delimited import DataTable
from eyebright.errors import DataError
from eyebright.text.language import english

KINDS = ("stripes", "rings", "checks")


def meaning(columns: dict[str, list[object]], *, multilabel: bool = False) -> LabelTable:
    """The meaning of a table with one image a row."""
    count = len(next(iter(columns.values())))
    rows = [[str(cells[i]) for cells in columns.values()] for i in range(count)]
    table = DataTable(Path("labels.csv"), list(columns), rows, range(2, count + 2))
    return find_meaning(table, multilabel=multilabel)


def paths(count: int = 60) -> list[object]:
    return [f"images/{i:02}.png" for i in range(count)]


def kinds(names: tuple[object, ...] = KINDS, count: int = 60) -> list[object]:
    return [names[i % len(names)] for i in range(count)]


def notes(table: LabelTable) -> str:
    return "\n".join(english(note.reason, **note.reason_values) for note in table.notes)


def labels(table: LabelTable) -> list[str]:
    return [row.label for row in table.rows]


@pytest.mark.parametrize("name", ["label", "class", "Label", "labels", "tags"])
def test_a_quoted_class_with_a_comma_is_one_class(name: str) -> None:
    names = ("tench, Tinca tinca", "goldfish, Carassius auratus", "hammerhead")
    table = meaning({"path": paths(), name: kinds(names)})
    assert table.label_set is None
    assert labels(table) == kinds(names)


def test_a_label_column_is_never_parted_and_looking_like_lists_is_said() -> None:
    names = ("cat, small", "cat, large", "dog, small", "dog, large", "a;b")
    table = meaning({"path": paths(), "class": kinds(names)})
    assert table.label_set is None
    assert set(labels(table)) == set(names)
    assert "was read as one class" in notes(table)
    with pytest.raises(DataError, match="name the column labels"):
        meaning({"path": paths(), "kind": kinds(names)})


@pytest.mark.parametrize(
    ("cells", "several"),
    [
        (("a;b", "b", "", "c"), True),
        (("a|b", "b", "", "c"), True),
        (("a, b", "b", "a", "a,c", "c"), True),
        (("['a', 'b']", "['b']", "[]", '["c"]'), True),
        (('["a", "b"]', '["b"]', "[]", '["c"]'), True),
        (("{'a', 'b'}", "('b',)", "", "['c']"), True),
        (("['a' 'b']", "['b']", "", "['c']"), True),
        (("a b", "b", "b c", "a", "c", "a b c"), True),
        (("a", "b", "c"), False),
        (("['a']", "['b']", "['c']"), False),
        (("polar bear", "brown bear", "bear", "panda"), False),
        (("red car", "red bus", "blue car", "blue bus"), False),
    ],
)
def test_lists_are_read_where_they_are_evident(cells: tuple[str, ...], several: bool) -> None:
    table = meaning({"path": paths(), "labels": kinds(cells)})
    assert (table.label_set is not None) == several
    if several:
        assert table.label_set == ("a", "b", "c")
        assert "lists of labels" in notes(table)
    else:
        assert "read as classes" in notes(table)


def test_json_lists_keep_their_characters() -> None:
    cells = ('["\\u732b", "it\'s"]', '["it\'s"]', '[\'\\u732b\', "a\\"b"]')
    with pytest.raises(DataError, match="separated alike"):
        meaning({"path": paths(), "labels": kinds(cells)})
    assert meaning({"path": paths(), "labels": kinds(cells[:2])}).label_set == ("it's", "猫")


@pytest.mark.parametrize(
    "cells",
    [
        ("a;b", "b", "c,a", "c"),
        ("crane, bird", "crane, machine", "duck"),
        ("['a', 'b']", "a", "b"),
        ("['a', ['b']]", "['b']"),
        ("[None]", "['b']"),
    ],
)
def test_doubtful_lists_are_asked_for(cells: tuple[str, ...]) -> None:
    with pytest.raises(DataError, match="may be one label or several"):
        meaning({"path": paths(), "labels": kinds(cells)})


def test_one_label_each_and_none_are_labels_and_it_is_said() -> None:
    table = meaning({"path": paths(), "labels": kinds(("a", "b", ""))})
    assert table.label_set == ("a", "b")
    assert "20 images have none" in notes(table)


def test_python_lists_in_a_column_of_classes_are_asked_for() -> None:
    with pytest.raises(DataError, match=r"bare name.*\['rings'\]"):
        meaning({"path": paths(), "label": kinds(("['rings']", "['checks']"))})


def test_exactly_one_1_in_each_row_is_a_class() -> None:
    columns = {"image": paths(), **{k: [int(i % 3 == n) for i in range(60)] for n, k in enumerate(KINDS)}}
    table = meaning(columns)
    assert table.label_set is None
    assert labels(table) == kinds()
    assert "exactly one 1" in notes(table)
    assert meaning(columns, multilabel=True).label_set == tuple(sorted(KINDS))
    columns["rings"] = [0] * 60
    assert meaning(columns).label_set == tuple(sorted(KINDS))


def test_yes_and_no_are_0_and_1() -> None:
    table = meaning({"path": paths(), "dust": kinds(("yes", "No")), "hair": kinds(("TRUE", "false", "true"))})
    assert table.label_set == ("dust", "hair")
    assert labels(table)[:3] == ["dust; hair", "", "dust; hair"]


@pytest.mark.parametrize(
    ("columns", "named"),
    [
        ({"breed": kinds(), "vaccinated": kinds((0, 1))}, "breed: 3 texts; vaccinated: 0/1"),
        (
            {"diagnosis": kinds(), "patient_id": range(60), "sex": kinds(("f", "m")), "age": range(20, 80)},
            "diagnosis: 3 texts; sex: 2 texts",
        ),
        (
            {
                "diagnosis": kinds(),
                "patient_id": kinds(range(9)),
                "sex": kinds((0, 1)),
                "smoker": kinds((1, 0, 0)),
            },
            "diagnosis: 3 texts; sex: 0/1; smoker: 0/1",
        ),
        (
            {
                "id": range(60),
                "choice": kinds(),
                "annotator": [1] * 60,
                "annotation_id": [7] * 60,
                "time": [3.5] * 60,
            },
            "choice: 3 texts",
        ),
        ({"target": kinds(range(10)), "fold": kinds(range(5))}, "target: 10 numbers; fold: 5 numbers"),
        ({"dx": kinds(), "lesion_id": [f"l{i // 2}" for i in range(60)]}, "dx: 3 texts; lesion_id: 30 texts"),
        ({"scratch": kinds((0, 1)), "stain": kinds((1, 1, 0)), "line": kinds()}, "line: 3 texts"),
    ],
)
def test_a_label_of_another_name_is_asked_for(columns: dict[str, list[object]], named: str) -> None:
    with pytest.raises(DataError) as raised:
        meaning({"image_id": paths(), **{name: list(cells) for name, cells in columns.items()}})
    assert named in str(raised.value)


def test_a_single_column_is_the_label_whatever_its_name() -> None:
    table = meaning({"image": paths(), "diagnosis": kinds(), "split": kinds(("train", "val"))})
    assert (table.label_set, set(labels(table))) == (None, set(KINDS))


def test_of_two_columns_that_tell_the_same_classes_the_names_are_taken() -> None:
    table = meaning({"path": paths(), "label": kinds((0, 1, 2)), "class": kinds()})
    assert set(labels(table)) == set(KINDS)
    with pytest.raises(DataError, match="they differ: label, class"):
        meaning({"path": paths(), "label": kinds((0, 1, 1)), "class": kinds()})


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "index"])
def test_row_numbers_are_left_out(name: str) -> None:
    table = meaning({name: list(range(60)), "path": paths(), "kind": kinds()})
    assert labels(table) == kinds()
    assert "Ignored columns" in notes(table)


def test_is_valid_is_the_split() -> None:
    table = meaning({"path": paths(), "labels": kinds(), "is_valid": kinds((True, False, False, False))})
    assert [row.split for row in table.rows[:4]] == ["val", "train", "train", "train"]
    with pytest.raises(DataError, match=r"Line 2 .* '2'"):
        meaning({"path": paths(), "labels": kinds(), "is_valid": kinds((2, 0))})


def test_a_column_of_splits_is_the_split_and_it_is_said() -> None:
    table = meaning({"path": paths(), "label": kinds(), "subset": kinds(("Training", "TEST", "dev"))})
    assert [row.split for row in table.rows[:3]] == ["train", "test", "val"]
    assert "subset was read as the split" in notes(table)
    with pytest.raises(DataError, match="several that could: a, b"):
        meaning(
            {"path": paths(), "label": kinds(), "a": kinds(("train", "val")), "b": kinds(("val", "train"))}
        )


def test_columns_that_may_name_groups_are_pointed_at() -> None:
    table = meaning(
        {"path": paths(), "label": kinds(), "patient_id": kinds(range(7)), "Group": kinds((1, 2))}
    )
    assert "same patient_id may belong together" in notes(table)
    assert [row.group for row in table.rows[:2]] == ["1", "2"]


def test_codes_that_recur_may_name_groups_and_grades_do_not() -> None:
    codes = [f"S{i:03}" for i in range(9)]
    table = meaning({"path": paths(), "label": kinds(), "exam": kinds(codes), "grade": kinds(("G1", "G2"))})
    assert "same exam may belong together" in notes(table)


def test_of_very_many_columns_the_first_are_named() -> None:
    table = meaning({"path": paths(), "label": kinds()} | {f"f{i}": kinds((0.5, 1.5)) for i in range(3000)})
    assert "f8, f9 and 2,990 more." in notes(table)


def test_a_class_called_nan_is_pointed_at() -> None:
    assert "20 images have the class nan" in notes(
        meaning({"path": paths(), "label": kinds(("a", "b", "nan"))})
    )


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"path": paths(), "cell": kinds((0, 1)), "dust": [*kinds((0, 1))[:-1], "2"]},
            "Line 61 .* has '2' in column",
        ),
        (
            {"path": paths(), "cell": kinds((0, 1)), "dust": kinds((0, 1, ""))},
            "Line 4 .* has '' in column dust",
        ),
        ({"where": paths(), "cell": kinds((0, 1))}, "a column named path"),
        ({"path": paths(), "": kinds()}, "Column 2 of .* has none"),
        ({"path": paths(), "label": kinds(), "split": kinds(("train", ""))}, "Line 3 .* has ''"),
        ({"path": paths(), "a;b": kinds((0, 1)), "c": kinds((1, 1, 0))}, "semicolon"),
    ],
)
def test_what_cannot_be_meant_says_why(columns: dict[str, list[object]], message: str) -> None:
    with pytest.raises(DataError, match=message):
        meaning(columns)


def test_a_name_that_comes_twice_is_refused() -> None:
    table = DataTable(Path("labels.csv"), ["path", "a", "a"], [["x", "1", "0"]], [2])
    with pytest.raises(DataError, match="a more than once"):
        find_meaning(table)
