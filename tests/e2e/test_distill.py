"""`eyebright distill`: a run teaches a network, which becomes a run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from command_line import eyebright, metrics, refused

pytest.importorskip("torch")
pytest.importorskip("timm")

from finetuning import FINETUNED_FILES, SMALL, few, history

WORDS = (*SMALL, "--views", "2", "--epochs", "1")


@pytest.fixture(scope="module")
def teacher(textile: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = few(textile, tmp_path_factory.mktemp("data") / "textile")
    run = tmp_path_factory.mktemp("runs") / "teacher"
    words = ("--size", "96", "--layers", "texture", "--target", "recall(local) >= 0.5")
    done = eyebright("train", data, *words, "--out", run)
    assert done.returncode == 0, done.stderr
    return run


def test_a_student_is_a_run_beside_its_teacher(teacher: Path, tmp_path: Path) -> None:
    run = tmp_path / "student"
    done = eyebright("distill", teacher, "--finetune", "last", "--features", "0.1", *WORDS, "--out", run)
    assert done.returncode == 0, done.stderr
    assert {p.name for p in run.iterdir()} == FINETUNED_FILES
    figures = metrics(run)
    both = figures["baseline"]
    assert both["accuracy"] == pytest.approx(figures["accuracy"]["value"])
    assert both["accuracy_baseline"] == pytest.approx(metrics(teacher)["accuracy"]["value"])
    size = (run / "model.onnx").stat().st_size
    assert both["size_bytes"] == pytest.approx(size, abs=2000)  # its figures came later
    assert both["latency_ms"] > 0
    assert "baseline" in done.stdout
    assert "The operating points and costs of" in done.stderr
    assert "Comparison with the baseline" in (run / "report.html").read_text(encoding="utf-8")
    assert figures["parity"]["images"] == figures["parity"]["same_class"]
    before = history(run)
    more = eyebright("train", "--resume", run, "--epochs", "2")
    assert more.returncode == 0, more.stderr
    assert history(run)[: len(before)] == before
    assert metrics(run)["baseline"]["accuracy_baseline"] == both["accuracy_baseline"]


@pytest.mark.slow
def test_a_network_without_weights_learns_everything(teacher: Path, tmp_path: Path) -> None:
    run = tmp_path / "student"
    done = eyebright("distill", teacher, "--student", "resnet18", "--weights", "none", *WORDS, "--out", run)
    assert done.returncode == 0, done.stderr
    assert "The student is not smaller than its teacher" in done.stderr
    assert history(run)[-1]["epoch"] == "1"
    assert metrics(run)["baseline"]["size_bytes"] > metrics(run)["baseline"]["size_bytes_baseline"]


def test_an_unknown_student_is_told_with_the_nearest(teacher: Path) -> None:
    sentence = refused(eyebright("distill", teacher, "--student", "resnet81"), status=2)
    assert "none named resnet81" in sentence
    assert "resnet18" in sentence


def test_images_that_are_gone_are_asked_for(teacher: Path, tmp_path: Path) -> None:
    moved = tmp_path / "run"
    shutil.copytree(teacher, moved)
    root = Path(json.loads((teacher / "config.toml").read_text().split("data = ")[1].splitlines()[0]))
    away = root.rename(root.with_name("elsewhere"))
    try:
        sentence = refused(eyebright("distill", moved, "--out", tmp_path / "out"))
    finally:
        away.rename(root)
    assert "The run's images must still be available." in sentence
    assert "--data" in sentence


def test_mixed_images_and_a_teacher_are_refused(teacher: Path, tmp_path: Path) -> None:
    words = ("--teacher", teacher, "--finetune", "full", "--mixup", "0.2", "--out", tmp_path / "out")
    assert "A teacher predicts on whole images" in refused(eyebright("train", *words), status=2)
