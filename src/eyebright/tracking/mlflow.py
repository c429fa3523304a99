"""MLflow: the server that MLFLOW_TRACKING_URI names, or the folder mlruns here. Its telemetry is off."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from eyebright.errors import MissingExtraError, StorageError
from eyebright.runtime.atomic import write_text
from eyebright.runtime.install import install_command
from eyebright.tracking.base import MODEL, RUN_FILES, EpochMetrics, without_missing

_EXPERIMENT = "eyebright"
_LONGEST = 6000  # characters of a parameter that every MLflow server takes


class MLflowTracker:
    """Log a run to MLflow, with its model, report and figures as artifacts.

    Args:
        memory: a small file in the run's directory that stores MLflow's identifier, to resume it.
        uri: of the server or folder; None for that of the environment.

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
        """Log the final metrics and the run's files, and end the run."""
        self._log(metrics={f"final_{name}": value for name, value in metrics.items()})
        self._log_files(self._memory.parent)
        self._client.set_terminated(self._run)

    def _log_files(self, directory: Path) -> None:
        """Log report, card and figures as they are, and the model as MLflow loads and serves one."""
        for name in RUN_FILES:
            if name != MODEL and (directory / name).is_file():
                self._client.log_artifact(self._run, str(directory / name))
        if (directory / MODEL).is_file():
            with TemporaryDirectory() as folder:
                _save_model(directory / MODEL, Path(folder) / "model")
                self._client.log_artifacts(self._run, str(Path(folder) / "model"), "model")

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


def _save_model(model: Path, folder: Path) -> None:
    """Write an MLflow model that holds the sealed file, byte for byte."""
    import mlflow.onnx
    import numpy as np
    import onnx
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    graph = onnx.load(model)
    signature = None
    if len(graph.graph.input) == 1:  # a model that reads texts beside images has no such simple one
        pixels = TensorSpec(np.dtype(np.uint8), (-1, -1, -1, 3), graph.graph.input[0].name)
        signature = ModelSignature(Schema([pixels]))
    mlflow.onnx.save_model(
        graph,
        str(folder),
        signature=signature,
        # Given, since MLflow would otherwise run the model in a process of its own to find them.
        pip_requirements=[f"onnx=={onnx.__version__}", f"onnxruntime=={version('onnxruntime')}"],
        onnx_execution_providers=["CPUExecutionProvider"],
        save_as_external_data=False,
    )
    # MLflow writes the graph anew, and its hash would no longer be the run's.
    shutil.copyfile(model, folder / MODEL)
