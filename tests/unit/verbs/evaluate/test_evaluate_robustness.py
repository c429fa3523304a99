"""`evaluate --robustness`: seeded, told beforehand how long it takes, and right about real images."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import eyebright as eb
from eyebright.data.corruptions import STRENGTHS
from eyebright.runs.run import Run
from eyebright.runtime.context import showing
from eyebright.runtime.progress import Silent
from eyebright.verbs.evaluate.evaluate import evaluate
from eyebright.verbs.evaluate.options import EvaluateConfig


class Heard(Silent):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


@pytest.fixture(scope="module")
def few(textile: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five images of each class, which the model has learned from: only how they fall is looked at."""
    root = tmp_path_factory.mktemp("few") / "photos"
    for file in sorted((textile / "train").glob("*/*.jpg")):
        target = root / file.parent.name / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        if len(list(target.parent.iterdir())) < 5:
            shutil.copyfile(file, target)
    return root


@pytest.fixture(scope="module")
def heard() -> Heard:
    return Heard()


@pytest.fixture(scope="module")
def stressed(textile_run: Run, few: Path, tmp_path_factory: pytest.TempPathFactory, heard: Heard) -> Run:
    out = tmp_path_factory.mktemp("stressed") / "out"
    with showing(heard):
        return evaluate(EvaluateConfig(model=textile_run.model, data=few, robustness=True, seed=5, out=out))


def test_it_says_beforehand_how_long_it_takes(stressed: Run, heard: Heard) -> None:
    assert [
        line for line in heard.said if line.startswith("Robustness test: 570 predictions on corrupted images")
    ]


def test_the_figures_are_of_all_images_and_all_strengths(stressed: Run) -> None:
    found = stressed.metrics["robustness"]
    assert found["images"] == 15
    assert {
        kind: tuple(level["strength"] for level in levels) for kind, levels in found["curves"].items()
    } == {kind: tuple(map(float, strengths)) for kind, strengths in STRENGTHS.items()}
    # The squares of 240 px are scaled to 96 before the model sees them, exactly as it would itself.
    assert found["clean"]["value"] == stressed.metrics["accuracy"]["value"]
    noise = [level["accuracy"]["value"] for level in found["curves"]["noise"]]
    assert noise[-1] < found["clean"]["value"] - 0.2
    assert stressed.metrics["shortcut"]["clean"] == found["clean"]
    assert stressed.metrics["shortcut"]["majority"] == pytest.approx(1 / 3)


def test_the_page_shows_the_curves(stressed: Run) -> None:
    page = stressed.report.read_text()
    assert 'id="robustness"' in page
    assert page.count("Border only") == 1


def test_without_being_asked_it_does_nothing(textile_run: Run, few: Path, tmp_path: Path) -> None:
    run = eb.evaluate(textile_run.model, few, out=tmp_path / "out")
    assert not {"robustness", "shortcut"} & set(run.metrics)
    assert 'id="robustness"' not in run.report.read_text()
    assert "robustness" not in run.metrics["seconds"]


def test_the_seed_decides_what_is_drawn(stressed: Run, textile_run: Run, few: Path, tmp_path: Path) -> None:
    again = eb.evaluate(textile_run.model, few, robustness=True, seed=5, out=tmp_path / "again")
    assert again.metrics["robustness"] == stressed.metrics["robustness"]
    assert again.metrics["shortcut"] == stressed.metrics["shortcut"]
