"""`eyebright shrink`: from a run and targets to a smaller run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from command_line import RUN_FILES, eyebright, kept_when_replaced, metrics, refused

from eyebright.sealed.model import SealedModel

WORDS = ("--size", "64", "96", "--no-int8")
FILES = RUN_FILES | {"candidates", "pareto.csv", "pareto.html", "pareto.json"}


def _candidates(out: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((out / "pareto.json").read_text(encoding="utf-8"))["candidates"]
    return found


def test_the_best_that_keeps_to_its_targets_is_handed_out(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "small"
    done = eyebright("shrink", run, "--target", "size<=2MB", "latency<=5s", *WORDS, "--out", out)
    assert done.returncode == 0, done.stderr
    assert {p.name for p in out.iterdir()} == FILES
    candidates = _candidates(out)
    assert len(candidates) >= 5  # the model itself, and two sizes with at least two sets of layers
    (selected,) = (c for c in candidates if c["selected"])
    fitting = [c for c in candidates if c["meets"]]
    assert selected["accuracy"]["value"] == max(c["accuracy"]["value"] for c in fitting)
    size = (out / "model.onnx").stat().st_size
    assert size <= 2e6
    figures = metrics(out)
    assert figures["target_met"] is True
    assert figures["baseline"]["size_bytes"] == pytest.approx(size, abs=2000)  # less its figures
    assert figures["accuracy"]["value"] == pytest.approx(selected["accuracy"]["value"])  # no test part
    for figure, promise in (("unknown", "false_rejection"), ("conformal", "coverage")):  # kept from the run
        assert figures[figure][promise] == metrics(run)[figure][promise]
    model = SealedModel(out)
    assert model.unknown_rule is not None
    assert model.set_rule is not None
    assert selected["name"] in done.stdout
    assert "Comparison with the baseline" in (out / "report.html").read_text(encoding="utf-8")
    assert eyebright("predict", out, run.parent, "--top", "1").returncode in (0, 1)  # it is a model
    assert kept_when_replaced(out) == RUN_FILES - {"metrics.json"}


def test_targets_that_nothing_meets_end_with_the_nearest_and_status_1(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "small"
    words = ("--size", "64", "--no-int8", "--out", out)
    done = eyebright("shrink", run, "--target", "size<=0.01MB", *words)
    assert done.returncode == 1
    assert "No candidate meets size<=0.01MB" in done.stderr
    smallest = min(_candidates(out), key=lambda c: c["size_bytes"])
    assert smallest["selected"] is True
    assert metrics(out)["target_met"] is False
    assert (out / "model.onnx").is_file()


@pytest.mark.slow
def test_int8_is_tried_for_those_that_nobody_beats(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "small"
    done = eyebright("shrink", run, "--target", "size<=1MB", "--size", "96", "--out", out)
    assert done.returncode in (0, 1), done.stderr
    integers = [c for c in _candidates(out) if c["precision"] == "int8"]
    assert integers
    for candidate in integers:
        (floating,) = (c for c in _candidates(out) if f"{c['name']} int8" == candidate["name"])
        assert candidate["size_bytes"] < floating["size_bytes"]
    assert SealedModel(out).unknown_rule is not None


def test_bad_targets_and_models_of_other_classes_are_refused(run: Path, digits: Path, tmp_path: Path) -> None:
    sentence = refused(eyebright("shrink", run, "--target", "latency<=10"), status=2)
    assert "latency<=10ms" in sentence
    other = tmp_path / "digits"
    words = ("--size", "64", "--layers", "texture", "--out", other)
    assert eyebright("train", digits, *words).returncode == 0
    sentence = refused(eyebright("shrink", run, "--target", "size<=1MB", "--candidates", other))
    assert "must have the same classes" in sentence
