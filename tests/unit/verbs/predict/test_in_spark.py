"""Spark's rows with the answers of a sealed model; with Spark itself where it is installed."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import eyebright as eb
from eyebright.data.manifest import Manifest
from eyebright.errors import DataError
from eyebright.runs.run import Run
from eyebright.verbs.predict.in_spark import SparkPredictor


@pytest.fixture
def paths(textile_manifest: Manifest, tmp_path: Path) -> list[str]:
    (tmp_path / "none.jpg").write_bytes(b"no image")
    found = [str(textile_manifest.root / sample.path) for sample in textile_manifest.samples[::20]]
    return [*found, str(tmp_path / "none.jpg")]


def answers(run: Run, paths: list[str]) -> list[tuple[str, float]]:
    model = eb.load(run.directory)
    found = [model.predict(path) for path in paths[:-1]]
    return [(prediction.label, prediction.confidence) for prediction in found]


def test_batches_get_the_answers_of_the_model(textile_run: Run, paths: list[str]):
    predictor = eb.spark_predictor(textile_run.directory)
    batches = [pa.record_batch({"path": paths[:2]}), pa.record_batch({"path": paths[2:]})]
    rows = [row for batch in predictor(iter(batches)) for row in batch.to_pylist()]
    assert [(row["label"], row["confidence"]) for row in rows[:-1]] == answers(textile_run, paths)
    assert [row["path"] for row in rows] == paths
    assert rows[-1]["label"] == ""
    assert rows[-1]["reason"].startswith("Not a JPEG")
    assert rows[0]["reason"] is None


def test_contents_and_features(textile_run: Run, paths: list[str]):
    predictor = eb.spark_predictor(textile_run.directory, features=True)
    contents = [Path(path).read_bytes() for path in paths]
    batch = pa.record_batch({"path": [f"file:{path}" for path in paths], "content": contents})
    rows = next(predictor(iter([batch]))).to_pylist()
    assert [(row["label"], row["confidence"]) for row in rows[:-1]] == answers(textile_run, paths)
    widths = {len(row["features"]) for row in rows[:-1]}
    assert len(widths) == 1
    assert np.isfinite(rows[0]["features"]).all()
    assert "features ARRAY<FLOAT>" in predictor.schema


def test_rows_without_paths_are_refused(textile_run: Run):
    predictor = eb.spark_predictor(textile_run.directory)
    with pytest.raises(DataError, match="column named path"):
        next(predictor(iter([pa.record_batch({"file": ["a.jpg"]})])))


@pytest.mark.slow
def test_spark_itself(textile_run: Run, paths: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    sql = pytest.importorskip("pyspark.sql", reason="needs pyspark and a Java runtime")
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    spark = (
        sql.SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.warehouse.dir", str(tmp_path / "warehouse"))
        .getOrCreate()
    )
    try:
        predictor: SparkPredictor = eb.spark_predictor(textile_run.directory)
        frame = spark.createDataFrame([(path,) for path in paths], "path string").repartition(2)
        rows = {row["path"]: row for row in frame.mapInArrow(predictor, predictor.schema).collect()}
        found = [(rows[path]["label"], rows[path]["confidence"]) for path in paths[:-1]]
        assert found == answers(textile_run, paths)
        assert rows[paths[-1]]["reason"] is not None
        files = spark.read.format("binaryFile").load(paths[:2])
        assert files.mapInArrow(predictor, predictor.schema).count() == 2
    finally:
        spark.stop()
