"""`eyebright prune`: a run loses channels and learns again."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import RUN_FILES, eyebright, kept_when_replaced, metrics

pytest.importorskip("torch")
pytest.importorskip("torch_pruning")

from finetuning import FINETUNED_FILES, few, history


def test_a_pruned_model_is_a_smaller_run(textile: Path, tmp_path: Path) -> None:
    data, whole, run = few(textile, tmp_path / "textile"), tmp_path / "whole", tmp_path / "pruned"
    words: tuple[str, ...] = ("--size", "64", "--layers", "stages", "--target", "recall(local) >= 0.5")
    assert eyebright("train", data, *words, "--out", whole).returncode == 0
    words = ("--keep", "0.6", "--epochs", "1", "--augment", "light", "--views", "1", "--precision", "fp32")
    done = eyebright("prune", whole, *words, "--batch", "8", "--out", run)
    assert done.returncode == 0, done.stderr
    assert "% of the multiply-adds" in done.stderr
    assert "The operating points and costs of" in done.stderr
    assert {p.name for p in run.iterdir()} == FINETUNED_FILES - {"backbone.safetensors"} | {"pruned.onnx"}
    figures = metrics(run)
    assert figures["parity"]["images"] == figures["parity"]["same_class"]
    assert figures["baseline"]["accuracy_baseline"] == pytest.approx(metrics(whole)["accuracy"]["value"])
    assert figures["card"]["backbone"] == "efficientnet_lite0 pruned"
    assert history(run)[-1]["epoch"] == "1"
    more = eyebright("train", "--resume", run, "--epochs", "2")
    assert more.returncode == 0, more.stderr
    assert history(run)[-1]["epoch"] == "2"
    assert kept_when_replaced(run) == RUN_FILES - {"metrics.json"}
