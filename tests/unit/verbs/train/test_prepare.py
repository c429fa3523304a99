"""What a training says of its splits before anything is learned."""

from __future__ import annotations

import re
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from PIL import Image

from eyebright.data.manifest import SPLITS
from eyebright.runtime.context import showing
from eyebright.verbs.train.options import TrainConfig
from eyebright.verbs.train.own_code import OwnCode
from eyebright.verbs.train.prepare import TrainingPlan, prepare


@pytest.fixture(scope="module")
def patients(textile: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs of 24 patients, three of each, taken on days in a row."""
    root = tmp_path_factory.mktemp("patients")
    files = sorted((textile / "train").rglob("*.jpg"))
    for number, file in enumerate(files):
        folder = root / file.parent.name
        folder.mkdir(exist_ok=True)
        exif = Image.Exif()
        day = datetime(2024, 1, 1) + timedelta(days=number * 7 % len(files))
        exif.get_ifd(0x8769)[0x9003] = day.strftime("%Y:%m:%d %H:%M:%S")
        with Image.open(file) as image:
            image.save(folder / f"P{number // 3:03}_{'abc'[number % 3]}.jpg", exif=exif)
    return root


def planned(data: Path, tmp_path: Path, **options: object) -> TrainingPlan:
    return prepare(TrainConfig.build(data=data, **options), tmp_path, OwnCode())


def warnings(plan: TrainingPlan) -> list[str]:
    return [warning.reason for warning in plan.manifest.warnings]


def test_groups_in_file_names_are_proposed_and_not_used(patients: Path, tmp_path: Path) -> None:
    plan = planned(patients, tmp_path)
    (found,) = (w for w in plan.manifest.warnings if "--group-from" in w.reason)
    assert (found.reason_values["count"], found.reason_values["pattern"]) == (24, "^[^_]+")
    assert all(re.fullmatch(r"\d\.\d\d", str(found.reason_values[name])) for name in ("within", "across"))
    assert not any(s.group for s in plan.manifest.samples)


def test_groups_that_are_asked_for_stay_in_one_split(patients: Path, tmp_path: Path) -> None:
    plan = planned(patients, tmp_path, group_from="^[^_]+", test=0.25)
    splits = [{s.group for s in plan.manifest.of(split)} for split in SPLITS]
    assert sum(map(len, splits)) == len(set.union(*splits)) == 24
    assert not any("--group-from" in reason for reason in warnings(plan))


def test_splits_of_the_data_get_no_proposal(textile: Path, tmp_path: Path) -> None:
    shutil.copytree(textile, tmp_path / "data")
    for number, file in enumerate(sorted((tmp_path / "data").rglob("*.jpg"))):
        file.rename(file.with_name(f"P{number // 3:03}_{number % 3}.jpg"))
    plan = planned(tmp_path / "data", tmp_path)
    assert plan.manifest.facts is not None
    assert plan.manifest.facts.by == "data"
    assert not any("--group-from" in reason for reason in warnings(plan))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "72 images are few to hold some out"),
        ({"folds": 5}, "each to be evaluated in one of 5 folds"),
        ({"split_by": "time"}, "Taken from 2024-01-01T00:00:00 to"),
    ],
)
def test_what_is_said_of_the_splits(
    patients: Path, tmp_path: Path, options: dict[str, object], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with showing(True):
        planned(patients, tmp_path, **options)
    told = "".join(capsys.readouterr())
    assert said in told
    assert ("are few to hold some out" in told) == (not options)
