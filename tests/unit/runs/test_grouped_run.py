"""A run of images in groups with a target: files, page, terminal and comparison count groups."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest
from metrics_schema import violations

import eyebright as eb
from eyebright.report.display import as_text
from eyebright.runs.run import Run
from eyebright.text.language import speaking

TARGET = "recall(local) >= 0.8"


def grouped(textile: Path, data: Path) -> Path:
    """Lots of at most four photographs, 24 to train on and 10 to evaluate of every class."""
    rows = []
    for split, each in (("train", 24), ("val", 10)):
        for folder in sorted(p for p in (textile / split).iterdir() if p.is_dir()):
            for i, file in enumerate(sorted(folder.iterdir())[:each]):
                name = f"{split}-{folder.name}-{i}{file.suffix}"
                data.mkdir(exist_ok=True)
                shutil.copyfile(file, data / name)
                rows.append((name, folder.name, split, f"{split}-{folder.name}-{i // 4}"))
    with (data / "labels.csv").open("w", newline="", encoding="utf-8") as table:
        csv.writer(table).writerows([("path", "label", "split", "group"), *rows])
    return data


@pytest.fixture(scope="module")
def run(textile: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("grouped")
    data = grouped(textile, folder / "data")
    return eb.train(data, out=folder / "run", size=96, layers="texture", target=[TARGET])


def test_intervals_and_verdicts_count_lots(run: Run) -> None:
    assert violations(run) == []
    found = run.metrics["groups"]
    assert (found["count"], found["images"]) == (9, 30)
    assert set(found["classes"]["local"]["sensitivity"]) == {"any", "mean", "vote"}
    (point,) = run.metrics["operating_points"]
    assert point["grouped"]
    assert point["counted"] == found["classes"]["local"]["positives"] == 3
    assert point["limit"] <= point["value"]
    assert point["verdict"] != "met"  # three lots never show 80 %


def test_terminal_page_and_card_say_it(run: Run) -> None:
    text = as_text(run.display())
    groups = run.metrics["groups"]["count"]
    assert f"The images come in {groups} groups; intervals count groups" in text
    assert "Sensitivity / specificity by group, local (3 of" in text
    verdict = run.metrics["operating_points"][0]["verdict"]
    assert f"{TARGET}: {verdict}." in text
    assert "Majority baseline" in text
    assert "Images of one group count as one." in text
    page = run.report.read_text(encoding="utf-8")
    assert "Results by group" in page
    card = (run.directory / "model_card.md").read_text(encoding="utf-8")
    assert "## Targets and promises" in card
    with speaking("zh"):
        assert "按组的灵敏度" in as_text(run.display())


def test_comparisons_and_evaluations_know_the_lots(run: Run, tmp_path: Path) -> None:
    again = eb.evaluate(run.model, run.metrics["root"], split="val", out=tmp_path / "again")
    assert again.metrics["groups"] == run.metrics["groups"]
    assert again.metrics["operating_points"][0]["limit"] == run.metrics["operating_points"][0]["limit"]
    lines = (run.directory / "predictions.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0].endswith(",group")
    compared = eb.compare([run.directory, again.directory], out=tmp_path / "compared")
    assert compared.content.groups is not None
    (accuracy, _) = (r.accuracy for r in compared.content.runs)
    assert accuracy.high - accuracy.low > 0.25  # nine lots, not 30 images
