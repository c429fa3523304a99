"""A training with texts beside the images, and what each verb does with its model."""

from __future__ import annotations

import base64
import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from metrics_schema import violations
from PIL import Image
from serving import client_of, service_of
from tests.conftest import LAYERS, SIZE

from eyebright.errors import ConfigError, DataError
from eyebright.runs.run import Run
from eyebright.runtime.onnx_session import open_session
from eyebright.sealed.model import SealedModel
from eyebright.serving.served_model import ServedModel
from eyebright.types import Prediction, Skipped, StoredJson
from eyebright.verbs.evaluate.evaluate import evaluate
from eyebright.verbs.evaluate.options import EvaluateConfig
from eyebright.verbs.explain.explain import explain
from eyebright.verbs.explain.options import ExplainConfig
from eyebright.verbs.export.export import export
from eyebright.verbs.export.options import ExportConfig
from eyebright.verbs.predict.options import PredictConfig
from eyebright.verbs.predict.predict import predict
from eyebright.verbs.train.options import TrainConfig
from eyebright.verbs.train.train import train
from eyebright.verbs.update.options import UpdateConfig
from eyebright.verbs.update.update import update

_NOTES = {
    "nominal": "passed the loom check without remark",
    "local": "a small hole near the selvedge",
    "global": "slack tension over the whole bolt, global fault",
}


def _note(label: str, number: int) -> str:
    if number % 7 == 0:
        return ""
    return f"roll {number}: {_NOTES[label] if number % 3 else 'to be looked at again'}"


@pytest.fixture(scope="module")
def noted(textile: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of the textile images with a note on most of them."""
    table = tmp_path_factory.mktemp("noted") / "notes.csv"
    files = sorted(textile.rglob("*.jpg"))
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "split", "note"])
        for number, path in enumerate(files):
            label = path.parent.name
            writer.writerow([path, label, path.parent.parent.name, _note(label, number)])
    return table


@pytest.fixture(scope="module")
def run(noted: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("runs") / "noted"
    return train(TrainConfig(data=noted, out=out, size=SIZE, layers=LAYERS, text=["note"]))


@pytest.fixture(scope="module")
def metrics(run: Run) -> StoredJson:
    found: StoredJson = json.loads((run.directory / "metrics.json").read_text(encoding="utf-8"))
    return found


def _rows(table: Path) -> list[dict[str, str]]:
    with table.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_ablation_is_measured_on_the_same_images(metrics: StoredJson, run: Run) -> None:
    found = metrics["modalities"]
    assert found["both"]["accuracy"] == metrics["accuracy"]
    gain = found["both"]["accuracy"]["value"] - found["image"]["accuracy"]["value"]
    assert metrics["text_gain"]["value"] == pytest.approx(gain)
    assert 0 < found["texts"] < found["images"] == 30
    assert metrics["parity"]["largest_difference"] < 0.02
    assert metrics["chosen"]["text"]["columns"] == ["note"]
    assert violations(run) == []


def test_texts_that_name_their_class_raise_the_alarm(metrics: StoredJson, run: Run) -> None:
    leak = metrics["text_leak"]
    assert leak["words"]["global"] == ["global"]
    assert leak["share"] > 0.05
    assert set(leak["masked"]) == {"text", "both", "gain"}
    page = (run.directory / "report.html").read_text(encoding="utf-8")
    assert "Image and text" in page
    assert "name their class" in page


def test_a_text_less_call_of_the_file_answers_from_the_image(run: Run, textile: Path) -> None:
    session = open_session(run.model)
    assert [given.name for given in session.get_inputs()] == ["images"]
    pixels = np.asarray(Image.open(next(textile.rglob("*.jpg"))).convert("RGB"))[None]
    alone = session.run(["probabilities"], {"images": pixels})[0]
    empty = session.run(["probabilities"], {"images": pixels, "texts": np.array([""], object)})[0]
    np.testing.assert_array_equal(alone, empty)
    note = np.array(["slack tension over the whole bolt"], object)
    both = session.run(["probabilities", "text_probabilities"], {"images": pixels, "texts": note})
    assert np.abs(both[0] - alone).max() > 1e-3
    assert both[1].argmax() == SealedModel(run.model).labels.index("global")


def test_predict_answers_each_row_of_a_table(run: Run, noted: Path, tmp_path: Path) -> None:
    rows = [row for row in _rows(noted) if row["split"] == "val"]
    table = tmp_path / "new.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["note", "path"])
        writer.writerows([row["note"], row["path"]] for row in rows)
        writer.writerow(["slack tension over the whole bolt", ""])
        writer.writerow(["NaN", ""])
        writer.writerow(["a note", "gone.jpg"])
    found = list(predict(PredictConfig(model=run.directory, images=[str(table)])))
    answered = {p.path: p.label for p in found if isinstance(p, Prediction)}
    with (run.directory / "predictions.csv").open(encoding="utf-8", newline="") as file:
        known = {row["path"]: row["predicted"] for row in csv.DictReader(file)}
    assert {path: answered[path] for path in known} == known
    assert answered["new.csv:32"] == "global"
    assert [p.path for p in found if isinstance(p, Skipped)] == ["new.csv:33", "gone.jpg"]


def test_bad_columns_are_refused(run: Run, textile_run: Run, noted: Path) -> None:
    for text, words in ((["nowhere"], "no column nowhere"), (["label", "other"], "no column other")):
        with pytest.raises(DataError, match=words):
            predict(PredictConfig(model=run.directory, images=[str(noted)], text=text))
    with pytest.raises(ConfigError, match="reads images only"):
        predict(PredictConfig(model=textile_run.directory, images=[str(noted)], text=["note"]))
    with pytest.raises(ConfigError, match="frozen backbone"):
        train(TrainConfig(data=noted, text=["note"], finetune="last"))
    with pytest.raises(ConfigError, match="Say with --text"):
        train(TrainConfig(data=noted, text_encoder=noted))
    with pytest.raises(DataError, match="one meaning"):
        train(TrainConfig(data=noted, text=["label"], label=["label"]))


def test_evaluate_takes_the_columns_of_the_run(run: Run, noted: Path, tmp_path: Path) -> None:
    done = evaluate(EvaluateConfig(model=run.directory, data=noted, out=tmp_path / "evaluation"))
    found = json.loads((done.directory / "metrics.json").read_text(encoding="utf-8"))
    own = json.loads((run.directory / "metrics.json").read_text(encoding="utf-8"))
    assert found["modalities"] == own["modalities"]
    leak = found["text_leak"]
    assert leak["source"] == "evaluated"
    assert leak["words"] == {"global": ["global"]}
    assert leak["masked"]["both"]["value"] <= found["accuracy"]["value"]
    page = (done.directory / "report.html").read_text(encoding="utf-8")
    assert "of the evaluated texts name their class" in page
    assert violations(done) == []


def test_explain_names_the_words(run: Run, noted: Path, tmp_path: Path) -> None:
    row = next(row for row in _rows(noted) if "slack tension" in row["note"])
    table = tmp_path / "one.csv"
    table.write_text(f'path,note\n{row["path"]},"{row["note"]}"\n', encoding="utf-8")
    config = ExplainConfig(model=run.directory, images=[str(table)], class_="global", out=tmp_path / "out")
    found = explain(config)
    words = {word.word: word.gain for word in found.images[0].words}
    assert words["tension"] > 0.3
    gains = [abs(gain) for gain in words.values()]
    assert gains == sorted(gains, reverse=True)
    assert "Words for it:" in found.page.read_text(encoding="utf-8")


def test_export_keeps_the_texts_or_refuses(run: Run, textile: Path, tmp_path: Path) -> None:
    done = export(ExportConfig(model=run.directory, to=["onnx"], out=tmp_path))
    folder = done.done[0].folder
    kept = onnx.load(folder / "model.onnx")
    assert [value.name for value in kept.graph.input] == ["images", "texts"]
    photo = str(next((textile / "val" / "nominal").glob("*.jpg")))
    program = [sys.executable, folder / "example_texts.py", photo, _NOTES["global"]]
    told = subprocess.run(program, capture_output=True, text=True, check=True).stdout.split("\t")
    expected = SealedModel(run.model).predict(photo, text=_NOTES["global"])
    assert told[0] in {expected.label, "unknown"}
    assert float(told[1]) == pytest.approx(expected.confidence, abs=0.01)
    for to, int8 in ((["openvino"], False), (["onnx"], True)):
        with pytest.raises(ConfigError, match="would lose the texts"):
            export(ExportConfig(model=run.directory, to=to, int8=int8, out=tmp_path))


def test_a_service_takes_texts(run: Run, textile_run: Run, textile: Path) -> None:
    photo = next((textile / "val" / "nominal").glob("*.jpg")).read_bytes()
    note = _NOTES["global"]
    expected = SealedModel(run.model).predict(photo, text=note)
    encoded = base64.b64encode(photo).decode()
    with client_of(service_of(ServedModel(run.directory))) as client:
        as_json = client.post("/predict", json={"image": encoded, "text": note}).json()
        form = {"files": [("file", photo)], "data": {"text": note}}
        as_form = client.post("/predict", **form).json()
        [told] = as_json["predictions"]
        assert told["answer"] == expected.label
        assert told["probabilities"][expected.label] == pytest.approx(expected.confidence, abs=2e-3)
        assert as_form["predictions"] == as_json["predictions"]
        uneven = client.post("/predict", json={"images": [encoded, encoded], "texts": [note]})
        assert uneven.status_code == 422
        assert "one text for each image" in uneven.json()["detail"]
    with client_of(service_of(ServedModel(textile_run.directory))) as client:
        refused = client.post("/predict", json={"image": encoded, "text": note})
        assert refused.status_code == 422
        assert "reads images only" in refused.json()["detail"]


@pytest.mark.slow
def test_an_update_reads_texts_again(run: Run, noted: Path, tmp_path: Path) -> None:
    done = update(UpdateConfig(run=run.directory, rename=["global=slack"], out=tmp_path / "updated"))
    found = json.loads((done.directory / "metrics.json").read_text(encoding="utf-8"))
    assert found["modalities"]["texts"] > 0
    assert SealedModel(done.model).text_columns == ("note",)


@pytest.mark.slow
def test_folds_and_labels_have_the_ablation_too(noted: Path, tmp_path: Path) -> None:
    rows = [row for row in _rows(noted) if row["split"] == "train"]
    table = tmp_path / "labels.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "labels", "note"])
        writer.writerows(
            [row["path"], f"{row['label']};{('odd', 'even')[i % 2]}", row["note"]]
            for i, row in enumerate(rows)
        )
    options = {"text": ["note"], "size": SIZE, "layers": LAYERS}
    for name, more in (("several", {"data": table}), ("folds", {"data": table, "folds": 3})):
        done = train(TrainConfig.model_validate({**options, **more, "out": tmp_path / name}))
        found = json.loads((done.directory / "metrics.json").read_text(encoding="utf-8"))
        assert set(found["modalities"]) >= {"image", "text", "both"}
        assert found["parity"]["largest_difference"] < 0.02
