"""Cross-validation: every image is judged once, by a model that saw neither it nor what belongs to it."""

from __future__ import annotations

import csv
import json
import random
import shutil
from collections import Counter
from pathlib import Path

import pytest
from metrics_schema import violations
from PIL import Image

import eyebright as eb
from eyebright.data.manifest_file import read_manifest
from eyebright.errors import ConfigError, DataError, NotFoundError
from eyebright.report.display import as_text
from eyebright.runs.predictions_csv import read_predictions
from eyebright.runs.run import Run
from eyebright.sealed.model import SealedModel
from eyebright.text.language import speaking

TARGET = "recall(local) >= 0.8"
QUICK = {"size": 96, "layers": "texture"}


@pytest.fixture(scope="module")
def run(textile: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("folds") / "run"
    return eb.train(textile / "train", out=out, folds=4, target=[TARGET], **QUICK)


def test_every_image_is_judged_once(run: Run, textile: Path) -> None:
    rows = read_predictions(run.directory / "predictions.csv")
    assert {row.split for row in rows} == {"folds"}
    paths = sorted(p.relative_to(textile / "train").as_posix() for p in (textile / "train").rglob("*.jpg"))
    assert sorted(row.path for row in rows) == paths
    right = sum(row.predicted == row.label for row in rows)
    assert run.metrics["accuracy"]["value"] == pytest.approx(right / len(rows))
    assert 0.5 < run.metrics["accuracy"]["value"] < 1


def test_all_files_say_so(run: Run) -> None:
    assert violations(run) == []
    m = run.metrics
    assert (m["split"], m["splitting"]["by"], m["splitting"]["folds"]) == ("folds", "folds", 4)
    assert m["images"] == {"train": 72, "val": 0, "test": 0, "folds": 72}
    assert m["parity"]["images"] == 72
    assert m["conformal"]["calibrated_on"] == "train"
    assert m["operating_points"][0]["chosen_on"] == "train"
    assert {s.split for s in read_manifest(run.directory / "manifest.parquet").samples} == {"train"}
    assert SealedModel(run.model).facts.metrics.split == "folds"
    said = "by cross-validation on 72 images, each predicted by a model that did not see it"
    assert said in as_text(run.display())
    assert said in run.report.read_text(encoding="utf-8")
    assert said in (run.directory / "model_card.md").read_text(encoding="utf-8")
    with speaking("zh"):
        assert "由交叉验证在 72 张图像上测得" in as_text(run.display())


def test_the_model_learned_from_all_and_is_evaluated_on_others(
    run: Run, textile: Path, tmp_path: Path
) -> None:
    with pytest.raises(NotFoundError, match="train 72, val 0, test 0"):
        eb.evaluate(run.directory, out=tmp_path / "own")
    found = eb.evaluate(run.directory, textile / "val", out=tmp_path / "new")
    assert found.metrics["split"] == "test"
    assert [w["path"] for w in found.metrics["warnings"]] == []
    assert found.metrics["operating_points"][0]["target"] == TARGET


def test_runs_are_compared_image_by_image(run: Run, textile: Path, tmp_path: Path) -> None:
    other = eb.train(textile / "train", out=tmp_path / "other", folds=2, **QUICK)
    assert eb.compare([run.directory, other.directory], out=tmp_path / "c").content.images == 72


def test_an_export_is_compared_on_training_images(run: Run, tmp_path: Path) -> None:
    shutil.copytree(run.directory, tmp_path / "run")
    eb.export(tmp_path / "run", to=["onnx"])
    (certificate,) = (tmp_path / "run" / "exports").rglob("certificate.json")
    assert json.loads(certificate.read_text())["split"] == "train"


@pytest.fixture(scope="module")
def pairs(textile: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs in pairs of near duplicates, in classes by the throw of a coin."""
    root = tmp_path_factory.mktemp("pairs")
    throw = random.Random(3)
    for number, file in enumerate(sorted((textile / "train").rglob("*.jpg"))[::3]):
        folder = root / throw.choice(("heads", "tails"))
        folder.mkdir(exist_ok=True)
        shutil.copyfile(file, folder / f"{number:02}.jpg")
        with Image.open(file) as image:
            image.resize((image.width * 3 // 4, image.height * 3 // 4)).save(folder / f"{number:02}b.png")
    return root


def test_a_near_duplicate_gives_no_answer_away(pairs: Path, tmp_path: Path) -> None:
    run = eb.train(pairs, out=tmp_path / "run", folds=3, **QUICK)
    assert run.metrics["splitting"]["near_groups"] >= 20
    accuracy = run.metrics["accuracy"]
    assert accuracy["value"] < 0.75, "with one of each pair to learn from, nearly all would be right"
    assert accuracy["low"] < 0.5


def test_several_labels_are_cross_validated_too(textile: Path, tmp_path: Path) -> None:
    rows = []
    for path in sorted((textile / "train").rglob("*.jpg")):
        kind = path.parent.name
        rows.append([path.relative_to(textile).as_posix(), int("nominal" not in kind), int("global" in kind)])
    shutil.copytree(textile / "train", tmp_path / "data" / "train")
    with (tmp_path / "data" / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["path", "defective", "widespread"], *rows])
    target = ["recall(defective) >= 0.95"]
    run = eb.train(tmp_path / "data", out=tmp_path / "run", folds=3, target=target, **QUICK)
    assert violations(run) == []
    assert run.metrics["per_class"]["defective"]["roc_auc"]["value"] > 0.7
    assert len(read_predictions(run.directory / "predictions.csv")) == 72


def test_fewer_folds_than_requested_are_said(
    textile: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = few(textile, tmp_path / "data", 2)
    run = eb.train(data, out=tmp_path / "run", folds=5, progress=True, **QUICK)
    assert run.metrics["splitting"]["folds"] == 2
    assert Counter(row.label for row in read_predictions(run.directory / "predictions.csv")).total() == 6
    assert "2 folds in place of 5" in "".join(capsys.readouterr())


def test_a_class_in_one_group_alone_is_refused(textile: Path, tmp_path: Path) -> None:
    data = few(textile, tmp_path / "data", 6)
    for number, file in enumerate(sorted((data / "nominal").iterdir())):
        file.rename(file.with_name(f"P1_{number}.jpg"))
    with pytest.raises(DataError, match=r"one group\) in: nominal\. Add"):
        eb.train(data, out=tmp_path / "run", folds=3, group_from="^P[0-9]+", **QUICK)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"val": 0.2}, "--val"),
        ({"test": 0.2}, "--test"),
        ({"split_by": "time"}, "--split-by time"),
        ({"finetune": "last"}, "--finetune last"),
    ],
)
def test_what_does_not_go_together_is_refused(
    textile: Path, tmp_path: Path, options: dict[str, object], named: str
) -> None:
    with pytest.raises(ConfigError, match=f"does not go together with {named}"):
        eb.train(textile / "train", out=tmp_path / "run", folds=3, **options)


def test_data_with_splits_is_refused(textile: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="30 validation images"):
        eb.train(textile, out=tmp_path / "run", folds=3)


def few(textile: Path, target: Path, each: int) -> Path:
    for folder in (textile / "train").iterdir():
        (target / folder.name).mkdir(parents=True)
        for file in sorted(folder.iterdir())[:each]:
            shutil.copyfile(file, target / folder.name / file.name)
    return target
