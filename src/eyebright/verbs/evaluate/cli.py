"""`eyebright evaluate`: how good a model is on labelled images that it has not seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyebright.runs.summary import print_run
from eyebright.verbs.verb import Verb

if TYPE_CHECKING:
    from eyebright.verbs.evaluate.options import EvaluateConfig


def _config() -> type[EvaluateConfig]:
    from eyebright.verbs.evaluate.options import EvaluateConfig

    return EvaluateConfig


def _run(config: EvaluateConfig) -> int:
    from eyebright.verbs.evaluate.evaluate import evaluate

    run = evaluate(config)
    if config.format == "json":
        print((run.directory / "metrics.json").read_text(encoding="utf-8"))
    else:
        print_run(run)
    return 0


VERB = Verb(
    name="evaluate",
    summary="Evaluate a model on labelled images and write the report.",
    config=_config,
    run=_run,
    file=True,
)
