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
    summary="Distil a model into a smaller one.",
    config=_config,
    run=_run,
    notes=(
        "This is a training with a teacher. For all other options, use `eyebright train --teacher "
        "MODEL`; to continue an interrupted run, use `eyebright train --resume RUN`."
    ),
    file=True,
)
