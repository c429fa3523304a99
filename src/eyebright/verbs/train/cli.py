"""Declare `eyebright train`: a folder of images becomes a sealed model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyebright.verbs.verb import Verb, print_result

if TYPE_CHECKING:
    from eyebright.runs.run import Run
    from eyebright.verbs.train.options import TrainConfig


def _show(run: Run, config: TrainConfig) -> int:
    """Print the run, once for all processes of a distributed training."""
    from eyebright.runtime.processes import is_main

    return print_result(run, config) if is_main() else 0


VERB = Verb(
    name="train",
    summary="Train a model on a folder of labelled images and evaluate it.",
    show=_show,
    file=True,
    estimate="few_labels.quote",
)
