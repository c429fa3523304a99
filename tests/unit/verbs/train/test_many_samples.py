"""A training on samples in columns, as of millions of images, writes the bytes of one on a tuple."""

from __future__ import annotations

from pathlib import Path

import pytest

from eyebright.data.manifest_file import read_manifest
from eyebright.runtime.compact import rows
from eyebright.runtime.compact.rows import CompactRows
from eyebright.training.linear_probe import probe
from eyebright.verbs.train.options import TrainConfig
from eyebright.verbs.train.train import train

FILES = ("manifest.parquet", "model.onnx", "predictions.csv")


def table(textile: Path, folder: Path) -> Path:
    """A table with groups, whose splits are drawn, and one image that is listed twice."""
    paths = sorted(textile.rglob("*.jpg"))
    lines = [f"{path},{path.parent.name},part {place // 2}" for place, path in enumerate(paths)]
    file = folder / "labels.csv"
    file.write_text("\n".join(["path,label,patient_id", *reversed(lines), lines[0]]), encoding="utf-8")
    return file


@pytest.mark.parametrize("whole", [True, False])
def test_columns_change_no_byte(
    textile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: bool
) -> None:
    if not whole:  # the head of very many images
        monkeypatch.setattr(probe, "IN_MEMORY_BYTES", 1)
    data = table(textile, tmp_path)
    written = []
    for few in (rows.FEW, 0):
        monkeypatch.setattr(rows, "FEW", few)
        out = tmp_path / f"run{few}"
        train(TrainConfig(data=data, out=out, size=96, layers="texture", group="patient_id", curve=False))
        written.append({name: (out / name).read_bytes() for name in FILES})
    assert written[0] == written[1]
    assert isinstance(read_manifest(out / "manifest.parquet").samples, CompactRows)
