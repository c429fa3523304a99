"""`eyebright prune`: a model with fewer channels, taught by the model that it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyebright.runs.summary import print_run
from eyebright.verbs.verb import Verb

if TYPE_CHECKING:
    from eyebright.verbs.prune.options import PruneConfig


def _config() -> type[PruneConfig]:
    from eyebright.verbs.prune.options import PruneConfig

    return PruneConfig


def _run(config: PruneConfig) -> int:
    from eyebright.verbs.prune.prune import prune

    print_run(prune(config))
    return 0


VERB = Verb(
    name="prune",
    summary="Remove the least important channels of a model and retrain it with the original as teacher.",
    config=_config,
    run=_run,
    file=True,
)
