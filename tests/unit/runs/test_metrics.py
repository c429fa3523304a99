"""`metrics.json` keeps to its schema; multi-label and shrunk runs are held to it where they are made."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
from metrics_schema import SCHEMA, violations

import eyebright as eb
from eyebright.evaluation.multiclass import per_image_stats, ranking
from eyebright.runs.metrics import SCHEMA_VERSION
from eyebright.runs.run import Run
from eyebright.runtime.compact import rows, table

KEPT = {
    *("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "ece", "per_class", "confusion", "labels"),
    *("seconds", "images", "engine", "skipped", "split", "chosen", "operating_points", "conformal"),
    "model_sha256",
}


def test_the_schema_is_one_and_names_its_version() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["properties"]["schema_version"] == {"const": SCHEMA_VERSION}


def test_a_training_keeps_to_it_and_to_the_keys_that_others_rely_on(textile_run: Run) -> None:
    assert violations(textile_run) == []
    assert set(textile_run.metrics) >= KEPT


def test_an_evaluation_with_everything_keeps_to_it(textile_run: Run, textile: Path, tmp_path: Path) -> None:
    run = eb.evaluate(
        textile_run.model,
        textile / "val",
        out=tmp_path,
        ood=textile / "train" / "local",
        robustness=True,
    )
    assert violations(run) == []
    assert {"robustness", "shortcut", "unknown", "conformal"} <= set(run.metrics)


def test_a_key_that_is_not_in_it_is_found(textile_run: Run) -> None:
    other = Run(textile_run.directory, textile_run.model)
    other.metrics["tried"] = {}
    assert violations(other) != []


def test_many_images_are_evaluated_in_little_memory_as_few_are(
    textile_run: Run, textile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = eb.evaluate(textile_run.model, textile / "val", out=tmp_path / "few")
    monkeypatch.setattr(table, "IN_MEMORY_BYTES", 0)
    monkeypatch.setattr(table, "_NUMBERS_AT_ONCE", 20)
    monkeypatch.setattr(per_image_stats, "_TABLE_ROWS", 7)
    monkeypatch.setattr(ranking, "_COPIED_AT_ONCE", 1)
    monkeypatch.setattr(rows, "FEW", 0)
    many = eb.evaluate(textile_run.model, textile / "val", out=tmp_path / "many")
    differ = {key for key in few.metrics if few.metrics[key] != many.metrics[key]}
    assert differ <= {"seconds", "log_loss", "brier", "ece"}  # of the last three the order of sums is another
    for key in differ - {"seconds"}:
        assert many.metrics[key] == pytest.approx(few.metrics[key], abs=1e-9)
    read = [run.directory / "predictions.csv" for run in (few, many)]
    assert read[0].read_bytes() == read[1].read_bytes()
