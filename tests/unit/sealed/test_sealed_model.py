"""The sealed file: what it carries, how it is asked, and what is said of files that are none."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from languages import chinese
from PIL import Image

from eyebright.backbones import embedded
from eyebright.data.manifest import Manifest
from eyebright.errors import EyebrightError, ImageError, ModelError, NotFoundError
from eyebright.runs.run import Run
from eyebright.sealed.model import SealedModel, write_sealed


@pytest.fixture(scope="module")
def model(textile_run: Run) -> SealedModel:
    return SealedModel(textile_run.model)


@pytest.fixture(scope="module")
def photograph(textile: Path) -> Path:
    return min((textile / "val").rglob("*.jpg"))


def test_it_carries_where_it_comes_from(
    model: SealedModel, textile_run: Run, textile_manifest: Manifest
) -> None:
    assert json.loads(model.metadata["labels"]) == ["global", "local", "nominal"]
    assert model.labels == textile_manifest.labels
    assert model.metadata["licence"] == "Apache-2.0"
    assert model.metadata["data_sha"] == textile_manifest.digest
    assert json.loads(model.metadata["versions"]).keys() >= {"eyebright", "python", "onnxruntime", "numpy"}
    assert model.card.backbone == "efficientnet_lite0"
    assert model.card.content["backbone_sha"] == embedded.card().sha
    assert model.card.content["temperature"] > 0
    assert model.size == model.card.preprocessing.size == 96
    metrics = json.loads(model.metadata["metrics"])
    assert metrics["split"] == "val"
    for name in ("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "ece"):
        assert metrics[name] == textile_run.metrics[name]


def test_a_path_bytes_a_picture_and_an_array_get_one_answer(model: SealedModel, photograph: Path) -> None:
    with Image.open(photograph) as image:
        picture = image.convert("RGB")
    named = model.predict(photograph)
    for given in (str(photograph), photograph.read_bytes(), picture, np.asarray(picture)):
        answer = model.predict(given)
        assert answer.labels == named.labels
        np.testing.assert_allclose(answer.probabilities, named.probabilities, atol=1e-6)
    assert named.path == str(photograph)
    assert model.predict(photograph.read_bytes()).path is None
    assert model.predict(picture).path is None


def test_the_likeliest_class_comes_first(model: SealedModel, photograph: Path) -> None:
    whole = model.predict(photograph)
    assert sorted(whole.labels) == list(model.labels)
    assert list(whole.probabilities) == sorted(whole.probabilities, reverse=True)
    assert sum(whole.probabilities) == pytest.approx(1, abs=1e-5)
    assert (whole.label, whole.confidence) == (whole.labels[0], whole.probabilities[0])
    assert model.predict(photograph, top=2).labels == whole.labels[:2]


def test_grey_and_transparent_pictures_are_taken(model: SealedModel, photograph: Path) -> None:
    with Image.open(photograph) as image:
        grey, clear = image.convert("L"), image.convert("RGBA")
    as_rgb = model.predict(grey.convert("RGB"))
    np.testing.assert_allclose(model.predict(grey).probabilities, as_rgb.probabilities, atol=1e-6)
    np.testing.assert_allclose(
        model.predict(clear).probabilities, model.predict(photograph).probabilities, atol=1e-6
    )
    stored = io.BytesIO()
    clear.save(stored, "PNG")
    assert model.predict(stored.getvalue()).labels == model.predict(photograph).labels


@pytest.mark.parametrize("given", [b"no image", np.zeros((8, 8, 3), np.float32)])
def test_what_is_no_image_is_refused(model: SealedModel, given) -> None:
    with pytest.raises(ImageError):
        model.predict(given)


def test_a_missing_image_is_told(model: SealedModel, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"none\.jpg"):
        model.predict(tmp_path / "none.jpg")


def test_the_runs_folder_opens_its_model(textile_run: Run, photograph: Path, model: SealedModel) -> None:
    assert (
        SealedModel(textile_run.directory, threads=1).predict(photograph).label
        == model.predict(photograph).label
    )


def test_labels_may_hold_any_text(textile_run: Run, tmp_path: Path, photograph: Path) -> None:
    labels = ['a "quoted" name', "中文\n换行", "ünïcode 🙂"]
    graph = onnx.load(textile_run.model)
    card = next(p.value for p in graph.metadata_props if p.key == "card")
    write_sealed(tmp_path / "m.onnx", graph, labels, {"card": card, "number": 1.5, "list": ["é"]})
    opened = SealedModel(tmp_path / "m.onnx")
    assert opened.labels == tuple(labels)
    assert opened.metadata["list"] == '["é"]'
    assert opened.metadata["number"] == "1.5"
    assert opened.predict(photograph).label in labels
    assert "licence" not in opened.metadata  # nothing of an earlier sealing is left


def text_file(path: Path, sealed: Path) -> None:
    path.write_text("not a model")


def empty_file(path: Path, sealed: Path) -> None:
    path.touch()


def truncated_model(path: Path, sealed: Path) -> None:
    path.write_bytes(sealed.read_bytes()[:-1000])


def other_model(path: Path, sealed: Path) -> None:
    path.write_bytes(embedded.file_bytes())


def changed_metadata(path: Path, sealed: Path, **changes: str | None) -> None:
    """The sealed model with other metadata; None removes an entry."""
    model = onnx.load(sealed)
    facts = {p.key: p.value for p in model.metadata_props} | changes
    del model.metadata_props[:]
    for name, value in facts.items():
        if value is not None:
            model.metadata_props.add(key=name, value=value)
    onnx.save(model, path)


def without_labels(path: Path, sealed: Path) -> None:
    changed_metadata(path, sealed, labels=None)


def without_card(path: Path, sealed: Path) -> None:
    changed_metadata(path, sealed, card=None)


def labels_of_another_kind(path: Path, sealed: Path) -> None:
    changed_metadata(path, sealed, labels="cat, dog")


def fewer_labels(path: Path, sealed: Path) -> None:
    changed_metadata(path, sealed, labels='["cat", "dog"]')


def another_card(path: Path, sealed: Path) -> None:
    changed_metadata(path, sealed, card='{"made by": "somebody else"}')


@pytest.mark.parametrize(
    "write",
    [
        text_file,
        empty_file,
        truncated_model,
        other_model,
        without_labels,
        without_card,
        labels_of_another_kind,
        fewer_labels,
        another_card,
    ],
)
def test_a_file_that_is_not_ours_is_refused_in_a_sentence(write, textile_run: Run, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    write(path, textile_run.model)
    with pytest.raises(ModelError) as caught:
        SealedModel(path)
    told = str(caught.value)
    assert told.startswith("A sealed model must be an ONNX file written by Eyebright.")
    assert str(path) in told
    assert told.endswith("Use a run directory or its model.onnx.")
    assert "Traceback" not in told
    assert chinese(caught.value) != told


def test_a_model_that_is_not_there_is_told(tmp_path: Path) -> None:
    for given in (tmp_path / "none.onnx", tmp_path):
        with pytest.raises(NotFoundError) as caught:
            SealedModel(given)
        assert isinstance(caught.value, EyebrightError)
        assert str(tmp_path) in str(caught.value)
