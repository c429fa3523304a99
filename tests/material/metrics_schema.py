"""The published schema of `metrics.json`, to which the files of real runs are held."""

from __future__ import annotations

import json
from importlib.resources import files

import jsonschema

from eyebright.runs.run import Run

SCHEMA = json.loads(files("eyebright.runs").joinpath("metrics.schema.json").read_text(encoding="utf-8"))


def violations(run: Run) -> list[str]:
    """Return where a run's file breaks the schema, and how."""
    validator = jsonschema.Draft202012Validator(SCHEMA)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(run.metrics)]
