"""Several processes for one training: they start like one, and the first works while the others wait."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eyebright.backbones import catalog
from eyebright.runs.run import Run
from eyebright.runtime.processes import launch_verb, world_size
from eyebright.verbs.train.options import TrainConfig


@contextmanager
def main_first(device: str) -> Iterator[None]:
    """Let the first process work while the others wait; then they find its results in the cache.

    Args:
        device: that is trained on, as in the options.
    """
    if world_size() == 1:
        yield
        return
    from eyebright.training.finetune.system.distributed import init_group

    with init_group(device).main_first():
        yield


def launch(config: TrainConfig, directory: Path) -> Run:
    """Run `eyebright train` in ``config.processes`` processes of this machine.

    Args:
        config: the options of the run.
        directory: of the run.

    Raises:
        MissingExtraError: PyTorch is not installed.
        EyebrightError: a process failed; its own message has been printed.
    """
    catalog.require_torch()
    launch_verb("train", config.model_copy(update={"out": directory}).toml(), config.processes)
    return Run.open(directory)
