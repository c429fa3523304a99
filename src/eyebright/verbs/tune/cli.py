"""Declare `eyebright tune`: search the settings of fine-tuning, then train with the best."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyebright.verbs.verb import Verb, print_result

if TYPE_CHECKING:
    from eyebright.runs.run import Run
    from eyebright.verbs.tune.options import TuneConfig


def _show(run: Run, config: TuneConfig) -> int:
    print_result(run, config)
    print(run.directory / "search.html")
    return 0


VERB = Verb(
    name="tune",
    summary="Search fine-tuning settings with Optuna, then train with the best.",
    show=_show,
    file=True,
)
