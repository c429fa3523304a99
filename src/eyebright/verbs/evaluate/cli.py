"""Declare `eyebright evaluate`: how good a model is on labelled images that it has not seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyebright.verbs.verb import Verb, print_result

if TYPE_CHECKING:
    from eyebright.runs.run import Run
    from eyebright.verbs.evaluate.options import EvaluateConfig


def _show(run: Run, config: EvaluateConfig) -> int:
    if config.format == "table":
        return print_result(run, config)
    from eyebright.runs.metrics import METRICS

    print((run.directory / METRICS).read_text(encoding="utf-8"))
    return 0


VERB = Verb(
    name="evaluate",
    summary="Evaluate a model on labelled images and write the report.",
    show=_show,
    file=True,
)
