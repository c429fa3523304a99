"""Models that are replaced, tried out and taken back; files that changed; photographs that prove a model."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest
from serving import Photographs, client_of, service_of
from starlette.testclient import TestClient

from eyebright.errors import ConfigError, ModelError, NotFoundError
from eyebright.monitoring.prometheus import MonitorGauge
from eyebright.runs.run import Run
from eyebright.serving.registry import Registry, named_models
from eyebright.serving.request_log import RequestLog
from eyebright.serving.security import Tokens
from eyebright.serving.served_model import ServedModel
from eyebright.serving.service import Service, ServiceSettings

TOKEN = "t" * 20


@pytest.fixture
def admin(tmp_path: Path) -> Tokens:
    path = tmp_path / "tokens.txt"
    path.write_text(TOKEN)
    return Tokens.read(path)


@pytest.fixture
def runs(textile_run: Run, decided_run: Run, tmp_path: Path) -> Path:
    """Copies of two runs, side by side."""
    for name, run in (("first", textile_run), ("second", decided_run)):
        shutil.copytree(run.directory, tmp_path / "runs" / name)
    return tmp_path / "runs"


@pytest.fixture(scope="module")
def hashes(textile_run: Run, decided_run: Run) -> list[str]:
    return [str(run.stored.model_sha256) for run in (textile_run, decided_run)]


def test_swap_and_back(runs: Path, admin: Tokens, hashes: list[str], photos: Photographs):
    first, second = hashes
    with client_of(service_of(ServedModel(runs / "first"), admin, "m"), TOKEN) as client:
        assert client.post("/models/m/rollback").status_code == 409
        found = client.post("/models/m/swap", json={"run": "second"}).json()
        assert (found["sha256"], found["previous_sha256"]) == (second, first)
        assert client.post("/predict", content=photos.first).json()["model"]["sha256"] == second
        assert client.post("/models/m/rollback").json()["sha256"] == first
        assert client.post("/models/m/rollback").json()["sha256"] == second


@pytest.mark.parametrize("run", ["missing", "../runs/../secret", "/etc", "..", "a\0b"])
def test_only_runs_beside_those_that_are_served(runs: Path, admin: Tokens, run: str, served: ServedModel):
    shutil.copytree(runs / "first", runs.parent / "secret")
    model = ServedModel(runs / "first")
    with client_of(service_of(model, admin, "m"), TOKEN) as client:
        assert client.post("/models/m/swap", json={"run": run}).status_code in (403, 422)
        assert client.post("/models/m/swap", json={"ran": run}).status_code == 422
        assert client.get("/models/m").json()["sha256"] == model.sha256


def test_no_request_is_lost_while_models_are_swapped(
    runs: Path, admin: Tokens, hashes: list[str], photos: Photographs
):
    def ask() -> None:
        while not done.is_set():
            response = client.post("/predict", content=photos.first)
            answers.append((response.status_code, response.json().get("model", {}).get("sha256")))

    answers: list[tuple[int, str]] = []
    done = threading.Event()
    with client_of(service_of(ServedModel(runs / "first"), admin, "m"), TOKEN) as client:
        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        assert client.post("/models/m/swap", json={"run": "second"}).status_code == 200
        for _ in range(20):
            assert client.post("/models/m/rollback").status_code == 200
        done.set()
        for thread in threads:
            thread.join()
    assert {status for status, _ in answers} == {200}
    assert {sha for _, sha in answers} == set(hashes)


def test_a_file_that_changes_changes_no_answer(runs: Path, admin: Tokens, photos: Photographs):
    path = runs / "first" / "model.onnx"
    model = ServedModel(path)
    with client_of(service_of(model, admin, "m"), TOKEN) as client:
        before = client.post("/predict", content=photos.first).json()
        path.touch()
        assert client.get("/models/m").json()["file"] == "unchanged"
        shutil.copyfile(runs / "second" / "model.onnx", path)
        assert client.get("/models/m").json()["file"] == "changed"
        assert 'eyebright_model_file_changed{model="m"} 1' in client.get("/metrics").text
        refused = client.post("/models/m/swap")
        assert refused.status_code == 422
        assert "modified" in refused.json()["detail"]
        assert client.post("/predict", content=photos.first).json() == before
        path.unlink()
        assert client.get("/models/m").json()["file"] == "missing"
        assert client.post("/predict", content=photos.first).json() == before
        assert client.post("/models/m/explain", content=photos.first).status_code == 200


def test_a_run_that_was_trained_again_is_taken_when_asked(runs: Path, admin: Tokens, hashes: list[str]):
    with client_of(service_of(ServedModel(runs / "first"), admin, "m"), TOKEN) as client:
        shutil.rmtree(runs / "first")
        shutil.copytree(runs / "second", runs / "first")
        assert client.get("/models/m").json()["sha256"] == hashes[0]
        assert client.post("/models/m/swap").json()["sha256"] == hashes[1]


def test_a_shadow_answers_silently(runs: Path, admin: Tokens, hashes: list[str], photos: Photographs):
    with client_of(service_of(ServedModel(runs / "first"), admin, "m"), TOKEN) as client:
        assert client.post("/models/m/promote").status_code == 409
        client.post("/models/m/shadow", json={"run": "second"})
        for photo in photos.several:
            assert client.post("/predict", content=photo).json()["model"]["sha256"] == hashes[0]
        text = ""
        while 'eyebright_shadow_images{model="m"} 4' not in text:
            text = client.get("/metrics").text
        figures = client.get("/models/m").json()["shadow"]
        assert figures["sha256"] == hashes[1]
        assert 0 <= figures["same_answer"] <= figures["images"] == 4
        assert client.post("/models/m/promote").json()["sha256"] == hashes[1]
        assert client.post("/models/m/shadow").json()["shadow"] is None


def test_a_modified_model_is_not_served(runs: Path):
    with (runs / "first" / "model.onnx").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(ModelError, match="modified"):
        ServedModel(runs / "first")
    (runs / "first" / "model.onnx").write_bytes(b"no model")
    with pytest.raises(ModelError):
        ServedModel(runs / "first")
    with pytest.raises(NotFoundError):
        ServedModel(runs / "third")


def test_a_model_that_answers_otherwise_than_in_training_is_not_served(runs: Path):
    table = runs / "first" / "predictions.csv"
    text = table.read_text(encoding="utf-8")
    table.write_text(
        text.replace(",global,global,", ",global,local,").replace(",local,local,", ",local,global,")
    )
    assert table.read_text(encoding="utf-8") != text
    with pytest.raises(ModelError, match="as in training"):
        ServedModel(runs / "first")


def test_without_photographs_a_made_up_image_is_answered(runs: Path):
    (runs / "first" / "manifest.parquet").unlink()
    model = ServedModel(runs / "first")
    assert not model.proven
    assert model.failure is None


def test_photographs_prove_a_model(served: ServedModel):
    assert served.proven
    served.check()


def test_documents(client: TestClient, served: ServedModel):
    card = client.get("/models/textile/card").json()
    assert card["labels"] == list(served.sealed.labels)
    assert card["prediction_sets"]["coverage"] == 0.9
    assert card["model_card"].startswith("---")
    assert 'route="/models/{name}/card",code="200"' in client.get("/metrics").text
    certificate = client.get("/models/textile/certificate").json()
    assert certificate["parity"]["same_class"] == certificate["parity"]["images"]
    assert certificate["start"]["answers_as_in_training"] is True


def test_heat_maps(client: TestClient, photos: Photographs):
    response = client.post("/models/textile/explain?class=local", content=photos.first)
    assert response.content.startswith(b"\x89PNG")
    assert response.headers["x-eyebright-class"] == "local"
    assert client.post("/models/textile/explain?class=x", content=photos.first).status_code == 422
    assert client.post("/models/textile/explain", content=b"no image").status_code == 422
    files = [("file", photo) for photo in photos.several]
    assert client.post("/models/textile/explain", files=files).status_code == 422


def test_names_of_models():
    found = named_models(["runs/first", "b=runs/second/model.onnx", "/x/third/model.onnx"])
    assert found == {
        "first": Path("runs/first"),
        "b": Path("runs/second/model.onnx"),
        "third": Path("/x/third/model.onnx"),
    }
    for given in (["a=x", "a=y"], ["a b=x"], ["=x"], ["runs/a b"]):
        with pytest.raises(ConfigError, match="NAME="):
            named_models(given)


class _Recorder:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.shapes: list[tuple[object, ...]] = []
        self.images: list[bytes | None] = []
        self.closed = False

    def observe(self, probabilities, scores, features, looks, images) -> None:
        self.shapes.append((probabilities.shape, scores.shape, features.shape, looks.shape))
        self.images += images

    def gauges(self) -> list[MonitorGauge]:
        return [
            MonitorGauge("eyebright_drift_pvalue", "How surprising the images are.", 0.5, {"test": "c2st"})
        ]

    def close(self) -> None:
        self.closed = True


def test_an_observer_sees_every_answer(served: ServedModel, photos: Photographs):
    recorder = _Recorder()
    registry = Registry({"m": served}, lambda name, model: recorder)
    service = Service(registry, ServiceSettings(), None, RequestLog(None))
    try:
        with client_of(service) as client:
            client.post("/predict", files=[("file", photo) for photo in photos.several])
            line = 'eyebright_drift_pvalue{model="m",test="c2st"} 0.5'
            assert line in client.get("/metrics").text
    finally:
        served.watching = None
    assert recorder.closed
    assert sum(shapes[0][0] for shapes in recorder.shapes) == 4
    batch = recorder.shapes[0][0][0]
    width = served.sealed.split_model.width
    assert recorder.shapes[0] == ((batch, 3), (batch,), (batch, width), (batch, 3))
