"""A run remembers the columns that it learned from; every verb that reads a table for it takes them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import eyebright as eb
from eyebright.errors import DataError
from eyebright.runs.images import columns_for, manifest_of
from eyebright.runs.run import Run
from eyebright.sealed.model import SealedModel
from eyebright.verbs.distill.options import DistillConfig
from eyebright.verbs.export.images import export_images
from eyebright.verbs.export.options import ExportConfig

HEADER = "picture,verdict,label,w,seen"


@pytest.fixture(scope="module")
def tables(textile: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A table of photographs that no name explains, and one of a few further photographs."""
    folder = tmp_path_factory.mktemp("tables")
    found = []
    for number, step in enumerate((slice(0, 10), slice(10, 12))):
        rows = [HEADER]
        for kind in sorted(p for p in (textile / "train").iterdir()):
            for i, file in enumerate(sorted(kind.glob("*.jpg"))[step]):
                rows.append(f"{file},{kind.name},shift {i % 2},{1 + i % 3},{1 + i}/3/2024")
        found.append(folder / f"table{number}.csv")
        found[-1].write_text("\n".join(rows))
    return found[0], found[1]


@pytest.fixture(scope="module")
def run(tables: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Run:
    return eb.train(
        tables[0],
        path="picture",
        label="verdict",
        weight="w",
        time="seen:dmy",
        split_by="time",
        size=96,
        layers="texture",
        out=tmp_path_factory.mktemp("runs") / "weighted",
    )


def test_metrics_and_report_say_how_images_weigh(run: Run) -> None:
    metrics = json.loads((run.directory / "metrics.json").read_text())
    weights = metrics["training_weights"]
    assert (weights["column"], weights["lowest"], weights["highest"]) == ("w", 1, 3)
    assert 1 < weights["equal_images"] < metrics["images"]["train"]
    assert metrics["splitting"]["periods"]["train"]["first"] == "2024-03-01T00:00:00"
    assert "1 to 3, as much as" in run.report.read_text(encoding="utf-8")


def test_the_table_is_read_for_the_run_as_it_was_read_by_it(run: Run, tables: tuple[Path, Path]) -> None:
    model = SealedModel(run.model)
    columns = columns_for(ExportConfig(model=run.model, to=["onnx"]), model)
    images = export_images(model, tables[0], 100, 0, columns)
    labels = {s.label for s in images.compared}
    assert labels <= set(model.labels)
    assert {s.weight for s in images.training} == {1, 2, 3}
    named = columns_for(DistillConfig(model=run.model, label=["label"]), model)
    assert manifest_of(model, tables[0], 0, columns=named).labels == ("shift 0", "shift 1")


def test_evaluate_takes_the_columns_of_the_run(run: Run, tables: tuple[Path, Path], tmp_path: Path) -> None:
    found = eb.evaluate(run.model, tables[1], out=tmp_path / "out")
    assert set(found.metrics["labels"]) == set(SealedModel(run.model).labels)
    with pytest.raises(DataError, match="must know every class"):
        eb.evaluate(run.model, tables[1], label="label", out=tmp_path / "other")


def test_update_takes_the_columns_of_the_run(run: Run, tables: tuple[Path, Path], tmp_path: Path) -> None:
    updated = eb.update(run.directory, tables[1], out=tmp_path / "updated")
    metrics = json.loads((updated.directory / "metrics.json").read_text())
    assert metrics["training_weights"]["highest"] == 3
    assert set(metrics["labels"]) == set(SealedModel(run.model).labels)
