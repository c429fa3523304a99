"""Declare `eyebright train`: a folder of images becomes a sealed model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eyebright.verbs.verb import Verb, print_result

if TYPE_CHECKING:
    from eyebright.options.base import Config
    from eyebright.runs.run import Run
    from eyebright.verbs.train.options import TrainConfig


def _show(run: Run, config: TrainConfig) -> int:
    """Print the run, once for all processes of a distributed training."""
    from eyebright.verbs.train.launch import is_main

    return print_result(run, config) if is_main() else 0


@dataclass(frozen=True)
class _Train(Verb):
    """Training, or with `--dry-run` what it would cost."""

    def run(self, config: Config) -> int:
        """Run the training, or estimate it."""
        from eyebright.verbs.train.options import TrainConfig

        if not isinstance(config, TrainConfig) or not config.dry_run:
            return super().run(config)
        from eyebright.verbs.train.quote import quote

        return print_result(quote(config), config)


VERB = _Train(
    name="train",
    summary="Train a model on a folder of labelled images and evaluate it.",
    show=_show,
    file=True,
)
