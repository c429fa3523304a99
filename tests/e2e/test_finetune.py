"""`eyebright train --finetune last|full|auto` end to end, on real photographs and the embedded weights."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from command_line import RUN_FILES, kept_when_replaced, metrics

pytest.importorskip("torch")
pytest.importorskip("timm")

from finetuning import FINETUNED_FILES, SMALL, few, finished, history

from eyebright.data.decode import decode
from eyebright.sealed.model import SealedModel


@pytest.fixture(scope="module")
def data(textile: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return few(textile, tmp_path_factory.mktemp("data") / "textile")


@pytest.fixture(scope="module")
def last(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished training of the last units; tests only read it."""
    run = tmp_path_factory.mktemp("runs") / "last"
    finished(data, "--finetune", "last", "--epochs", "2", *SMALL, "--out", run)
    return run


@pytest.fixture
def again(last: Path, tmp_path: Path) -> Path:
    """A copy of that run, to be gone on with."""
    return Path(shutil.copytree(last, tmp_path / "again"))


def test_the_run_directory_is_whole(last: Path) -> None:
    _whole(last, epochs=2)
    figures = metrics(last)
    assert figures["chosen"]["finetune"] == "last"
    assert (figures["finetuning"]["depth"], figures["finetuning"]["kept"]) == ("last", "last")
    assert figures["finetuning"]["images"] > 0
    report = (last / "report.html").read_text(encoding="utf-8")
    assert "Training curves" in report
    assert "Random weights" not in report


def test_predictions_are_the_sealed_models(last: Path, data: Path) -> None:
    _told_by_the_sealed_model(last, data)


def test_everything_learns(data: Path, tmp_path: Path) -> None:
    run = tmp_path / "full"
    finished(data, "--finetune", "full", "--epochs", "2", *SMALL, "--out", run)
    _whole(run, epochs=2)
    _told_by_the_sealed_model(run, data)


def test_auto_keeps_the_better_and_shows_the_comparison(data: Path, tmp_path: Path) -> None:
    run = tmp_path / "auto"
    words = ("--finetune", "auto", "--budget", "15m", "--epochs", "2", "--out", run)
    finished(data, *words, *SMALL)
    figures = metrics(run)
    assert _agrees(figures)
    assert set(figures["candidates"]["finetuning"]) >= {"off", "last"}
    report = (run / "report.html").read_text(encoding="utf-8")
    assert "Depth of fine-tuning" in report
    assert "Last blocks fine-tuned" in report
    _told_by_the_sealed_model(run, data)
    assert kept_when_replaced(run) == RUN_FILES - {"metrics.json"}


@pytest.mark.slow
def test_the_budget_is_kept(data: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    words = ("--finetune", "last", "--budget", "60s", "--epochs", "100000", "--patience", "0", "--out", run)
    finished(data, *words, *SMALL)
    figures = metrics(run)
    assert figures["candidates"]["stopped_because"] == "budget"
    assert len(history(run)) > 3
    # What sealing takes is a guess; on a busy machine it is some seconds off.
    assert figures["seconds"]["total"] < 1.1 * 60 + 15


def test_a_budget_too_short_for_an_epoch_still_ends_with_a_model(data: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    done = finished(data, "--finetune", "full", "--budget", "1s", *SMALL, "--out", run)
    sentence = "The best weights so far are kept."
    assert sentence in done.stderr
    assert sentence in (run / "report.html").read_text(encoding="utf-8")
    assert {p.name for p in run.iterdir()} == FINETUNED_FILES
    _told_by_the_sealed_model(run, data)


def test_auto_gives_back_a_budget_in_which_nothing_can_be_learned(data: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    done = finished(data, "--finetune", "auto", "--budget", "1s", *SMALL, "--out", run)
    sentence = "Fine-tuning skipped: it would take"
    assert sentence in done.stderr
    assert sentence in (run / "report.html").read_text(encoding="utf-8")
    assert {p.name for p in run.iterdir()} == RUN_FILES
    assert set(metrics(run)["candidates"]["finetuning"]) == {"off"}
    _told_by_the_sealed_model(run, data)


def test_random_weights_are_said_loudly(data: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    words = ("--backbone", "resnet18", "--weights", "none", "--finetune", "last", "--epochs", "1")
    done = finished(data, *words, *SMALL, "--out", run)
    assert "Warning: resnet18 starts from random weights" in done.stderr
    assert "Random weights" in (run / "report.html").read_text(encoding="utf-8")
    _told_by_the_sealed_model(run, data)
    first = history(run)
    finished("--resume", run, "--epochs", "2")  # what is frozen must be the same random weights again
    assert history(run)[: len(first)] == first
    _whole(run, epochs=2)
    _told_by_the_sealed_model(run, data)


def test_more_epochs_in_other_steps(again: Path) -> None:
    before = history(again)
    done = finished("--resume", again, "--epochs", "4", "--batch", "4")
    assert "epochs was 2 and is 4 from here on." in done.stderr
    assert "batch was 8 and is 4 from here on." in done.stderr
    after = history(again)
    assert after[: len(before)] == before
    assert [row["epoch"] for row in after] == ["0", "1", "2", "3", "4"]
    assert "epochs was 2" in (again / "report.html").read_text(encoding="utf-8")
    finished("--resume", again)  # finished before: nothing is left to train
    assert history(again) == after


def test_a_damaged_checkpoint_gives_way_to_the_one_before(again: Path) -> None:
    newest = max((again / "checkpoints").glob("step-*"))
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 255
    newest.write_bytes(content)
    done = finished("--resume", again, "--epochs", "3")
    assert f"{newest.name} is incomplete or damaged" in done.stderr
    assert "The file was removed; the previous checkpoint is used." in done.stderr
    assert history(again)[-1]["epoch"] == "3"


@pytest.mark.slow
@pytest.mark.xdist_group("alone")
def test_two_processes_learn_what_one_does(data: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    words = (data, "--finetune", "full", "--epochs", "1", *SMALL)
    finished(*words, "--out", one)
    done = finished(*words, "--out", two, "--processes", "2", cache=tmp_path / "empty")
    assert done.stderr.count("Found 3 classes") == 1
    assert done.stdout.count("model.onnx") == 1
    _whole(two, epochs=1)
    for alone, together in zip(history(one), history(two), strict=True):
        for name in ("train_loss", "val_loss"):
            expected = float(alone[name] or 0)
            assert float(together[name] or 0) == pytest.approx(expected, abs=1e-5, rel=1e-5)


def _whole(run: Path, epochs: int) -> None:
    assert {p.name for p in run.iterdir()} == FINETUNED_FILES
    assert list((run / "checkpoints").glob("step-*.safetensors"))
    assert [row["epoch"] for row in history(run)] == [str(epoch) for epoch in range(epochs + 1)]
    assert _agrees(metrics(run))


def _agrees(figures: dict[str, dict[str, float]]) -> bool:
    parity = figures["parity"]
    return parity["images"] == parity["same_class"] and parity["largest_difference"] < 0.01


def _told_by_the_sealed_model(run: Path, data: Path) -> None:
    model = SealedModel(run / "model.onnx", threads=1)
    with (run / "predictions.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(list((data / "val").rglob("*.jpg")))
    for row in rows:
        answer = model.probabilities(decode(data / row["path"], min_side=model.size)[None])[0]
        assert model.labels[int(np.argmax(answer))] == row["predicted"]
        assert float(row["confidence"]) == pytest.approx(float(answer.max()), abs=1e-6)
