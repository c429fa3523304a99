"""What is logged can be read back, by TensorBoard and MLflow themselves, also after a run was resumed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tracked import scalars

from eyebright.data.decode import open_rgb
from eyebright.errors import MissingExtraError, StorageError
from eyebright.runs.run import Run
from eyebright.runtime.context import showing
from eyebright.runtime.install import install_command
from eyebright.runtime.progress import Silent
from eyebright.sealed.model import SealedModel
from eyebright.tracking.mlflow import MLflowTracker
from eyebright.tracking.tensorboard import TensorBoardTracker
from eyebright.tracking.trackers import Trackers, trackers
from eyebright.tracking.wandb import WandbTracker

PARAMS = {"lr": 0.001, "finetune": "full", "gradual": True, "weights": None, "track": ["mlflow"]}


class Heard(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


def test_tensorboard_reads_the_figures_back(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    tracker = TensorBoardTracker(tmp_path / "tb")
    tracker.start("first", PARAMS)
    tracker.epoch(1, {"loss": 0.5, "val_loss": None})
    tracker.epoch(2, {"loss": 0.25, "val_loss": 0.75})
    tracker.finish({"accuracy": 0.9})
    assert scalars(tmp_path / "tb", "loss") == [(1, 0.5), (2, 0.25)]
    assert scalars(tmp_path / "tb", "val_loss") == [(2, 0.75)]
    assert scalars(tmp_path / "tb", "final/accuracy") == [(0, 0.9)]


def test_a_resumed_run_replaces_what_it_does_again(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    first = TensorBoardTracker(tmp_path)
    first.start("run", {})
    for number in (1, 2, 3):
        first.epoch(number, {"loss": 1.0})
    # Killed here: the file is never closed. The second begins with epoch 3.
    second = TensorBoardTracker(tmp_path)
    second.start("run", {})
    second.epoch(3, {"loss": 0.5})
    second.finish({})
    assert scalars(tmp_path, "loss") == [(1, 1.0), (2, 1.0), (3, 0.5)]


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """MLflow in a folder of the test."""
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "false")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=(tmp_path / "mlruns").as_uri())


def runs(client: Any) -> list[Any]:
    (experiment,) = [e for e in client.search_experiments() if e.name == "eyebright"]
    return list(client.search_runs([experiment.experiment_id]))


def test_mlflow_reads_the_run_back_from_the_folder_here(tmp_path: Path, client: Any) -> None:
    tracker = MLflowTracker(tmp_path / "mlflow-run")
    tracker.start("first", PARAMS)
    tracker.epoch(1, {"loss": 0.5, "val_loss": None})
    tracker.epoch(2, {"loss": 0.25, "val_loss": 0.75})
    tracker.finish({"accuracy": 0.9})
    (run,) = runs(client)
    assert run.info.run_name == "first"
    assert run.info.status == "FINISHED"
    assert run.data.params == {"lr": "0.001", "finetune": "full", "gradual": "True", "track": "['mlflow']"}
    assert run.data.metrics["final_accuracy"] == 0.9
    history = client.get_metric_history(run.info.run_id, "loss")
    assert [(m.step, m.value) for m in history] == [(1, 0.5), (2, 0.25)]


def test_mlflow_holds_the_model_and_the_report_and_runs_it(
    tmp_path: Path, client: Any, textile_run: Run, textile: Path
) -> None:
    import mlflow
    import numpy as np

    shutil.copytree(textile_run.directory, tmp_path / "run")
    tracker = MLflowTracker(tmp_path / "run" / "mlflow-run")
    tracker.start("run", {})
    tracker.finish({"accuracy": 0.9})
    (run,) = runs(client)
    there = {entry.path for entry in client.list_artifacts(run.info.run_id)}
    assert {"report.html", "model_card.md", "metrics.json", "model"} <= there
    stored = Path(client.download_artifacts(run.info.run_id, "model", str(tmp_path)))
    assert (stored / "model.onnx").read_bytes() == textile_run.model.read_bytes()
    photo = open_rgb(next((textile / "val").rglob("*.jpg")))
    found = mlflow.pyfunc.load_model(str(stored)).predict({"images": np.asarray(photo)[None]})
    mine = SealedModel(textile_run.directory).predict(photo)
    own = dict(zip(mine.labels, mine.probabilities, strict=True))
    assert found["probabilities"][0] == pytest.approx([own[label] for label in textile_run.labels], abs=2e-3)


def test_mlflow_goes_on_with_the_same_run_though_options_changed(tmp_path: Path, client: Any) -> None:
    for epochs in (3, 5):
        tracker = MLflowTracker(tmp_path / "mlflow-run")
        tracker.start("run", {"epochs": epochs})
        tracker.epoch(epochs, {"loss": 1.0})
    (run,) = runs(client)
    assert run.data.params == {"epochs": "3"}
    assert [m.step for m in client.get_metric_history(run.info.run_id, "loss")] == [3, 5]


def test_mlflow_starts_anew_where_the_store_has_lost_the_run(tmp_path: Path, client: Any) -> None:
    (tmp_path / "mlflow-run").write_text("0123456789abcdef0123456789abcdef")
    MLflowTracker(tmp_path / "mlflow-run").start("run", {})
    assert len(runs(client)) == 1


@pytest.mark.usefixtures("client")
def test_a_store_out_of_reach_is_told_before_anything_is_trained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    tracker = MLflowTracker(tmp_path / "mlflow-run", uri=(tmp_path / "file").as_uri())
    with pytest.raises(StorageError, match="MLflow must be reachable"):
        tracker.start("run", {})


def test_mlflow_reports_nothing_to_anybody(tmp_path: Path) -> None:
    pytest.importorskip("mlflow")
    code = (
        "from pathlib import Path; from eyebright.tracking.mlflow import MLflowTracker; "
        "t = MLflowTracker(Path('memory')); t.start('run', {}); "
        "from mlflow.telemetry.utils import is_telemetry_disabled; "
        "from mlflow.telemetry.client import get_telemetry_client; "
        "print(is_telemetry_disabled(), get_telemetry_client())"
    )
    hidden = ("MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK", "CI", "MLFLOW_TRACKING_URI", "PYTEST_CURRENT_TEST")
    environment = {k: v for k, v in os.environ.items() if k not in hidden}
    source = str(Path(__file__).parents[3] / "src")
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": source},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["True", "None"]


def wandb_records(folder: Path) -> list[Any]:
    """Return what an offline run wrote: records in the log format of LevelDB."""
    from wandb.proto.wandb_internal_pb2 import Record

    found, whole = [], b""
    data = next(folder.glob("wandb/offline-run-*/*.wandb")).read_bytes()
    place = len(b":W&B") + 3
    while place + 7 <= len(data):
        if 32768 - place % 32768 < 7:  # the rest of a block that holds no header
            place += 32768 - place % 32768
            continue
        size, kind = int.from_bytes(data[place + 4 : place + 6], "little"), data[place + 6]
        whole += data[place + 7 : place + 7 + size]
        place += 7 + size
        if kind in (1, 4):  # a whole record, or the last part of one
            found.append(Record.FromString(whole))
            whole = b""
    return found


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Weights & Biases without a network, in a folder of the test."""
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "staging"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_wandb_keeps_figures_and_files_and_nothing_of_the_machine(offline: Path, textile_run: Run) -> None:
    shutil.copytree(textile_run.directory, offline / "run")
    tracker = WandbTracker(offline / "run" / "wandb-run")
    heard = Heard()
    with showing(heard):
        tracker.start("first", PARAMS)
    assert "wandb sync" in heard.lines[0]
    tracker.epoch(1, {"loss": 0.5, "val_loss": None})
    tracker.epoch(2, {"loss": 0.25, "val_loss": 0.75})
    tracker.finish({"accuracy": 0.9})
    records = wandb_records(offline)
    history = [
        {item.key or ".".join(item.nested_key): item.value_json for item in record.history.item}
        for record in records
        if record.WhichOneof("record_type") == "history"
    ]
    assert [row["loss"] for row in history] == ["0.5", "0.25"]
    assert [row["epoch"] for row in history] == ["1", "2"]
    run = next(record.run for record in records if record.WhichOneof("record_type") == "run")
    assert (run.display_name, run.project) == ("first", "eyebright")
    assert run.run_id == (offline / "run" / "wandb-run").read_text()
    assert not run.git.remote_url
    assert not list(offline.glob("wandb/offline-run-*/files/requirements.txt"))


def test_wandb_goes_on_with_the_same_run(offline: Path) -> None:
    identifiers = []
    for _ in range(2):
        tracker = WandbTracker(offline / "wandb-run")
        tracker.start("run", {})
        tracker.epoch(1, {"loss": 1.0})
        tracker.finish({})
        identifiers.append((offline / "wandb-run").read_text())
    assert identifiers[0] == identifiers[1]
    assert all(identifiers[0] in path.name for path in offline.glob("wandb/offline-run-*"))


@pytest.mark.parametrize("name", ["tensorboard", "mlflow", "wandb"])
def test_a_missing_package_names_its_extra(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"eyebright.tracking.{name}.find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=re.escape(install_command(name))):
        trackers([name], tmp_path)


class Broken:
    """A server that is gone after the start."""

    name = "broken"

    def start(self, run: str, params: object) -> None:
        return None

    def epoch(self, number: int, figures: object) -> None:
        raise ConnectionError

    def finish(self, figures: object) -> None:
        raise ConnectionError


def test_one_that_fails_on_the_way_is_dropped_and_the_others_go_on(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    heard = Heard()
    both = Trackers([Broken(), TensorBoardTracker(tmp_path)])
    with showing(heard):
        both.start("run", {})
        both.epoch(1, {"loss": 1.0})
        both.epoch(2, {"loss": 0.5})
        both.finish({})
    assert len(heard.lines) == 1
    assert "broken failed (ConnectionError)." in heard.lines[0]
    assert scalars(tmp_path, "loss") == [(1, 1.0), (2, 0.5)]
