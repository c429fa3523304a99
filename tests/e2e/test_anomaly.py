"""Anomaly detection from a folder of good images to predictions, as a user does it."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from metrics_schema import violations
from serving import client_of, service_of
from tracked import scalars

from eyebright.data.decode import decode
from eyebright.data.manifest_file import read_manifest
from eyebright.errors import DataError
from eyebright.runs.run import Run
from eyebright.sealed.model import SealedModel
from eyebright.serving.served_model import ServedModel
from eyebright.verbs.evaluate.evaluate import evaluate
from eyebright.verbs.evaluate.options import EvaluateConfig
from eyebright.verbs.explain.explain import explain
from eyebright.verbs.explain.options import ExplainConfig
from eyebright.verbs.predict.options import PredictConfig
from eyebright.verbs.predict.predict import predict
from eyebright.verbs.train.anomaly.images import is_one_class
from eyebright.verbs.train.options import TrainConfig
from eyebright.verbs.train.train import train

SIZE = 96


def _copies(folder: Path, files: list[Path]) -> None:
    folder.mkdir(parents=True)
    for file in files:
        shutil.copyfile(file, folder / file.name)


@pytest.fixture(scope="module")
def fabric(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real photographs of woven textile as MVTec lays them out, with two kinds of defects to test."""
    pytest.importorskip("conformal_clip_data", reason="needs the textile images of eyebright[demo]")
    from eyebright.verbs.demo.demo import demo_images

    root, images = tmp_path_factory.mktemp("fabric"), demo_images()
    files = {kind: sorted((images / kind).glob("*.jpg")) for kind in ("nominal", "local", "global")}
    _copies(root / "train" / "good", files["nominal"][:60])
    _copies(root / "test" / "good", files["nominal"][60:80])
    _copies(root / "test" / "local", files["local"][:8])
    _copies(root / "test" / "global", files["global"][:12])
    return root


@pytest.fixture(scope="module")
def run(fabric: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("runs") / "fabric"
    return train(TrainConfig(data=fabric, out=out, size=SIZE))


def test_good_images_alone_make_a_sealed_model_with_score_and_map(run: Run, fabric: Path):
    session = onnxruntime.InferenceSession(run.model)
    assert json.loads(session.get_modelmeta().custom_metadata_map["labels"]) == ["good", "anomaly"]
    image = decode(next((fabric / "test" / "global").iterdir()))
    names = ["probabilities", "answer", "anomaly_score", "anomaly_map"]
    probabilities, [answer], [score], maps = session.run(names, {"images": image[None]})
    assert maps.shape == (1, SIZE, SIZE)
    assert answer == int(score >= 1) == int(probabilities[0, 1] >= 0.5)


def test_another_weave_is_found_and_measured_by_kind(run: Run):
    found = run.metrics["anomaly"]
    assert (found["good"], found["anomalies"]) == (20, 20)
    assert set(found["kinds"]) == {"local", "global"}
    assert found["kinds"]["global"]["recall"]["value"] >= 0.8
    assert found["auroc"]["low"] < found["auroc"]["value"] > 0.6
    assert found["limit"]["chosen_on"] == "val"
    assert run.metrics["parity"]["largest_difference"] < 0.02


def test_metrics_and_manifest_are_as_they_are_described(run: Run):
    assert violations(run) == []
    manifest = read_manifest(run.directory / "manifest.parquet")
    assert {s.label for s in manifest.of("train")} == {"good"}


def test_the_report_shows_maps(run: Run):
    page = run.report.read_text()
    assert 'id="hardest"' in page
    assert "data:image/jpeg" in page
    assert "anomaly" in (run.directory / "model_card.md").read_text()


def test_predictions_and_maps_come_from_the_file(run: Run, fabric: Path, tmp_path: Path):
    image = str(next((fabric / "test" / "global").iterdir()))
    [prediction] = predict(PredictConfig(model=run.directory, images=[image]))
    assert prediction.anomaly_score is not None
    assert (prediction.label == "anomaly") == (prediction.anomaly_score >= 1)
    found = explain(ExplainConfig(model=run.directory, images=[image], out=tmp_path / "maps"))
    assert found.images[0].picture.is_file()
    assert found.images[0].heat.shape == (SIZE, SIZE)
    config = PredictConfig(model=run.directory, images=[image], log=tmp_path / "log")
    [logged] = predict(config)
    assert logged.anomaly_score == pytest.approx(prediction.anomaly_score)


def test_a_service_answers_with_the_score(run: Run, fabric: Path):
    image = next((fabric / "test" / "global").iterdir())
    expected = SealedModel(run.model).predict(image)
    with client_of(service_of(ServedModel(run.directory))) as client:
        [found] = client.post("/predict", content=image.read_bytes()).json()["predictions"]
        tensor = {"name": "encoded_images", "datatype": "BYTES", "shape": [1]}
        tensor["data"] = [base64.b64encode(image.read_bytes()).decode()]
        answer = client.post("/v2/models/textile/infer", json={"inputs": [tensor]}).json()
    assert found["anomaly_score"] == pytest.approx(expected.anomaly_score, abs=1e-3)
    [score] = [output for output in answer["outputs"] if output["name"] == "anomaly_score"]
    assert score["data"] == pytest.approx([expected.anomaly_score], abs=1e-3)


def test_evaluation_takes_kinds_of_defects(run: Run, fabric: Path, tmp_path: Path):
    again = evaluate(EvaluateConfig(model=run.directory, data=fabric / "test", out=tmp_path / "evaluation"))
    assert again.metrics["roc_auc"]["value"] == pytest.approx(run.metrics["roc_auc"]["value"])


def test_a_lone_class_of_another_name_is_asked_about(fabric: Path, tmp_path: Path):
    shutil.copytree(fabric / "train" / "good", tmp_path / "data" / "cloth")
    with pytest.raises(DataError, match="--task anomaly"):
        train(TrainConfig(data=tmp_path / "data", out=tmp_path / "run"))


def test_a_target_of_anomalies_asks_for_their_detection(fabric: Path, tmp_path: Path):
    shutil.copytree(fabric / "train" / "good", tmp_path / "cloth")
    shutil.copytree(fabric / "train" / "good", tmp_path / "nominal")
    target = ["false_positive_rate(anomaly) <= 0.05"]
    assert is_one_class(TrainConfig(data=tmp_path / "cloth", target=target))
    assert not is_one_class(TrainConfig(data=tmp_path / "cloth", target=["recall(hole) >= 0.9"]))
    assert not is_one_class(TrainConfig(data=tmp_path / "cloth"))
    assert is_one_class(TrainConfig(data=tmp_path / "nominal"))  # a name that says so
    assert not is_one_class(TrainConfig(data=tmp_path, target=target))  # two classes


def test_too_few_good_images_are_refused(fabric: Path, tmp_path: Path):
    _copies(tmp_path / "data" / "good", sorted((fabric / "train" / "good").iterdir())[:6])
    with pytest.raises(DataError, match="at least 10 good images"):
        train(TrainConfig(data=tmp_path / "data", out=tmp_path / "run"))


def test_loose_images_learn_and_a_hidden_defect_is_named(
    fabric: Path, photographs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    _copies(tmp_path / "data", sorted((fabric / "train" / "good").iterdir())[:45])
    photographs["cat"].resize((250, 250)).save(tmp_path / "data" / "hidden.png")
    out = tmp_path / "run"
    run = train(
        TrainConfig(data=tmp_path / "data", out=out, size=SIZE, task="anomaly", track=["tensorboard"])
    )
    assert scalars(run.directory / "tensorboard", "final/accuracy")
    found = run.metrics["anomaly"]
    named = [one["path"] for one in found["suspects"]] + [one["path"] for one in found["hardest"]][:1]
    assert named[0] == "hidden.png"
    assert found["auroc"] is None
    assert found["limit"]["chosen_on"] == "train"
    assert isinstance(SealedModel(run.model).anomalies(np.zeros((1, 64, 64, 3), np.uint8))[0], np.ndarray)
