"""Evaluating a sealed model on labelled images gives the figures that training gave for them."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest

import eyebright as eb
from eyebright.errors import DataError, ModelError, NotFoundError
from eyebright.runs.run import Run


@pytest.fixture(scope="module")
def fresh(textile: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The validation part as a folder of its own."""
    return Path(shutil.copytree(textile / "val", tmp_path_factory.mktemp("fresh") / "new photos"))


@pytest.fixture(scope="module")
def evaluation(textile_run: Run, fresh: Path) -> Run:
    return eb.evaluate(textile_run.directory, fresh, out=fresh.parent / "evaluation")


def rows_of(run: Run) -> dict[str, tuple[str, str]]:
    with (run.directory / "predictions.csv").open(newline="") as file:
        return {
            f"{row['label']}/{Path(row['path']).name}": (row["predicted"], row["confidence"])
            for row in csv.DictReader(file)
        }


def test_the_figures_are_those_of_training(evaluation: Run, textile_run: Run) -> None:
    for name in ("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "ece"):
        assert evaluation.metrics[name] == textile_run.metrics[name]
    for name in ("per_class", "confusion", "labels", "reliability"):
        assert evaluation.metrics[name] == textile_run.metrics[name]
    assert rows_of(evaluation) == rows_of(textile_run)


def test_it_leaves_figures_rows_and_a_page(evaluation: Run) -> None:
    names = {file.name for file in evaluation.directory.iterdir()}
    assert names == {"metrics.json", "model_card.md", "predictions.csv", "report.html"}
    assert evaluation.metrics["images"]["test"] == 30
    assert evaluation.metrics["split"] == "test"
    assert evaluation.metrics["warnings"] == []


@pytest.mark.parametrize("split", ["auto", "val"])
def test_parts_of_a_folder_are_found(textile_run: Run, textile: Path, tmp_path: Path, split: str) -> None:
    run = eb.evaluate(textile_run.model, textile, split=split, out=tmp_path / "out")
    assert run.metrics["split"] == "val"
    assert run.metrics["accuracy"] == textile_run.metrics["accuracy"]


def test_images_that_were_trained_on_are_pointed_out(textile_run: Run, textile: Path, tmp_path: Path) -> None:
    run = eb.evaluate(textile_run.model, textile, split="train", out=tmp_path / "out")
    reasons = [entry["reason"] for entry in run.metrics["warnings"]]
    assert any("72 images were used to train it" in reason for reason in reasons)


def test_images_that_rules_were_chosen_on_are_pointed_out(textile: Path, tmp_path: Path) -> None:
    trained = eb.train(textile, test=0.25, out=tmp_path / "run", size=96, layers="texture")
    run = eb.evaluate(trained.model, textile, split="val", out=tmp_path / "out")
    reasons = [entry["reason"] for entry in run.metrics["warnings"]]
    assert any("verdicts on targets and coverage are too optimistic" in reason for reason in reasons)


def test_some_classes_are_enough(textile_run: Run, fresh: Path, tmp_path: Path) -> None:
    shutil.copytree(fresh / "local", tmp_path / "data" / "local")
    run = eb.evaluate(textile_run.model, tmp_path / "data", out=tmp_path / "out")
    assert run.metrics["labels"] == ["global", "local", "nominal"]
    assert np.array(run.metrics["confusion"]).sum(axis=1).tolist() == [0, 10, 0]


def test_an_unknown_class_is_answered_with_those_it_knows(
    textile_run: Run, fresh: Path, tmp_path: Path
) -> None:
    shutil.copytree(fresh / "nominal", tmp_path / "data" / "normal")
    with pytest.raises(DataError) as caught:
        eb.evaluate(textile_run.model, tmp_path / "data", out=tmp_path / "out")
    assert "It does not know: normal. Closest matches: nominal" in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_images_that_cannot_be_read_are_listed(textile_run: Run, fresh: Path, tmp_path: Path) -> None:
    data = Path(shutil.copytree(fresh, tmp_path / "data"))
    victim = min((data / "global").iterdir())
    victim.write_bytes(victim.read_bytes()[:-3000])
    run = eb.evaluate(textile_run.model, data, out=tmp_path / "out")
    (skipped,) = run.metrics["skipped"]
    assert skipped["path"] == f"global/{victim.name}"
    assert run.metrics["images"]["test"] == len(rows_of(run)) == 29


def test_images_of_which_none_can_be_read_are_an_error(textile_run: Run, fresh: Path, tmp_path: Path) -> None:
    data = Path(shutil.copytree(fresh, tmp_path / "data"))
    for file in data.rglob("*.jpg"):
        file.write_bytes(file.read_bytes()[:-3000])
    with pytest.raises(DataError, match="Got 30 images, none of them readable"):
        eb.evaluate(textile_run.model, data, out=tmp_path / "out")


def test_what_is_missing_is_told(textile_run: Run, fresh: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        eb.evaluate(tmp_path / "none.onnx", fresh)
    with pytest.raises(NotFoundError):
        eb.evaluate(textile_run.model, tmp_path / "none")
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(ModelError):
        eb.evaluate(tmp_path / "text.onnx", fresh)
