"""`metrics.json` keeps to its schema; multi-label and shrunk runs are held to it where they are made."""

from __future__ import annotations

from pathlib import Path

import jsonschema
from metrics_schema import SCHEMA, violations

import eyebright as eb
from eyebright.runs.metrics import SCHEMA_VERSION
from eyebright.runs.run import Run

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
