"""Several processes for one stage: starts them with PyTorch's launcher, and knows which one this is."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from eyebright.errors import EyebrightError


def world_size() -> int:
    """Return how many processes a launcher started together, this one among them."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main() -> bool:
    """Return whether this process is the one that prints and writes."""
    return os.environ.get("RANK", "0") == "0"


def launch_verb(verb: str, toml: str, processes: int) -> None:
    """Run a verb of the command line in several processes of this machine, and wait for them.

    Args:
        verb: its name.
        toml: its options.
        processes: how many.

    Raises:
        EyebrightError: a process failed; its own message has been printed.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, f"{verb}.toml")
        file.write_text(toml, encoding="utf-8")
        command = [sys.executable, "-m", "eyebright.runtime.torchrun", "--standalone"]
        command += ["--nproc-per-node", str(processes)]
        command += ["-m", "eyebright", verb, "--config", str(file)]
        # The results are printed by the caller; messages on the way come through.
        environment = {"OMP_NUM_THREADS": _threads(processes), **os.environ}
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
            count=processes,
            status=status,
        )


def _threads(processes: int) -> str:
    """Return the threads of each process; the launcher would give it a single one."""
    return str(max(1, (os.cpu_count() or 1) // processes))
