"""What the report shows of a model's inside, from a real model's answers."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

import eyebright as eb
from eyebright.data.manifest import Manifest
from eyebright.evaluation.multiclass.results import PredictionRow
from eyebright.runs.heatmaps import _chosen, embedding_map, heat_of_mistakes
from eyebright.runs.run import Run
from eyebright.runs.scoring import Predictions, predict_samples
from eyebright.sealed.model import SealedModel


@pytest.fixture(scope="module")
def model(textile_run: Run) -> SealedModel:
    return SealedModel(textile_run.model, threads=1)


@pytest.fixture(scope="module")
def answered(model: SealedModel, textile_manifest: Manifest) -> Predictions:
    return predict_samples(model, textile_manifest.root, textile_manifest.of("train"))


def test_a_page_of_an_evaluation_has_the_map(textile_run: Run, textile: Path, tmp_path: Path):
    run = eb.evaluate(textile_run.model, textile, split="train", out=tmp_path)
    html = run.report.read_text(encoding="utf-8")
    assert html.count("<circle class=") >= 72
    assert 'id="map-data"' in html


def test_images_of_a_class_lie_together(
    model: SealedModel, textile_manifest: Manifest, answered: Predictions
):
    found = embedding_map(model, textile_manifest.root, answered.samples, answered.rows(), seed=0)
    assert found is not None
    assert found.count == len(found.rows) == len(found.points) == 72
    labels = [row.label for row in found.rows]
    distances = ((found.points[:, None] - found.points) ** 2).sum(axis=2)
    near = distances.argsort(axis=1)[:, 1]
    assert sum(labels[i] == label for i, label in zip(near, labels, strict=True)) > 0.6 * 72


def test_few_images_have_no_map(model: SealedModel, textile_manifest: Manifest, answered: Predictions):
    samples, rows = answered.samples[:39], answered.rows()[:39]
    assert embedding_map(model, textile_manifest.root, samples, rows, seed=0) is None


def test_the_surest_mistakes_have_their_heat(
    model: SealedModel, textile_manifest: Manifest, answered: Predictions
):
    first, *others = model.labels
    rows = [replace(row, predicted=first) for row in answered.rows() if row.label in others]
    missing = replace(rows[0], path="gone.jpg", confidence=1.0)
    heat = heat_of_mistakes(model, textile_manifest.root, [missing, *rows])
    surest = sorted(rows, key=lambda row: (-row.confidence, row.path))
    assert list(heat) == [row.path for row in surest[:11]]
    assert all(re.match("data:image/jpeg;base64,", picture) for picture in heat.values())
    assert (
        heat_of_mistakes(model, textile_manifest.root, [r for r in answered.rows() if r.label == r.predicted])
        == {}
    )


def test_of_many_images_all_mistakes_are_chosen():
    rows = [
        PredictionRow(f"{i}.jpg", "val", "a", "b" if i % 100 == 7 else "a", 0.5 + i / 10_000)
        for i in range(4000)
    ]
    chosen = _chosen(rows, seed=0)
    assert len(chosen) == 1200
    assert chosen == sorted(set(chosen))
    assert {i for i in range(4000) if i % 100 == 7} <= set(chosen)
    assert chosen == _chosen(rows, seed=0) != _chosen(rows, seed=1)
    assert len(_chosen([replace(row, predicted="b") for row in rows], seed=0)) == 1200
