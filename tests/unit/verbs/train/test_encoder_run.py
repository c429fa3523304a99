"""A training whose texts are read by a sentence encoder, and the file that it seals."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from encoders import write_minilm
from metrics_schema import violations
from PIL import Image
from tests.conftest import LAYERS, SIZE

from eyebright.runs.run import Run
from eyebright.runtime.onnx_session import open_session
from eyebright.sealed.model import SealedModel
from eyebright.types import Prediction
from eyebright.verbs.export.export import export
from eyebright.verbs.export.options import ExportConfig
from eyebright.verbs.predict.options import PredictConfig
from eyebright.verbs.predict.predict import predict
from eyebright.verbs.train.options import TrainConfig
from eyebright.verbs.train.train import train

# What one class is told by shares its meaning more than its letters.
_NOTES = {
    "nominal": ("flawless, ship it", "no complaint", "perfect weave", "accepted at once", "all in order"),
    "local": ("a small hole", "tiny puncture", "torn at one spot", "a pinprick", "a little rip"),
    "global": ("slack everywhere", "loose threads all over", "limp throughout", "sagging cloth", "too soft"),
}


@pytest.fixture(scope="module")
def noted(textile: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    table = tmp_path_factory.mktemp("noted") / "notes.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "split", "note"])
        for number, path in enumerate(sorted(textile.rglob("*.jpg"))):
            notes = _NOTES[path.parent.name]
            note = notes[number % len(notes)] if number % 6 else ""
            writer.writerow([path, path.parent.name, path.parent.parent.name, note])
    return table


@pytest.fixture(scope="module")
def run(noted: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    encoder = write_minilm(tmp_path_factory.mktemp("minilm"))
    out = tmp_path_factory.mktemp("runs") / "encoded"
    options = {"text": ["note"], "text_encoder": encoder, "size": SIZE, "layers": LAYERS}
    return train(TrainConfig.model_validate({"data": noted, "out": out, **options}))


def test_both_featurisers_are_compared_and_the_file_is_proven(run: Run) -> None:
    metrics = json.loads((run.directory / "metrics.json").read_text(encoding="utf-8"))
    tried = {one["name"]: one for one in metrics["candidates"]["texts"]}
    assert len(tried) == 2
    assert tried["ngrams"]["selected"] is False
    assert metrics["chosen"]["text"]["features"] == 384
    assert metrics["parity"]["largest_difference"] < 0.02
    assert metrics["modalities"]["texts"] > 20
    assert violations(run) == []


def test_the_file_takes_tokens_and_answers_without(run: Run, textile: Path) -> None:
    session = open_session(run.model)
    assert [given.name for given in session.get_overridable_initializers()] == [
        "input_ids",
        "attention_mask",
    ]
    pixels = np.asarray(Image.open(next(textile.rglob("*.jpg"))).convert("RGB"))[None]
    alone = session.run(["probabilities"], {"images": pixels})[0]
    assert np.abs(alone.sum() - 1) < 1e-5
    model = SealedModel(run.model)
    unseen = model.text_probabilities(["there is a wee hole in it", ""])
    assert model.labels[int(unseen[0].argmax())] == "local"


def test_predict_tokenises_the_texts_of_a_table(run: Run, noted: Path) -> None:
    found = list(predict(PredictConfig(model=run.directory, images=[str(noted)])))
    answered = {p.path: p.label for p in found if isinstance(p, Prediction)}
    with (run.directory / "predictions.csv").open(encoding="utf-8", newline="") as file:
        known = {row["path"]: row["predicted"] for row in csv.DictReader(file)}
    assert known
    assert {path: answered[path] for path in known} == known


def test_an_exported_file_comes_with_an_example_that_tokenises(
    run: Run, textile: Path, tmp_path: Path
) -> None:
    done = export(ExportConfig(model=run.directory, to=["onnx"], out=tmp_path))
    photo = str(next((textile / "val" / "nominal").glob("*.jpg")))
    program = [sys.executable, done.done[0].folder / "example_texts.py", photo, "a small hole"]
    told = subprocess.run(program, capture_output=True, text=True, check=True).stdout.split("\t")
    expected = SealedModel(run.model).predict(photo, text="a small hole")
    assert told[0] in {expected.label, "unknown"}
    assert float(told[1]) == pytest.approx(expected.confidence, abs=0.01)
