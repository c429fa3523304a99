"""`eyebright train`: a folder of images becomes a sealed model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyebright.runs.summary import print_run
from eyebright.verbs.verb import Verb

if TYPE_CHECKING:
    from eyebright.verbs.train.options import TrainConfig


def _config() -> type[TrainConfig]:
    from eyebright.verbs.train.options import TrainConfig

    return TrainConfig


def _run(config: TrainConfig) -> int:
    from eyebright.verbs.train.launch import is_main
    from eyebright.verbs.train.train import train

    run = train(config)
    if is_main():
        print_run(run)
    return 0


VERB = Verb(
    name="train",
    summary="Train a model on a folder of labelled images and evaluate it.",
    config=_config,
    run=_run,
    file=True,
)
