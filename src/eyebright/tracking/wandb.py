"""Weights & Biases: its server where a key is known, else the folder wandb here, for `wandb sync`."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from eyebright.errors import MissingExtraError, StorageError
from eyebright.runtime.atomic import write_text
from eyebright.runtime.context import say
from eyebright.runtime.install import install_command
from eyebright.tracking.base import RUN_FILES, EpochMetrics, without_missing

_PROJECT = "eyebright"
_ANSWER_SECONDS = 30


class WandbTracker:
    """Log a run to Weights & Biases, with its model, report and figures as an artifact.

    Nothing is sent of the machine, its packages, its output or its code.

    Args:
        memory: a small file in the run's directory that stores the identifier of the run, to resume it.

    Raises:
        MissingExtraError: the package is not installed.
    """

    name = "wandb"

    def __init__(self, memory: Path) -> None:
        if find_spec("wandb") is None:
            raise MissingExtraError(
                "--track wandb needs the package wandb, which is not installed. Run: {command}",
                command=install_command("wandb"),
            )
        self._memory = memory
        self._run: Any = None

    def start(self, run: str, params: Mapping[str, object]) -> None:
        """Create the run in the project `eyebright`, or that of `WANDB_PROJECT`, or open it again."""
        import wandb

        known = self._memory.read_text(encoding="utf-8").strip() if self._memory.is_file() else ""
        identifier = known or uuid.uuid4().hex[:12]
        # Without a key it would ask for one in the terminal, and wait.
        mode: Any = os.environ.get("WANDB_MODE") or ("online" if wandb.api.api_key else "offline")
        try:
            self._run = wandb.init(
                project=os.environ.get("WANDB_PROJECT") or _PROJECT,
                name=run,
                id=identifier,
                resume="allow",
                mode=mode,
                config={name: value for name, value in params.items() if value is not None},
                settings=wandb.Settings(
                    silent=True,
                    console="off",
                    disable_git=True,
                    disable_code=True,
                    save_code=False,
                    init_timeout=_ANSWER_SECONDS,
                    x_disable_meta=True,
                    x_disable_stats=True,
                    x_disable_machine_info=True,
                    x_save_requirements=False,
                ),
            )
        except Exception as error:  # whatever the client or the network raises: the run has not begun yet
            raise StorageError(
                "Weights & Biases must be reachable. {reason}. Check WANDB_API_KEY and the network, set "
                "WANDB_MODE=offline, or omit --track wandb.",
                reason=str(error).splitlines()[0].strip(" .") if str(error) else type(error).__name__,
            ) from error
        write_text(self._memory, identifier)
        if mode == "offline":
            say(
                "Weights & Biases logs to the folder {folder}. Send it with `wandb sync`.",
                folder=os.path.relpath(Path(self._run.dir).parent),
            )

    def epoch(self, number: int, metrics: EpochMetrics) -> None:
        """Log the metrics of an epoch; one that is done again is logged again."""
        self._run.log({"epoch": number, **without_missing(metrics)})

    def finish(self, metrics: EpochMetrics) -> None:
        """Log the final metrics and the run's files, and end the run."""
        import wandb

        for name, value in without_missing(metrics).items():
            self._run.summary[f"final_{name}"] = value
        artifact = wandb.Artifact(f"run-{self._run.id}", type="model")
        for name in RUN_FILES:
            if (path := self._memory.parent / name).is_file():
                artifact.add_file(str(path))
        if artifact.manifest.entries:
            self._run.log_artifact(artifact)
        self._run.finish()
