"""`train --unlabelled` and `--dry-run` on photographs of textile: few have labels, the others none."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from metrics_schema import violations

from eyebright.data.manifest_file import read_manifest
from eyebright.engines.base import installed
from eyebright.errors import ConfigError, DataError, EyebrightError, NotFoundError
from eyebright.runs.run import Run
from eyebright.training.cache.store import default_folder
from eyebright.verbs.train.few_labels.quote import quote
from eyebright.verbs.train.options import TrainConfig
from eyebright.verbs.train.train import train

SIZE, LAYERS, LABELS = 96, "texture", 6


@pytest.fixture(scope="module")
def few(textile: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Six labels a class and the validation part; and all other images, with some of both, in one folder."""
    root = tmp_path_factory.mktemp("few")
    pool = root / "pool" / "camera"
    pool.mkdir(parents=True)
    for folder in sorted((textile / "train").iterdir()):
        files = sorted(folder.iterdir())
        (root / "photos" / "train" / folder.name).mkdir(parents=True)
        for file in files[:LABELS]:
            shutil.copyfile(file, root / "photos" / "train" / folder.name / file.name)
        for file in files[LABELS - 1 :]:  # one of them has a label
            shutil.copyfile(file, pool / f"{folder.name}-{file.name}")
        shutil.copytree(textile / "val" / folder.name, root / "photos" / "val" / folder.name)
        for file in sorted((textile / "val" / folder.name).iterdir())[:2]:
            shutil.copyfile(file, pool / f"held-out-{folder.name}-{file.name}")
    (pool / "broken.jpg").write_bytes((pool / "broken.jpg").name.encode())
    return root / "photos", root / "pool"


def config(few: tuple[Path, Path], out: Path, **options: object) -> TrainConfig:
    photos, pool = few
    given = {"data": photos, "unlabelled": pool, "size": SIZE, "layers": LAYERS, "out": out, **options}
    return TrainConfig.model_validate(given)


@pytest.fixture(scope="module")
def run(few: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(config(few, tmp_path_factory.mktemp("unlabelled") / "run"))


def test_metrics_tell_what_they_brought(run: Run) -> None:
    metrics = json.loads((run.directory / "metrics.json").read_text())
    found = metrics["unlabelled"]
    assert found["images"] == 3 * (24 - LABELS + 1 + 2)
    assert found["labelled"] == 3
    assert found["evaluated"] == 6
    assert found["used"] + found["unlike"] == 3 * (24 - LABELS)
    assert set(found["gain"]) == {"value", "low", "high"}
    assert found["kept"] in (True, False)
    assert found["compared"] == 3 * LABELS
    assert violations(run) == []
    assert not any("broken" in s.path for s in read_manifest(run.directory / "manifest.parquet").samples)


def test_the_report_tells_it(run: Run) -> None:
    page = run.report.read_text(encoding="utf-8")
    assert 'id="unlabelled"' in page
    assert "With unlabelled images" in page


def test_what_is_not_kept_changes_nothing(
    few: tuple[Path, Path], run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The head is that of the labels alone, unless held-out images speak for the other one."""
    from eyebright.few_labels.unlabelled import HeldOutGain

    monkeypatch.setattr(HeldOutGain, "better", property(lambda self: False))
    refused = train(config(few, tmp_path / "refused"))
    alone = train(config(few, tmp_path / "alone", unlabelled=None))
    assert refused.metrics["log_loss"] == alone.metrics["log_loss"]
    assert "unlabelled" not in json.loads((alone.directory / "metrics.json").read_text())
    monkeypatch.setattr(HeldOutGain, "better", property(lambda self: True))
    kept = train(config(few, tmp_path / "kept"))
    assert kept.metrics["log_loss"] != alone.metrics["log_loss"]


def test_evaluated_images_are_learned_from_if_asked(few: tuple[Path, Path], tmp_path: Path) -> None:
    found = json.loads(
        (train(config(few, tmp_path / "run", transductive=True)).directory / "metrics.json").read_text()
    )["unlabelled"]
    assert found["transductive"]
    assert found["used"] + found["unlike"] == 3 * (24 - LABELS) + 6


def test_rows_of_a_table_without_labels(few: tuple[Path, Path], tmp_path: Path) -> None:
    """One table lists all images, and few rows have a label."""
    photos, pool = few
    rows = [f"{file},{file.parent.name},{file.parent.parent.name}" for file in sorted(photos.rglob("*.jpg"))]
    rows += [f"{file},,train" for file in sorted(pool.rglob("*.jpg")) if "broken" not in file.name]
    table = tmp_path / "images.csv"
    table.write_text("path,label,split\n" + "\n".join(rows) + "\n")
    done = train(config((table, table), tmp_path / "run"))
    found = json.loads((done.directory / "metrics.json").read_text())["unlabelled"]
    assert found["used"] + found["unlike"] == 3 * (24 - LABELS)


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"unlabelled": Path("nowhere")}, NotFoundError, "nowhere does not exist"),
        ({"finetune": "last"}, ConfigError, "--finetune last"),
        ({"views": 2}, ConfigError, "--views 2"),
        ({"unlabelled": None, "transductive": True}, ConfigError, "--transductive is about"),
    ],
)
def test_bad_input_is_one_sentence(
    few: tuple[Path, Path],
    tmp_path: Path,
    options: dict[str, object],
    error: type[EyebrightError],
    said: str,
) -> None:
    with pytest.raises(error) as caught:
        train(config(few, tmp_path / "run", **options))
    assert said in str(caught.value)
    assert not (tmp_path / "run" / "metrics.json").exists()


def test_too_few_images_are_refused(few: tuple[Path, Path], tmp_path: Path) -> None:
    folder = tmp_path / "some"
    folder.mkdir()
    for file in sorted(few[1].rglob("nominal*.jpg"))[:5] or sorted(few[1].rglob("*.jpg"))[1:6]:
        shutil.copyfile(file, folder / file.name)
    with pytest.raises(DataError, match="at least 20 unlabelled images"):
        train(config(few, tmp_path / "run", unlabelled=folder))


def test_a_quote_trains_nothing(few: tuple[Path, Path], tmp_path: Path) -> None:
    found = quote(config(few, tmp_path / "run", dry_run=True))
    assert found.images == 3 * LABELS
    assert found.unlabelled == 3 * (24 - LABELS)
    assert found.rungs[0].name == "Labels alone"
    assert any("--unlabelled" in rung.name for rung in found.rungs)
    assert "epochs of" in found.rungs[-1].cost or not installed("timm")
    assert "Nothing was trained" in str(found)
    assert not (tmp_path / "run").exists()


def test_a_quote_tries_the_cluster_and_keeps_nothing_of_it(few: tuple[Path, Path], tmp_path: Path) -> None:
    before = set(default_folder().rglob("*"))
    found = quote(config(few, tmp_path / "run", dry_run=True, unlabelled=None, cluster="local:1"))
    assert "1 worker: " in found.rungs[1].cost
    assert "worker hours" in found.rungs[1].cost
    assert not [path for path in set(default_folder().rglob("*")) - before if "trial" in str(path)]
