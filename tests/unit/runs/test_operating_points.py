"""Targets and costs through training, evaluation and prediction."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import eyebright as eb
from eyebright.errors import ConfigError, DataError
from eyebright.runs.run import Run

RECALL = "recall(local) >= 0.95"


@pytest.fixture(scope="module")
def decided(textile: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("decided") / "run"
    targets = [RECALL, "false_positive_rate(global) <= 0"]
    return eb.train(textile, out=out, size=96, layers="texture", target=targets)


def test_thresholds_are_chosen_on_held_out_training_images(decided: Run, textile: Path) -> None:
    first, second = decided.metrics["operating_points"]
    assert first["target"] == RECALL
    assert (first["class"], first["split"], first["chosen_on"]) == ("local", "val", "train")
    assert first["met"]
    assert first["chosen_value"] >= 0.95
    assert first["low"] <= first["value"] <= first["high"]
    assert second["class"] == "global"
    model = eb.load(decided.model)
    number = model.labels.index("local")
    found = []
    for file in sorted((textile / "val").glob("*/*.jpg")):
        answer = model.predict(file)
        share = dict(zip(answer.labels, answer.probabilities, strict=True))
        found.append((file.parent.name, share["local"] >= first["threshold"], answer.label))
        assert np.isclose(sum(answer.probabilities), 1, atol=1e-4)
        assert number >= 0
    hits = [named for label, named, _ in found if label == "local"]
    assert first["value"] == pytest.approx(np.mean(hits))


def test_the_model_carries_them_and_predict_follows(decided: Run, textile: Path) -> None:
    model = eb.load(decided.model)
    first, second = json.loads(model.metadata["operating_points"])
    for file in sorted((textile / "val").glob("*/*.jpg")):
        answer = model.predict(file)
        share = dict(zip(answer.labels, answer.probabilities, strict=True))
        excess = {p["class"]: share[p["class"]] / p["threshold"] for p in (first, second)}
        if max(excess.values()) >= 1:
            assert answer.label == max(excess, key=lambda label: excess[label])
        else:
            assert answer.label == "nominal"
    image = next((textile / "val").glob("*/*.jpg"))
    (row,) = eb.predict(decided.model, [str(image)])
    assert row.label == model.predict(image, top=1).label


def test_the_page_and_the_config_hold_them(decided: Run) -> None:
    page = decided.report.read_text(encoding="utf-8")
    assert "recall(local) &gt;= 0.95" in page
    assert page.count("chosen-ring") >= 3  # the style, and a ring on each of two curves
    assert "recall(local) >= 0.95" in (decided.directory / "config.toml").read_text(encoding="utf-8")


def test_evaluation_checks_what_the_model_carries(decided: Run, textile: Path, tmp_path: Path) -> None:
    run = eb.evaluate(decided.model, textile / "val", out=tmp_path / "out")
    ours, theirs = run.metrics["operating_points"], decided.metrics["operating_points"]
    for a, b in zip(ours, theirs, strict=True):
        assert (a["threshold"], a["value"], a["split"]) == (b["threshold"], b["value"], "test")
    asked = eb.evaluate(decided.model, textile / "val", target=[RECALL], out=tmp_path / "asked")
    assert [p["target"] for p in asked.metrics["operating_points"]] == [RECALL]


def test_evaluation_needs_a_part_to_choose_on(textile_run: Run, textile: Path, tmp_path: Path) -> None:
    for data in (textile, textile / "val"):
        with pytest.raises(DataError, match="outside the evaluated split"):
            eb.evaluate(textile_run.model, data, target=[RECALL], out=tmp_path / "out")
    both = tmp_path / "both"
    for folder in (textile / "val").iterdir():
        for number, file in enumerate(sorted(folder.iterdir())):
            to = both / ("val" if number % 2 else "test") / folder.name
            to.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, to / file.name)
    run = eb.evaluate(textile_run.model, both, target=[RECALL], out=tmp_path / "out")
    (point,) = run.metrics["operating_points"]
    assert (point["chosen_on"], point["split"]) == ("val", "test")


def test_costs(textile: Path, tmp_path: Path) -> None:
    costs = tmp_path / "costs.csv"
    costs.write_text("truth,nominal,local,global\nnominal,0,1,1\nlocal,50,0,1\nglobal,50,1,0\n")
    run = eb.train(textile, out=tmp_path / "run", size=96, layers="texture", cost=costs)
    figures = run.metrics["costs"]
    assert figures["saved"]["value"] == pytest.approx(
        figures["likeliest"]["value"] - figures["cheapest"]["value"]
    )
    model = eb.load(run.model)
    table = np.array(figures["table"])
    for file in list((textile / "val").glob("*/*.jpg"))[::7]:
        answer = model.predict(file)
        share = dict(zip(answer.labels, answer.probabilities, strict=True))
        expected = np.array([share[label] for label in model.labels]) @ table
        assert answer.label == model.labels[int(expected.argmin())]
    assert "Mean cost per image" in run.report.read_text(encoding="utf-8")


def test_wrong_options_are_told_before_anything_is_computed(textile: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="closest matches are: local"):
        eb.train(textile, out=tmp_path / "a", target=["recall(locl) >= 0.9"])
    (tmp_path / "c.csv").write_text("t,nominal,local,global\nnominal,0,1,1\nlocal,5,0,1\nglobal,5,1,0\n")
    with pytest.raises(ConfigError, match="Remove one of them"):
        eb.train(textile, out=tmp_path / "a", target=[RECALL], cost=tmp_path / "c.csv")
