"""The runs below a folder as a table: filtered, sorted, while others write."""

from __future__ import annotations

import csv
import json
import os
import shutil
from pathlib import Path

import pytest

from eyebright.cli.main import main
from eyebright.errors import ConfigError, NotFoundError
from eyebright.runs.run import Run
from eyebright.verbs.runs.conditions import parse_condition
from eyebright.verbs.runs.options import RunsConfig
from eyebright.verbs.runs.runs import RunList, runs


@pytest.fixture
def folder(textile_run: Run, decided_run: Run, tmp_path: Path) -> Path:
    """Two runs, one still being written, one broken, one in a hidden folder."""
    for place, run, accuracy, moment in (
        ("first", textile_run, 0.5, 1_700_000_000),
        ("team/second", decided_run, 0.95, 1_600_000_000),
        (".trash/third", textile_run, 0.7, 1_500_000_000),
    ):
        (tmp_path / place).mkdir(parents=True)
        shutil.copyfile(run.model, tmp_path / place / "model.onnx")
        metrics = json.loads((run.directory / "metrics.json").read_text("utf-8"))
        metrics["accuracy"]["value"] = accuracy
        (tmp_path / place / "metrics.json").write_text(json.dumps(metrics), "utf-8")
        os.utime(tmp_path / place / "metrics.json", (moment, moment))
    (tmp_path / "writing").mkdir()
    (tmp_path / "writing" / ".metrics.json.1234.tmp").write_text("{")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "metrics.json").write_text("{}")
    return tmp_path


def _names(folder: Path, **options: object) -> list[str]:
    return [run.name for run in runs(RunsConfig.build(folder=folder, **options)).runs]


def test_finished_runs_are_listed_the_latest_first(folder: Path, textile_run: Run) -> None:
    found = runs(RunsConfig(folder=folder))
    assert [run.name for run in found.runs] == ["first", "team/second"]
    first = found.runs[0]
    assert first.data == textile_run.metrics["data_sha"]
    assert (first.task, first.backbone, first.images, first.classes) == (
        "single-label",
        "efficientnet_lite0",
        30,
        3,
    )
    assert first.accuracy is not None
    assert first.accuracy.value == 0.5
    assert first.size == textile_run.model.stat().st_size
    assert [Path(skipped.path).parent.name for skipped in found.skipped] == ["broken"]
    assert "broken" in str(found)


@pytest.mark.parametrize(
    ("condition", "names"),
    [
        ("accuracy > 0.9", ["team/second"]),
        ("accuracy<=50%", ["first"]),
        ("accuracy != 0.5", ["team/second"]),
        ("backbone ~ LITE", ["first", "team/second"]),
        ("task = multi-label", []),
        ("date < 2023", ["team/second"]),
        ("name = 'first'", ["first"]),
        ("per_class.nominal.support >= 1", ["first", "team/second"]),
        ("log_loss > 1e9", []),
    ],
)
def test_conditions_choose(folder: Path, condition: str, names: list[str]) -> None:
    assert _names(folder, where=condition) == names


def test_several_conditions_must_all_hold(folder: Path) -> None:
    assert _names(folder, where=["accuracy > 0.4", "name ~ second"]) == ["team/second"]
    assert runs(RunsConfig(folder=folder, where=["accuracy > 2"])).others == 2


def test_order(folder: Path) -> None:
    assert _names(folder, sort="accuracy") == ["team/second", "first"]
    assert _names(folder, sort="accuracy", reverse=True) == ["first", "team/second"]
    assert _names(folder, sort="name") == ["first", "team/second"]


@pytest.mark.parametrize("text", ["accuracy", "> 0.9", "accuracy >", "accuracy >> 1", "", "a b > 1"])
def test_what_is_no_condition_is_told(text: str) -> None:
    with pytest.raises(ConfigError, match="A condition must be"):
        parse_condition(text)


def test_code_is_text(folder: Path) -> None:
    with pytest.raises(ConfigError, match="column or a metric"):
        _names(folder, where="__import__('os').system('true') = 0")


def test_an_unknown_name_is_told_with_those_like_it(folder: Path) -> None:
    with pytest.raises(ConfigError, match="accuracy"):
        _names(folder, where="accurcy > 0.5")
    with pytest.raises(ConfigError, match="log_loss"):
        _names(folder, sort="logloss")


def test_a_folder_must_exist_and_may_be_empty(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="must exist"):
        runs(RunsConfig(folder=tmp_path / "none"))
    assert str(runs(RunsConfig(folder=tmp_path, where=["accuracy > 0.5"]))) == "No run is listed."


def test_a_run_that_goes_away_meanwhile_is_left_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from eyebright.data.storage.places import read_bytes as real
    from eyebright.verbs.runs import runs as module

    def gone(path: Path) -> bytes:
        if path.parent.name == "first":
            shutil.rmtree(path.parent)
        return real(path)

    monkeypatch.setattr(module, "read_bytes", gone)
    found: RunList = runs(RunsConfig(folder=folder))
    assert [run.name for run in found.runs] == ["team/second"]


def test_the_command_line_writes_csv_and_json_lines(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(folder / "broken")
    assert main(["runs", str(folder), "--format", "csv", "--sort", "accuracy"]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert [row["name"] for row in rows] == ["team/second", "first"]
    assert float(rows[0]["accuracy"]) == 0.95
    assert main(["runs", str(folder), "--format", "jsonl"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["accuracy"]["value"] for line in lines] == [0.5, 0.95]
    assert main(["runs", str(folder), "--lang", "zh"]) == 0
    assert "骨干网络" in capsys.readouterr().out
