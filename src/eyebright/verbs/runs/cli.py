"""Declare `eyebright runs`: list the runs below a folder."""

from __future__ import annotations

import csv
import sys
from typing import TYPE_CHECKING

from eyebright.text.table import json_text
from eyebright.verbs.verb import Verb

if TYPE_CHECKING:
    from eyebright.verbs.runs.options import RunsConfig
    from eyebright.verbs.runs.runs import RunList


def _show(found: RunList, config: RunsConfig) -> int:
    if config.format == "table":
        print(found)
    elif config.format == "jsonl":
        for run in found.runs:
            print(json_text(run.to_json()))
    else:
        _write_csv(found)
    return 1 if found.skipped else 0


def _write_csv(found: RunList) -> None:
    from eyebright.verbs.runs.runs import COLUMNS

    rows = csv.writer(sys.stdout, lineterminator="\n")
    rows.writerow([*COLUMNS, "accuracy_low", "accuracy_high", "directory"])
    for run in found.runs:
        accuracy = run.accuracy
        cells = [getattr(run, name) for name in COLUMNS if name != "accuracy"]
        cells.insert(COLUMNS.index("accuracy"), None if accuracy is None else accuracy.value)
        bounds = (None, None) if accuracy is None else (accuracy.low, accuracy.high)
        rows.writerow([*cells, *bounds, run.directory])


VERB = Verb(
    name="runs",
    summary="List the runs below a folder, with filter and order.",
    show=_show,
    notes=(
        "Conditions are NAME OP VALUE. NAME is a column (name, date, data, task, split, images, classes, "
        "accuracy, size, backbone) or a key of metrics.json, such as log_loss or per_class.cat.recall; OP is "
        "one of > >= < <= = != ~ (contains). Runs that others are writing appear when they are finished. "
        "Exit status: 0, or 1 if a metrics.json was none."
    ),
)
