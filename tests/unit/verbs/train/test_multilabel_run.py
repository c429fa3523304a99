"""Images that may have several labels, from the table to the answers of the sealed file."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from metrics_schema import violations

import eyebright as eb
from eyebright.data.decode import decode
from eyebright.data.manifest_file import read_manifest
from eyebright.errors import ConfigError, DataError
from eyebright.report.sections.usage import SEVERAL_SNIPPET
from eyebright.runs.run import Run
from eyebright.sealed.model import SealedModel
from eyebright.verbs.predict.rows import writer

LABELS = ("defective", "widespread")
SIZE, LAYERS = 96, "texture"


@pytest.fixture(scope="session")
def cloth(textile: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Textile with two questions: is it defective, and is it all over? Every fifth image is for the test."""
    root = tmp_path_factory.mktemp("cloth")
    (root / "images").symlink_to(textile)
    rows = []
    for number, path in enumerate(sorted(textile.rglob("*.jpg"))):
        part, kind = path.relative_to(textile).parts[:2]
        flags = [int("nominal" not in kind), int("global" in kind)]
        rows.append(
            [f"images/{path.relative_to(textile).as_posix()}", *flags, part if number % 5 else "test"]
        )
    with (root / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["path", *LABELS, "split"], *rows])
    return root


@pytest.fixture(scope="session")
def cloth_run(cloth: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("runs") / "cloth"
    target = "recall(defective) >= 0.95"
    return eb.train(cloth, out=out, size=SIZE, layers=LAYERS, target=[target], curve=True)


def test_the_model_is_better_than_chance_and_says_what_it_is(cloth_run: Run):
    m = cloth_run.metrics
    assert violations(cloth_run) == []
    assert m["task"] == "multilabel"
    assert m["labels"] == list(LABELS)
    assert m["split"] == "test"
    for label in LABELS:
        assert m["per_class"][label]["roc_auc"]["value"] > 0.75
    assert m["hamming_loss"]["low"] <= m["hamming_loss"]["value"] < 0.35
    assert "confusion" not in m


def test_more_images_name_more_of_them_right(cloth_run: Run):
    points = cloth_run.metrics["learning_curve"]["points"]
    assert [p["share"] for p in points] == sorted(p["share"] for p in points)
    assert points[-1]["share"] == 1.0
    assert points[-1]["accuracy"]["high"] > points[0]["accuracy"]["value"]
    assert 'id="curve"' in cloth_run.report.read_text(encoding="utf-8")


def test_the_file_alone_answers(cloth_run: Run, cloth: Path):
    """Its probabilities are each label's own, and their sum is not 1."""
    session = onnxruntime.InferenceSession(cloth_run.model)
    facts = session.get_modelmeta().custom_metadata_map
    assert facts["task"] == "multilabel"
    manifest = read_manifest(cloth_run.directory / "manifest.parquet")
    pixels = decode(cloth / manifest.samples[0].path, min_side=SIZE)
    (answer,) = session.run(["probabilities"], {"images": pixels[None]})
    assert answer.shape == (1, 2)
    rows = predictions(cloth_run)
    sums = [float(row["p(defective)"]) + float(row["p(widespread)"]) for row in rows]
    assert max(sums) > 1.1
    assert min(sums) < 0.9


def predictions(run: Run) -> list[dict[str, str]]:
    with (run.directory / "predictions.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_targets_become_thresholds_that_predict_follows(cloth_run: Run, cloth: Path):
    (point,) = cloth_run.metrics["operating_points"]
    assert point["class"] == "defective"
    assert point["chosen_on"] == "val"
    model = SealedModel(cloth_run.model)
    assert model.decisions.thresholds.tolist() == [point["threshold"], 0.5]
    assert cloth_run.metrics["per_class"]["defective"]["threshold"] == point["threshold"]
    assert cloth_run.metrics["per_class"]["defective"]["recall"]["value"] == point["value"]
    named = {row["path"]: row["predicted"] for row in predictions(cloth_run)}
    for path in list(named)[:6]:
        prediction = model.predict(cloth / path)
        assert prediction.label == named[path]
        assert prediction.named is not None
        chances = dict(zip(prediction.labels, prediction.probabilities, strict=True))
        expected = [
            label for label, t in zip(LABELS, model.decisions.thresholds, strict=True) if chances[label] >= t
        ]
        assert list(prediction.named) == expected


def test_evaluation_gives_the_figures_of_training(cloth_run: Run, cloth: Path, tmp_path: Path):
    run = eb.evaluate(cloth_run.model, cloth, out=tmp_path / "out")
    for name in ("accuracy", "hamming_loss", "macro_f1", "log_loss", "per_class", "operating_points"):
        assert run.metrics[name] == cloth_run.metrics[name]
    assert predictions(run) == [row for row in predictions(cloth_run) if row["split"] == "test"]
    assert run.metrics["task"] == "multilabel"


def test_an_image_is_right_only_with_all_of_its_labels(cloth_run: Run, cloth: Path, tmp_path: Path):
    run = eb.evaluate(cloth_run.model, cloth, out=tmp_path / "out", robustness=True)
    assert run.metrics["robustness"]["clean"]["value"] == run.metrics["accuracy"]["value"]
    assert {s["column"] for s in run.metrics["slices"]} == {"folder"}
    page = run.report.read_text()
    assert 'id="slices"' in page
    assert 'id="robustness"' in page


def test_rows_of_every_format_name_all_labels(cloth_run: Run, cloth: Path):
    model = SealedModel(cloth_run.model)
    both = next(row for row in predictions(cloth_run) if row["predicted"] == "defective; widespread")
    prediction = model.predict(cloth / both["path"], top=1)
    out = {name: io.StringIO() for name in ("table", "csv", "jsonl")}
    for name, text in out.items():
        rows = writer(name, text)
        rows.prediction(prediction)
        rows.end()
    assert out["table"].getvalue().startswith("defective ")
    assert ", widespread " in out["table"].getvalue()
    (row,) = csv.DictReader(io.StringIO(out["csv"].getvalue()))
    assert row["label"] == "defective; widespread"
    for name in ("p(defective)", "p(widespread)", "confidence"):
        assert float(row[name]) == pytest.approx(float(both[name]), abs=1e-5)
    line = json.loads(out["jsonl"].getvalue())
    assert line["labels"] == list(LABELS)
    assert {entry["label"] for entry in line["top"]} == set(LABELS)


def test_the_page_shows_labels_and_not_classes(cloth_run: Run):
    page = cloth_run.report.read_text(encoding="utf-8")
    there = "figures classes together operating reliability unknown mistakes proof"
    for anchor in there.split():
        assert f'id="{anchor}"' in page
    assert "False negatives" in page
    assert 'id="confusion"' not in page


def test_the_pages_snippet_runs(
    cloth_run: Run, cloth: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys
):
    monkeypatch.chdir(tmp_path)
    shutil.copy(cloth_run.model, tmp_path)
    shutil.copy(next((cloth / "images").resolve().rglob("*.jpg")), tmp_path / "photo.jpg")
    exec(compile(SEVERAL_SNIPPET, "snippet", "exec"), {})
    named = {line.split()[0] for line in capsys.readouterr().out.splitlines()}
    assert named <= {*LABELS, "unknown"}


def test_what_needs_one_label_is_refused(cloth_run: Run, cloth: Path, textile: Path, tmp_path: Path):
    costs = tmp_path / "costs.csv"
    costs.write_text("true,defective,widespread\ndefective,0,1\nwidespread,1,0\n")
    for options in ({"cost": costs}, {"teacher": cloth_run.model}):
        with pytest.raises(ConfigError, match="several"):
            eb.train(cloth, out=tmp_path / "out", size=SIZE, layers=LAYERS, **options)
    with pytest.raises(DataError, match="of the same kind"):
        eb.evaluate(cloth_run.model, textile, out=tmp_path / "out")


def test_runs_are_compared_by_all_labels_together(cloth_run: Run, cloth: Path, tmp_path: Path):
    other = eb.evaluate(cloth_run.model, cloth, out=tmp_path / "other", seed=1)
    found = eb.compare([cloth_run.directory, other.directory], out=tmp_path / "compare")
    content = json.loads((found.directory / "compare.json").read_text(encoding="utf-8"))
    assert found.winner is None
    accuracy = [run["accuracy"]["value"] for run in content["runs"]]
    assert accuracy == pytest.approx([cloth_run.metrics["accuracy"]["value"]] * 2)


def test_what_stands_beside_an_export_says_how_labels_are_answered(cloth_run: Run, tmp_path: Path):
    eb.export(cloth_run.directory, to=["onnx", "triton"], out=tmp_path, max_images=4)
    facts = SealedModel(cloth_run.model).metadata
    for name in ("onnx", "triton"):
        found = json.loads((tmp_path / name / "provenance.json").read_text(encoding="utf-8"))
        assert found["task"] == "multilabel"
        assert found["thresholds"] == json.loads(facts["thresholds"])
        assert found["unknown"] == json.loads(facts["unknown"])
        assert "costs" not in found
        # One in another language would name a single label.
        assert [path.name for path in (tmp_path / name).glob("example.*")] == ["example.py"]


@pytest.mark.parametrize("options", [{"to": ["onnx", "openvino", "html"]}, {"to": ["onnx"], "int8": True}])
def test_exports_are_certified_on_sets_of_labels(cloth_run: Run, tmp_path: Path, options):
    done = eb.export(cloth_run.directory, out=tmp_path / "exports", **options).done
    assert len(done) == len(options["to"])
    for exported in done:
        assert exported.certificate.passed
        assert exported.certificate.comparison.accuracy_original == pytest.approx(
            np.mean(
                [row["label"] == row["predicted"] for row in predictions(cloth_run) if row["split"] == "val"]
            )
        )


@pytest.mark.parametrize("finetune", ["last", pytest.param("full", marks=pytest.mark.slow)])
def test_the_network_itself_learns_labels(cloth: Path, cloth_run: Run, tmp_path: Path, finetune: str):
    pytest.importorskip("timm", reason="needs the extra torch")
    options = {"size": SIZE, "layers": LAYERS, "augment": "none", "finetune": finetune}
    run = eb.train(cloth, out=tmp_path / "run", epochs=2, **options)
    assert run.metrics["task"] == "multilabel"
    assert run.metrics["parity"]["largest_difference"] < 0.02
    assert run.metrics["hamming_loss"]["value"] < cloth_run.metrics["hamming_loss"]["high"]
    with pytest.raises(ConfigError, match="several"):
        eb.train(cloth, out=tmp_path / "other", loss="focal", **options)
