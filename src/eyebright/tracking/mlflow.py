"""MLflow: the server that MLFLOW_TRACKING_URI names, or the folder mlruns here. Its telemetry is off."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from eyebright.errors import MissingExtraError, StorageError
from eyebright.runtime.atomic import write_text
from eyebright.runtime.install import install_command
from eyebright.tracking.base import EpochMetrics, without_missing

_EXPERIMENT = "eyebright"
_LONGEST = 6000  # characters of a parameter that every MLflow server takes


class MLflowTracker:
    """Log a run to MLflow; ``memory`` is a small file that stores its identifier, so that it can be resumed.

    Raises:
        MissingExtraError: the package is not installed.
    """

    name = "mlflow"

    def __init__(self, memory: Path, uri: str | None = None) -> None:
        # Read by MLflow while it is imported.
        os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
        # A plain folder needs no database; MLflow asks to confirm that this is intended.
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        if find_spec("mlflow") is None:
            raise MissingExtraError(
                "--track mlflow needs the package mlflow, which is not installed. Run: {command}",
                command=install_command("mlflow"),
            )
        self._memory = memory
        self._uri = uri or os.environ.get("MLFLOW_TRACKING_URI") or Path("mlruns").resolve().as_uri()
        self._client: Any = None
        self._run = ""

    def start(self, run: str, params: Mapping[str, object]) -> None:
        """Create the run in the experiment `eyebright`, or open the one that ``memory`` names."""
        from mlflow import MlflowClient

        try:
            self._client = MlflowClient(tracking_uri=self._uri)
            self._run = self._known() or self._new(run)
            self._log(
                params={name: str(value)[:_LONGEST] for name, value in params.items() if value is not None}
            )
        except Exception as error:  # whatever the store or the network raises: the run has not begun yet
            raise StorageError(
                "MLflow must be reachable. {uri}: {reason}. Check MLFLOW_TRACKING_URI, or omit "
                "--track mlflow.",
                uri=self._uri,
                reason=str(error).splitlines()[0] if str(error) else type(error).__name__,
            ) from error

    def epoch(self, number: int, metrics: EpochMetrics) -> None:
        """Log each metric with the epoch as its step."""
        self._log(metrics=metrics, step=number)

    def finish(self, metrics: EpochMetrics) -> None:
        """Log the final metrics and end the run."""
        self._log(metrics={f"final_{name}": value for name, value in metrics.items()})
        self._client.set_terminated(self._run)

    def _known(self) -> str:
        """Return the run of an earlier start, if the store still has it."""
        from mlflow.exceptions import MlflowException

        if not self._memory.is_file():
            return ""
        run = self._memory.read_text(encoding="utf-8").strip()
        try:
            self._client.update_run(run, status="RUNNING")
        except MlflowException:
            return ""
        return run

    def _new(self, name: str) -> str:
        experiment = self._client.get_experiment_by_name(_EXPERIMENT)
        place = experiment.experiment_id if experiment else self._client.create_experiment(_EXPERIMENT)
        run = str(self._client.create_run(place, run_name=name).info.run_id)
        write_text(self._memory, run)
        return run

    def _log(
        self, params: Mapping[str, str] | None = None, metrics: EpochMetrics | None = None, step: int = 0
    ) -> None:
        from mlflow.entities import Metric, Param

        now = int(1000 * time.time())
        values = [Metric(name, value, now, step) for name, value in without_missing(metrics or {}).items()]
        # A parameter that is already there may not change: the options of a resumed run may.
        known = self._client.get_run(self._run).data.params if params else {}
        fresh = [Param(name, value) for name, value in (params or {}).items() if name not in known]
        self._client.log_batch(self._run, metrics=values, params=fresh)
