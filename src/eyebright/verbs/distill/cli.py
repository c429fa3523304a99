"""`eyebright distill`: a model teaches a smaller network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyebright.runs.summary import print_run
from eyebright.verbs.verb import Verb

if TYPE_CHECKING:
    from eyebright.verbs.distill.options import DistillConfig


def _config() -> type[DistillConfig]:
    from eyebright.verbs.distill.options import DistillConfig

    return DistillConfig


def _run(config: DistillConfig) -> int:
    from eyebright.verbs.distill.distill import distill

    print_run(distill(config))
    return 0


VERB = Verb(
    name="distill",
    summary="Let a model teach a smaller network, which becomes a model of its own.",
    config=_config,
    run=_run,
    notes=(
        "It is a training with a teacher: `eyebright train --teacher MODEL` has all other options, and "
        "`eyebright train --resume RUN` goes on with one that was interrupted."
    ),
    file=True,
)
