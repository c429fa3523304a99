"""`eyebright demo`: training on real images, to see what comes out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyebright.runs.summary import print_run
from eyebright.verbs.verb import Verb

if TYPE_CHECKING:
    from eyebright.verbs.demo.options import DemoConfig


def _config() -> type[DemoConfig]:
    from eyebright.verbs.demo.options import DemoConfig

    return DemoConfig


def _run(config: DemoConfig) -> int:
    from eyebright.verbs.demo.demo import demo

    print_run(demo(config))
    return 0


VERB = Verb(
    name="demo",
    summary="Train on real photos of textile defects (requires the demo extra).",
    config=_config,
    run=_run,
    file=True,
)
