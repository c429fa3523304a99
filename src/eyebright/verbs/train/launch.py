"""Several processes for one training: starts them with PyTorch's launcher, and knows which one this is."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eyebright.backbones import catalog
from eyebright.errors import EyebrightError
from eyebright.runs.run import Run
from eyebright.verbs.train.options import TrainConfig


def world_size() -> int:
    """Return how many processes a launcher started together, this one among them."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main() -> bool:
    """Return whether this process is the one that prints and writes."""
    return os.environ.get("RANK", "0") == "0"


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

    group = init_group(device)
    if not group.main:
        group.barrier()
    yield
    if group.main:
        group.barrier()


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
    options = config.model_copy(update={"out": directory})
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "train.toml")
        file.write_text(options.toml(), encoding="utf-8")
        command = [sys.executable, "-m", "eyebright.verbs.train.torchrun", "--standalone"]
        command += ["--nproc-per-node", str(config.processes)]
        command += ["-m", "eyebright", "train", "--config", str(file)]
        # The results are printed by the caller; messages on the way come through.
        environment = {"OMP_NUM_THREADS": _threads(config), **os.environ}
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment) as launcher:
            try:
                status = launcher.wait()
            except KeyboardInterrupt:  # a signal to this process alone: the others must hear of it
                launcher.terminate()
                raise
    if status:
        raise EyebrightError(
            "One of {count} processes failed (status {status}); its error is above. Fix it, or train "
            "with --processes 1.",
            count=config.processes,
            status=status,
        )
    return Run.open(directory)


def _threads(config: TrainConfig) -> str:
    """Return the threads of each process; the launcher would give it a single one."""
    return str(max(1, (os.cpu_count() or 1) // config.processes))
