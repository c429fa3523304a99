"""The sealed model answers as the training pipeline does, wherever it runs, or is found out."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from eyebright.backbones import embedded
from eyebright.backbones.embedded import EmbeddedBackbone
from eyebright.data.decode import decode
from eyebright.data.folder import scan
from eyebright.errors import ModelError
from eyebright.runs.parity_check import Reference, check_parity
from eyebright.runs.run import Run
from eyebright.runs.scoring import Predictions, predict_samples
from eyebright.sealed.graph import sealed_graph
from eyebright.sealed.model import SealedModel, write_sealed
from eyebright.sealed.parity import compare
from eyebright.task.task import MultiClass
from eyebright.task.temperature import fit_temperature
from eyebright.training.linear_probe.linear import LinearHead
from eyebright.training.linear_probe.probe import FrozenModel, FrozenTrainer
from eyebright.types import JsonObject
from eyebright.verbs.train.frozen.linear_probe import probabilities as pipeline_probabilities

# Runs where nothing but numpy and onnxruntime can be imported from outside the standard library.
ALONE = """
import sys

class Refused:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"eyebright", "PIL", "onnx", "scipy", "openvino", "torch", "pydantic"}:
            raise ImportError(name)

sys.meta_path.insert(0, Refused())
try:
    import eyebright
except ImportError:
    pass
else:
    sys.exit("eyebright can be imported")

import json
import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
labels = json.loads(session.get_modelmeta().custom_metadata_map["labels"])
answers = []
for name, image in np.load(sys.argv[2]).items():
    (probabilities,) = session.run(["probabilities"], {"images": image[None]})[0]
    best = probabilities.argmax()
    answers.append([name, labels[best], float(probabilities[best]), float(probabilities.sum())])
print(json.dumps(answers))
"""


def trained(folder: Path, cache: Path, layers: str, size: int) -> FrozenModel:
    manifest = scan(folder, val=None if (folder / "val").is_dir() else 0.2)
    trainer = FrozenTrainer(manifest, EmbeddedBackbone(), cache, views=1, layers=layers, seed=0)
    return trainer.train(size)


def sealed(model: FrozenModel, temperature: float, labels: tuple[str, ...], path: Path) -> SealedModel:
    preprocessing = model.extractor.preprocessing
    graph = sealed_graph(embedded.model(), preprocessing, model.extractor.taps, model.fit.head, temperature)
    card: JsonObject = {"backbone": "lite0", "preprocessing": asdict(preprocessing)}
    write_sealed(path, graph, labels, {"card": card})
    return SealedModel(path, threads=1)


def asked(model: SealedModel, folder: Path) -> tuple[Predictions, Path]:
    manifest = scan(folder, val=None if (folder / "val").is_dir() else 0.2)
    samples = manifest.of("val")
    return predict_samples(model, manifest.root, samples), manifest.root


def pipeline(model: FrozenModel, temperature: float) -> Reference:
    return lambda root, samples: pipeline_probabilities(model, temperature, None, root, samples)


@pytest.mark.parametrize(
    ("data", "layers", "size"),
    [("textile", "texture", 96), ("textile", "all", 64), ("digits", "texture", 64)],
)
def test_it_agrees_with_the_pipeline_on_every_validation_image(
    request, feature_cache, tmp_path, data: str, layers: str, size: int
) -> None:
    folder = request.getfixturevalue(data)
    model = trained(folder, feature_cache, layers, size)
    temperature = fit_temperature(model.fit.held_out, model.truth)
    labels = scan(folder).labels
    answers, root = asked(sealed(model, temperature, labels, tmp_path / "model.onnx"), folder)
    reference = pipeline_probabilities(model, temperature, None, root, list(answers.samples))
    parity = compare(answers.probabilities, reference, MultiClass())
    engine = model.extractor.engine
    print(f"{data}, {layers}, {size} px, {engine}: largest difference {parity.largest_difference:.5f}")
    assert parity.images == len(answers.samples) >= 30
    assert parity.largest_difference < 0.02
    # Where the two likeliest classes are equally likely, the smallest difference changes which is named.
    first, second = np.sort(reference, axis=1)[:, [-1, -2]].T
    clear = first - second > 2 * parity.largest_difference
    same = answers.probabilities.argmax(axis=1) == reference.argmax(axis=1)
    assert same[clear].all()
    assert same.mean() > 0.95


def test_it_runs_with_onnxruntime_and_numpy_alone(textile_run: Run, textile: Path, tmp_path: Path) -> None:
    with (textile_run.directory / "predictions.csv").open(newline="") as file:
        rows = {row["path"]: row for row in csv.DictReader(file)}
    pixels = {path: decode(textile / path, min_side=96) for path in rows}
    np.savez(tmp_path / "images.npz", **pixels)
    shutil.copyfile(textile_run.model, tmp_path / "moved.onnx")
    done = subprocess.run(
        [sys.executable, "-I", "-c", ALONE, tmp_path / "moved.onnx", tmp_path / "images.npz"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    assert len(answers) == len(rows) == 30
    for path, label, confidence, total in answers:
        assert label == rows[path]["predicted"]
        assert confidence == pytest.approx(float(rows[path]["confidence"]), abs=1e-4)
        assert total == pytest.approx(1, abs=1e-5)


@pytest.fixture
def model(textile: Path, feature_cache: Path) -> FrozenModel:
    return trained(textile, feature_cache, "texture", 96)


@pytest.fixture
def own_copy(textile_run: Run, tmp_path: Path) -> Path:
    return Path(shutil.copyfile(textile_run.model, tmp_path / "model.onnx"))


def test_the_proof_accepts_the_trained_model(model: FrozenModel, own_copy: Path, textile: Path) -> None:
    opened = SealedModel(own_copy)
    answers, root = asked(opened, textile)
    parity = check_parity(pipeline(model, opened.card.content["temperature"]), opened, answers, root, 0)
    assert parity.passed
    assert parity.images == 30
    assert parity.same_class >= 29  # one image's two likeliest classes may be equally likely
    assert own_copy.exists()


def rejected(model: FrozenModel, temperature: float, path: Path, textile: Path) -> str:
    opened = SealedModel(path)
    answers, root = asked(opened, textile)
    with pytest.raises(ModelError) as caught:
        check_parity(pipeline(model, temperature), opened, answers, root, 0)
    assert not path.exists()
    assert path.with_name("model.onnx.rejected").exists()
    return str(caught.value)


def test_the_proof_finds_another_temperature(model: FrozenModel, own_copy: Path, textile: Path) -> None:
    temperature = SealedModel(own_copy).card.content["temperature"]
    told = rejected(model, 3 * temperature, own_copy, textile)
    assert int(re.search(r"On 30 images, (\d+) predictions? agree", told)[1]) >= 29


def test_the_proof_finds_other_weights(model: FrozenModel, own_copy: Path, textile: Path) -> None:
    temperature = SealedModel(own_copy).card.content["temperature"]
    head = LinearHead(model.fit.head.weights[:, ::-1].copy(), model.fit.head.bias[::-1].copy())
    told = rejected(replace(model, fit=replace(model.fit, head=head)), temperature, own_copy, textile)
    assert int(re.search(r"On 30 images, (\d+) predictions? agree", told)[1]) < 29


def test_the_proof_finds_halves_that_answer_otherwise(
    model: FrozenModel, own_copy: Path, textile: Path
) -> None:
    opened = SealedModel(own_copy)
    answers, root = asked(opened, textile)
    other = replace(answers, probabilities=answers.probabilities + np.float32(0.001))
    with pytest.raises(ModelError, match=r"differ by up to 0\.00"):
        check_parity(pipeline(model, opened.card.content["temperature"]), opened, other, root, 0)
    assert not own_copy.exists()


def test_a_difference_is_measured_over_all_images() -> None:
    reference = np.array([[0.9, 0.1], [0.4, 0.6], [0.5, 0.5]], np.float32)
    other = np.array([[0.9, 0.1], [0.55, 0.45], [0.5, 0.5]], np.float32)
    parity = compare(other, reference, MultiClass())
    assert (parity.images, parity.same_class) == (3, 2)
    assert parity.largest_difference == pytest.approx(0.15)
    assert parity.mean_difference == pytest.approx(0.05)
    assert not parity.passed
    assert compare(reference, reference, MultiClass()).passed
    assert compare(reference + np.float32(0.019), reference, MultiClass()).passed
    assert not compare(reference + np.float32(0.021), reference, MultiClass()).passed
