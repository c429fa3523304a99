"""Exports of a model with a target answer as `predict` does; what cannot hold decisions says so."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import pytest

from eyebright.data.decode import decode
from eyebright.data.manifest_file import read_manifest
from eyebright.evaluation.rules.decisions import Decisions
from eyebright.exporting.base import ExportSource
from eyebright.exporting.catalog import FORMATS
from eyebright.exporting.certificate.certificate import AcceptanceCriteria, certify, undecided
from eyebright.exporting.certificate.comparison import ReferencePredictions
from eyebright.exporting.certificate.example_answers import deciding, telling
from eyebright.runs.run import Run
from eyebright.runs.scoring import predict_samples
from eyebright.sealed.answer_output import with_answer
from eyebright.sealed.model import SealedModel
from eyebright.types import Prediction

pytestmark = pytest.mark.xdist_group("exports")

COSTS = np.array([[0, 1, 4], [2, 0, 1], [9, 1, 0]], float)
NEEDS = {"openvino": "openvino", "torchscript": "torch"}


@pytest.fixture(scope="module")
def source(decided_run: Run) -> ExportSource:
    return ExportSource(SealedModel(decided_run.model, threads=1), onnx.load(decided_run.model))


@pytest.fixture(scope="module")
def pictures(textile: Path) -> list[Path]:
    return sorted((textile / "val").rglob("*.jpg"))


@pytest.fixture(scope="module")
def predictions(source: ExportSource, pictures: list[Path]) -> list[Prediction]:
    found = [source.model.predict(path) for path in pictures]
    assert sum(p.confidence < max(p.probabilities) for p in found) > 3
    return found


@pytest.mark.parametrize(
    "name", ["onnx", "onnx-plain", "openvino", "html", pytest.param("torchscript", marks=pytest.mark.slow)]
)
def test_an_export_answers_as_predict(
    name: str, source: ExportSource, pictures: list[Path], predictions: list[Prediction], tmp_path: Path
) -> None:
    if name in NEEDS and find_spec(NEEDS[name]) is None:
        pytest.skip(f"needs {NEEDS[name]}")
    FORMATS[name].export(source, tmp_path)
    runner = FORMATS[name].load(source, tmp_path, 1)
    answers = [runner.predict(decode(path)).answer for path in pictures]
    labels = source.labels
    wanted = [-1 if p.unknown else labels.index(p.label) for p in predictions]
    assert [int(answer) for answer in answers if answer is not None] == wanted


def test_the_certificate_compares_answers(source: ExportSource, tmp_path: Path) -> None:
    manifest = read_manifest(source.model.path.with_name("manifest.parquet"))
    found = predict_samples(source.model, manifest.root, manifest.of("val")[::2])
    decisions = source.model.decisions

    def pixels():
        return (decode(manifest.root / sample.path) for sample in found.samples)

    reference = ReferencePredictions(found.probabilities, found.truth, pixels, "val", decisions, found.scores)
    other = with_answer(source.graph, Decisions(np.full(3, np.nan)))
    for number, (graph, passes) in enumerate(((source.graph, True), (other, False))):
        folder = tmp_path / str(number)
        folder.mkdir()
        given = ExportSource(source.model, graph)
        FORMATS["onnx"].export(given, folder)
        certificate = certify(
            FORMATS["onnx"],
            given,
            folder,
            reference,
            AcceptanceCriteria(),
            versions={},
            details={},
            on_image=lambda: None,
        )
        assert certificate.passed is passes
        assert certificate.comparison.max_difference < 1e-5


@pytest.mark.parametrize("name", FORMATS)
def test_what_holds_no_decisions_says_so(name: str, source: ExportSource) -> None:
    told = " ".join(map(str, undecided(FORMATS[name], source.model.decisions)))
    assert ("hold probabilities only" in told and "hold no OOD score" in told) is not FORMATS[name].decides
    assert not list(undecided(FORMATS[name], Decisions(np.full(3, np.nan))))


@pytest.mark.parametrize("name", ["plain", "target", "costs", "labels"])
def test_the_lines_of_an_example_decide_alike(
    name: str, source: ExportSource, predictions: list[Prediction], tmp_path: Path
) -> None:
    """Those that formats without an answer have, on probabilities of the real model."""
    decisions = {
        "plain": Decisions(np.full(3, np.nan)),
        "target": source.model.decisions.without_unknown(),
        "costs": Decisions(np.full(3, np.nan), COSTS),
        "labels": Decisions(np.array([0.5, 0.3, 0.1]), multilabel=True),
    }[name]
    labels = source.labels
    rows = [
        [dict(zip(p.labels, p.probabilities, strict=True))[label] for label in labels] for p in predictions
    ]
    program = (
        f"import json, sys\nimport numpy as np\nlabels = {list(labels)}\n"
        f"for row in json.load(sys.stdin):\n    probabilities = np.float32(row)\n"
        f"{deciding(decisions)}\n    print(answer.tolist())\n{telling(decisions)}\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], input=json.dumps(rows), capture_output=True, text=True, check=True
    )
    lines = [json.loads(line) for line in done.stdout.splitlines() if "\t" not in line]
    assert lines == decisions.predict(np.array(rows, np.float32)).tolist()
