"""What a training and an evaluation find of what the model does not know."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

import eyebright as eb
from eyebright.data.folder import scan_ood
from eyebright.errors import DataError, ModelError, NotFoundError
from eyebright.evaluation.uncertainty.ood import separation, softmax_separation
from eyebright.runs.run import Run
from eyebright.sealed.model import SealedModel


@pytest.fixture(scope="module")
def foreign(photographs: dict[str, Image.Image], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Crops of photographs, some in folders and some not, and a file that is no image."""
    root = tmp_path_factory.mktemp("foreign")
    for name, picture in photographs.items():
        folder = root / name if name < "c" else root
        folder.mkdir(exist_ok=True)
        for left in (0, 60, 120):
            picture.crop((left, 0, left + 200, 200)).save(folder / f"{name}{left}.jpg")
    (root / "broken.jpg").write_bytes(b"no image")
    return root


@pytest.fixture(scope="module")
def evaluated(textile_run: Run, textile: Path, foreign: Path, tmp_path_factory) -> Run:
    out = tmp_path_factory.mktemp("evaluated")
    return eb.evaluate(textile_run.model, textile, out=out, ood=foreign)


def test_training_says_how_many_own_images_are_rejected(textile_run: Run) -> None:
    unknown = textile_run.metrics["unknown"]
    assert (unknown["chosen_on"], unknown["images"], unknown["split"]) == ("train", 72, "val")
    rejected = unknown["rejected"]
    assert rejected["low"] <= unknown["false_rejection"] <= rejected["high"]
    carried = json.loads(SealedModel(textile_run.model).metadata["unknown"])
    assert carried == {key: unknown[key] for key in carried}


def test_training_says_what_its_sets_hold(textile_run: Run) -> None:
    sets = textile_run.metrics["conformal"]
    assert (sets["coverage"], sets["calibrated_on"], sets["images"]) == (0.9, "train", 72)
    assert sets["measured"]["high"] >= 0.9
    assert 1 <= sets["mean_set_size"] <= 3
    assert set(sets["classes"]) == set(textile_run.metrics["labels"])
    images = sum(c["images"] for c in sets["classes"].values())
    kept = sum(c["images"] * c["measured"]["value"] for c in sets["classes"].values())
    assert kept / images == pytest.approx(sets["measured"]["value"])
    model = SealedModel(textile_run.model)
    assert json.loads(model.metadata["conformal"])["threshold"] == sets["threshold"]


def test_an_evaluation_judges_foreign_images(evaluated: Run, textile_run: Run) -> None:
    unknown = evaluated.metrics["unknown"]
    assert unknown["ood"]["images"] == 12
    assert unknown["auroc"]["value"] > 0.99
    assert unknown["accepted"]["value"] == 0
    assert unknown["accepted"]["high"] > 0.1  # twelve images prove little
    assert unknown["auroc"]["value"] >= unknown["max_softmax"]["auroc"]["value"]
    assert unknown["threshold"] == textile_run.metrics["unknown"]["threshold"]


def test_an_evaluation_measures_the_promise_that_is_carried(evaluated: Run, textile_run: Run) -> None:
    assert evaluated.metrics["conformal"] == textile_run.metrics["conformal"]


def test_the_report_shows_both(evaluated: Run, textile_run: Run) -> None:
    page = evaluated.report.read_text(encoding="utf-8")
    assert '<section id="unknown"' in page
    assert "Maximum softmax probability" in page
    assert "No OOD image was accepted." in page
    assert page.count("<td>") > page.count("<td>–")
    assert "--ood FOLDER" in textile_run.report.read_text(encoding="utf-8")


def test_an_earlier_model_is_evaluated_but_cannot_judge_foreign_images(
    textile_run: Run, textile: Path, foreign: Path, tmp_path: Path
) -> None:
    graph = onnx.load(textile_run.model)
    del graph.graph.output[1:]
    kept = [entry for entry in graph.metadata_props if entry.key not in ("unknown", "conformal")]
    del graph.metadata_props[:]
    graph.metadata_props.extend(kept)
    path = tmp_path / "old.onnx"
    onnx.save(graph, path)
    run = eb.evaluate(path, textile, out=tmp_path / "out")
    assert not {"unknown", "conformal"} & set(run.metrics)
    with pytest.raises(ModelError, match="unknown_score"):
        eb.evaluate(path, textile, out=tmp_path / "other", ood=foreign)


def test_foreign_images_need_no_classes(foreign: Path, tmp_path: Path) -> None:
    manifest = scan_ood(foreign)
    assert len(manifest.samples) == 12
    assert [s.path for s in manifest.skipped] == ["broken.jpg"]
    with pytest.raises(DataError, match="must contain images"):
        scan_ood(tmp_path)
    with pytest.raises(NotFoundError):
        scan_ood(tmp_path / "nowhere")


def test_separation_is_the_area_under_the_curve() -> None:
    own, foreign = np.array([0, 1, 2, 3], np.float32), np.array([2.5, 4, 5], np.float32)
    found = separation(own, foreign, 2.0)
    assert found.auroc.value == pytest.approx(11 / 12)
    assert (found.accepted.value, found.rejected.value) == (0, 0.25)
    assert found.accepted.high > 0.5


def test_the_baseline_rejects_as_many_own_images() -> None:
    own = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4]], np.float32)
    foreign = np.array([[0.65, 0.35], [0.95, 0.05]], np.float32)
    found = softmax_separation(own, foreign, 0.25)
    assert found.rejected.value == 0.25
    assert found.accepted.value == 0.5
