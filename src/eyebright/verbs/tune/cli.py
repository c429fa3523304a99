"""`eyebright tune`: searches the settings of fine-tuning, then trains with the best."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyebright.runs.summary import print_run
from eyebright.verbs.verb import Verb

if TYPE_CHECKING:
    from eyebright.verbs.tune.options import TuneConfig


def _config() -> type[TuneConfig]:
    from eyebright.verbs.tune.options import TuneConfig

    return TuneConfig


def _run(config: TuneConfig) -> int:
    from eyebright.verbs.tune.tune import tune

    run = tune(config)
    print_run(run)
    print(run.directory / "search.html")
    return 0


VERB = Verb(
    name="tune",
    summary="Search fine-tuning settings with Optuna, then train with the best.",
    config=_config,
    run=_run,
    file=True,
)
