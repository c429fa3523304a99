"""Names of splits as people write them, and names that only look like one."""

from __future__ import annotations

import pytest

from eyebright.data.splits.names import is_no_class, named_split, numbered_splits


@pytest.mark.parametrize(
    ("split", "names"),
    [
        (
            "train",
            "train Train TRAINING training_set trainset seg_train images-train TrainImages train2017 训练集",
        ),
        ("val", "val valid Validation dev val_split ValSet validation-data val2017 dev_set 验证集"),
        ("test", "test TEST testing test_set seg_test test_images tests"),
        (
            None,
            "bus bullet_train train_station contest testimony value eval fold1 2017 train_1 set images",
        ),
    ],
)
def test_a_name_stands_for_a_split_or_for_none(split: str | None, names: str) -> None:
    assert {name: named_split(name) for name in names.split()} == dict.fromkeys(names.split(), split)


@pytest.mark.parametrize(
    ("numbered", "names"),
    [
        (True, "fold1 fold2 fold3"),
        (True, "HAM10000_images_part_1 HAM10000_images_part_2"),
        (True, "train_1 train_2"),
        (True, "Batch-01 batch-02"),
        (False, "fold1"),
        (False, "0 1 2"),
        (False, "grade1 grade2"),
        (False, "fold1 other2"),
    ],
)
def test_folds_are_alike_but_for_a_number(numbered: bool, names: str) -> None:
    assert numbered_splits(names.split()) == numbered


def test_some_names_say_nothing_of_what_images_show() -> None:
    assert all(map(is_no_class, ["images", "unlabelled", "test_images", "Unknown"]))
    assert not any(map(is_no_class, ["cat", "unknown_cat", "1"]))
