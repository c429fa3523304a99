"""What a training leaves behind: every file is there, and they agree with each other."""

from __future__ import annotations

import csv
import json
import re
import shutil
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tracked import scalars

import eyebright as eb
from eyebright.data.manifest import Manifest
from eyebright.data.manifest_file import read_manifest
from eyebright.errors import ConfigError, ModelError, NotFoundError, StorageError
from eyebright.runs.run import Run
from eyebright.runtime.context import showing
from eyebright.sealed.model import SealedModel
from eyebright.sealed.parity import Parity
from eyebright.verbs.train.options import TrainConfig
from eyebright.verbs.train.train import train

HEADLINE = ("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "ece")


class Heard:
    """Remembers what a stage says."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.tasks: list[tuple[str, int | None, list[int]]] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    def task(self, description: str, total: int | None = None):
        counts: list[int] = []
        self.tasks.append((description, total, counts))

        class Task:
            def advance(self, count: int = 1) -> None:
                counts.append(count)

        return nullcontext(Task())


@pytest.fixture(scope="module")
def rows(textile_run: Run) -> list[dict[str, str]]:
    with (textile_run.directory / "predictions.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def parted(textile: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with a test part; both parts are held out by share, and one image is damaged."""
    data = tmp_path_factory.mktemp("parted") / "my photos"
    shutil.copytree(textile / "train", data)
    victim = min((data / "nominal").iterdir())
    victim.write_bytes(victim.read_bytes()[:-3000])
    (data / "nominal" / "notes.jpg").write_text("no picture")
    out = data.parent / "run"
    return train(TrainConfig(data=data, out=out, size=64, layers="texture", val=0.2, test=0.25, seed=3))


def test_every_file_is_there_and_nothing_else(textile_run: Run) -> None:
    names = {file.name for file in textile_run.directory.iterdir()}
    assert names == {
        "model.onnx", "metrics.json", "predictions.csv", "report.html", "model_card.md", "manifest.parquet",
        "config.toml",
    }  # fmt: skip
    assert textile_run.model == textile_run.directory / "model.onnx"
    assert textile_run.report.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_the_metrics_hold_what_was_promised(textile_run: Run, textile_manifest: Manifest) -> None:
    metrics = textile_run.metrics
    for name in HEADLINE:
        assert metrics[name].keys() == {"value", "low", "high"}
        assert metrics[name]["low"] <= metrics[name]["value"] <= metrics[name]["high"]
        assert name == "log_loss" or 0 <= metrics[name]["low"] <= metrics[name]["high"] <= 1
    assert metrics["labels"] == ["global", "local", "nominal"] == list(textile_run.labels)
    assert metrics["per_class"].keys() == set(metrics["labels"])
    for figures in metrics["per_class"].values():
        names = {"precision", "recall", "f1", "roc_auc", "average_precision"}
        assert figures.keys() == {"support", *names}
        assert all(figures[name].keys() == {"value", "low", "high"} for name in names)
    assert np.array(metrics["confusion"]).shape == (3, 3)
    assert metrics["split"] == "val"
    assert metrics["images"] == {"train": 72, "val": 30, "test": 0}
    assert metrics["seconds"]["total"] >= sum(v for k, v in metrics["seconds"].items() if k != "total") - 0.05
    assert metrics["seconds"].keys() >= {"scan", "features", "head", "seal", "evaluate", "total"}
    assert metrics["engine"] == metrics["candidates"]["engines"][0]["name"]
    assert (metrics["chosen"]["size"], metrics["chosen"]["layers"]) == (96, "texture")
    assert metrics["skipped"] == []
    assert metrics["data_sha"] == textile_manifest.digest
    assert metrics["parity"]["largest_difference"] < 0.02
    assert 0 <= metrics["ece_before"] <= 1
    assert metrics["accuracy"]["value"] > 0.5


def test_the_rows_are_what_the_metrics_count(textile_run: Run, rows, textile_manifest: Manifest) -> None:
    assert list(rows[0])[:5] == ["path", "split", "label", "predicted", "confidence"]
    assert {row["path"] for row in rows} == {s.path for s in textile_manifest.of("val")}
    assert len(rows) == textile_run.metrics["images"]["val"]
    right = np.mean([row["label"] == row["predicted"] for row in rows])
    assert right == pytest.approx(textile_run.metrics["accuracy"]["value"])
    confusion = np.zeros((3, 3), int)
    for row in rows:
        confusion[textile_run.labels.index(row["label"]), textile_run.labels.index(row["predicted"])] += 1
    assert confusion.tolist() == textile_run.metrics["confusion"]
    for label, figures in textile_run.metrics["per_class"].items():
        assert figures["support"] == sum(row["label"] == label for row in rows)


def test_the_rows_are_the_sealed_models_answers(textile_run: Run, rows, textile: Path) -> None:
    model = eb.load(textile_run.model)
    for row in rows[::6]:
        answer = model.predict(textile / row["path"])
        assert answer.label == row["predicted"]
        assert answer.confidence == pytest.approx(float(row["confidence"]), abs=1e-5)


def test_the_options_read_back(textile_run: Run, textile: Path) -> None:
    options = TrainConfig.build(textile_run.directory / "config.toml")
    assert options.data == textile
    assert (options.size, options.layers, options.views, options.seed) == (96, "texture", "auto", 0)
    assert options.out == textile_run.directory


def test_the_manifest_reads_back(textile_run: Run, textile_manifest: Manifest) -> None:
    read = read_manifest(textile_run.directory / "manifest.parquet")
    assert read.samples == textile_manifest.samples
    assert read.digest == textile_run.metrics["data_sha"]


def test_the_report_names_what_was_measured(textile_run: Run) -> None:
    page = textile_run.report.read_text(encoding="utf-8")
    shown = re.sub(r"<[^>]+>", " ", page)
    assert f"{100 * textile_run.metrics['accuracy']['value']:.1f}" in shown
    for label in textile_run.labels:
        assert label in shown
    assert not re.search(r'(src|href)="https?:', page)


def test_a_run_opens_again(textile_run: Run, tmp_path: Path) -> None:
    again = Run.open(textile_run.directory)
    assert again.metrics == textile_run.metrics
    assert again.model.is_file()
    with pytest.raises(NotFoundError, match=re.escape(str(tmp_path))):
        Run.open(tmp_path)


def test_metrics_are_of_the_test_part_where_there_is_one(parted: Run) -> None:
    metrics = parted.metrics
    assert metrics["split"] == "test"
    with (parted.directory / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["split"] for row in rows} == {"val", "test"}
    assert len(rows) == metrics["images"]["val"] + metrics["images"]["test"]
    of_test = [row for row in rows if row["split"] == "test"]
    assert np.sum(metrics["confusion"]) == len(of_test) == metrics["images"]["test"]
    right = np.mean([row["label"] == row["predicted"] for row in of_test])
    assert right == pytest.approx(metrics["accuracy"]["value"])
    assert sum(metrics["images"].values()) == 71


def test_what_was_skipped_is_listed_with_the_reason(parted: Run) -> None:
    reasons = {Path(entry["path"]).name: entry["reason"] for entry in parted.metrics["skipped"]}
    assert len(reasons) == 2
    assert "notes.jpg" in reasons
    assert all(len(reason) > 20 and "{" not in reason for reason in reasons.values())
    damaged = next(name for name in reasons if name != "notes.jpg")
    manifest = read_manifest(parted.directory / "manifest.parquet")
    assert damaged not in {Path(s.path).name for s in manifest.samples if s.label == "nominal"}


def test_the_same_training_gives_the_same_model(textile_run: Run, textile: Path, tmp_path: Path) -> None:
    out = tmp_path / "again"  # and a tracker changes nothing
    again = train(TrainConfig(data=textile, out=out, size=96, layers="texture", track=["tensorboard"]))
    logged = scalars(again.directory / "tensorboard", "final/accuracy")
    assert [value for _, value in logged] == pytest.approx([again.metrics["accuracy"]["value"]], abs=1e-6)
    assert again.model.read_bytes() == textile_run.model.read_bytes()
    rows = [(run.directory / "predictions.csv").read_bytes() for run in (again, textile_run)]
    assert rows[0] == rows[1]


def test_it_says_what_it_found_and_counts_every_image(textile: Path, tmp_path: Path, monkeypatch) -> None:
    heard = Heard()
    monkeypatch.setenv("EYEBRIGHT_CACHE", str(tmp_path / "cache"))
    with showing(heard):
        train(TrainConfig(data=textile, out=tmp_path / "run", size=96, layers="texture"))
    assert "Found 3 classes. Images: 72 for training, 30 for validation, 0 for testing." in heard.lines
    assert any(line.startswith("Engine: ") for line in heard.lines)
    totals = {description: (total, sum(counts)) for description, total, counts in heard.tasks}
    assert totals["Reading images"] == (102, 102)
    assert totals["Computing features at 96 px"] == (72, 72)
    assert totals["Running the sealed model"] == (30, 30)


def test_it_speaks_chinese(textile: Path, tmp_path: Path) -> None:
    heard = Heard()
    with showing(heard):
        run = train(TrainConfig(data=textile, out=tmp_path / "run", size=96, layers="texture", lang="zh"))
    assert heard.lines
    assert all(re.search("[一-鿿]", line) for line in heard.lines)
    assert 'lang="zh' in run.report.read_text(encoding="utf-8")


def test_a_run_that_fails_does_not_look_finished(textile: Path, tmp_path: Path, monkeypatch) -> None:
    """An earlier run's metrics do not stand beside the new run's model."""
    config = TrainConfig(data=textile, out=tmp_path / "run", size=96, layers="texture")
    train(config)
    monkeypatch.setattr(Parity, "passed", False)
    with pytest.raises(ModelError):
        train(config.model_copy(update={"overwrite": True}))
    with pytest.raises(NotFoundError):
        Run.open(tmp_path / "run")
    assert not (tmp_path / "run" / "model.onnx").exists()


def test_the_directory_is_named_after_the_data(textile: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = eb.train(textile, size=96, layers="texture")
    assert re.fullmatch(r"textile\d*-\d{8}-\d{6}", run.directory.name)
    assert run.directory.parent == Path("runs")


def test_an_output_that_cannot_be_made_is_told(textile: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="--out"):
        eb.train(textile, out=tmp_path / "file" / "run", size=96, layers="texture")


def test_an_unknown_option_is_answered_with_the_nearest(textile: Path) -> None:
    with pytest.raises(ConfigError, match="size"):
        eb.train(textile, sizes=96)  # type: ignore[call-arg]  # that is the test


def test_the_python_api_trains_and_predicts(textile_run: Run, textile: Path) -> None:
    file = min((textile / "val").rglob("*.jpg"))
    model = eb.load(str(textile_run.directory))
    assert isinstance(model, SealedModel)
    with Image.open(file) as image:
        picture = image.convert("RGB")
    answers = {
        model.predict(given).label
        for given in (file, str(file), file.read_bytes(), picture, np.asarray(picture))
    }
    assert len(answers) == 1
    assert json.loads(model.metadata["labels"]) == list(textile_run.labels)


def test_a_curve_is_measured_where_it_is_asked_for(textile: Path, textile_run: Run, tmp_path: Path) -> None:
    run = train(TrainConfig(data=textile, out=tmp_path / "run", size=96, layers="texture", curve=True))
    curve = run.metrics["learning_curve"]
    assert [(p["share"], p["images"]) for p in curve["points"]] == [(0.2, 11), (0.5, 29), (1.0, 58)]
    assert curve["forecast"]["images"] == 144
    assert 'id="curve"' in run.report.read_text()
    assert "learning_curve" not in textile_run.metrics
    assert run.metrics["accuracy"] == textile_run.metrics["accuracy"]
