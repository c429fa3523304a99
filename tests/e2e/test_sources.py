"""Whatever the images lie in: the commands work, and nothing that is cached is computed again."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from command_line import eyebright, refused

from eyebright.data.manifest import Sample
from eyebright.data.source import scan_as_given
from eyebright.data.writing.write import write_data
from eyebright.engines.base import Engine
from eyebright.runs.run import Run
from eyebright.training.linear_probe.features import FeatureExtractor
from eyebright.verbs.audit.audit import audit
from eyebright.verbs.audit.options import AuditConfig
from eyebright.verbs.train.options import TrainConfig
from eyebright.verbs.train.train import train

SIZE, LAYERS = 96, "texture"


@pytest.fixture(scope="module")
def archive(textile: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The textile photographs in a ZIP archive."""
    path = tmp_path_factory.mktemp("archive") / "textile.zip"
    with zipfile.ZipFile(path, "w") as file:
        for image in sorted(textile.rglob("*.jpg")):
            file.write(image, image.relative_to(textile))
    return path


@pytest.mark.parametrize("kind", ["zip", "parquet", "coco"])
def test_a_training_finds_the_features_of_the_same_images(
    kind: str,
    archive: Path,
    textile: Path,
    textile_run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = archive
    if kind != "zip":
        data = tmp_path / kind
        manifest, given = scan_as_given(textile)
        write_data(manifest, kind, data, name="textile", splits=given)
    computed: list[str] = []
    compute = FeatureExtractor._features

    def counted(self: FeatureExtractor, engine: Engine, root: Path, sample: Sample) -> Any:
        computed.append(sample.path)
        return compute(self, engine, root, sample)

    monkeypatch.setattr(FeatureExtractor, "_features", counted)
    run = train(TrainConfig(data=data, out=tmp_path / "run", size=SIZE, layers=LAYERS))
    assert computed == []
    assert run.metrics["accuracy"] == textile_run.metrics["accuracy"]
    assert run.model.read_bytes() == textile_run.model.read_bytes()


@pytest.mark.slow
def test_an_audit_looks_into_an_archive(archive: Path, tmp_path: Path) -> None:
    found = audit(AuditConfig(data=archive, out=tmp_path / "audit", size=SIZE))
    assert found.images == 102
    assert "data:image" in found.report.read_text(encoding="utf-8")


def test_an_evaluation_looks_into_an_archive(archive: Path, textile_run: Run, tmp_path: Path) -> None:
    done = eyebright("evaluate", textile_run.directory, archive, "--out", tmp_path / "e", "--format", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["accuracy"] == textile_run.metrics["accuracy"]


def test_data_convert_applies_fixes_and_says_what_it_wrote(
    archive: Path, textile: Path, tmp_path: Path
) -> None:
    (tmp_path / "fixes.csv").write_text("image,action\ntrain/nominal/none.jpg,drop\n")
    words = ("data", "convert", archive, "--to", "hf", "--out", tmp_path / "new")
    done = eyebright(*words, "--fixes", tmp_path / "fixes.csv")
    assert done.returncode == 0, done.stderr
    assert "not in the data" in done.stderr
    assert [line.split() for line in done.stdout.strip().splitlines()[:3]] == [
        ["Split", "Images"],
        ["train", "72"],
        ["val", "30"],
    ]
    assert (tmp_path / "new" / "README.md").read_text(encoding="utf-8").startswith("---\n")
    assert "must not exist" in refused(eyebright(*words), 2)
    groups = tmp_path / "groups.csv"
    rows = [f"{path},{path.parent.name},{i // 2}" for i, path in enumerate(sorted(textile.rglob("*.jpg")))]
    groups.write_text("\n".join(["path,label,group", *rows]))
    assert "also has: group" in refused(
        eyebright("data", "convert", groups, "--to", "folder", "--out", tmp_path / "folders")
    )
    assert not (tmp_path / "folders").exists()
    assert "must be convert" in refused(eyebright("data", archive, "--to", "hf"), 2)


def test_a_column_is_named_on_the_command_line(textile: Path, tmp_path: Path) -> None:
    lines = [f"{p},{p.parent.name},{i % 2}" for i, p in enumerate(sorted(textile.rglob("*.jpg")))]
    table = tmp_path / "t.csv"
    table.write_text("\n".join(["path,kind,sex", *lines]))
    done = eyebright("audit", table, "--out", tmp_path / "a")
    assert "--label" in refused(done)
    done = eyebright("data", "convert", table, "--label", "kind", "--out", tmp_path / "new")
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stderr.splitlines()]
    assert ["kind", "the", "label"] in rows
    assert ["sex", "not", "used"] in rows
