"""A finished run is replaced only where that was asked for, and leaves no exports of its model behind."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from command_line import QUICK, RUN_FILES, eyebright, refused
from exports import Exports

import eyebright as eb
from eyebright.errors import ConfigError
from eyebright.runs.overwrite import remove_earlier, remove_other_exports
from eyebright.runs.run import Run, new_directory
from eyebright.sealed.model import SealedModel, write_sealed

pytestmark = pytest.mark.xdist_group("exports")


OF_OTHER_RUNS = (
    *(
        "plan.json",
        "history.csv",
        "checkpoints/step-000000003.safetensors",
        "last/checkpoints/best.safetensors",
    ),
    *("tensorboard/events.out.tfevents.1.host", "mlflow-run", "pruned.onnx"),
    *("search.sqlite", "search.toml", "search.html", "trials.csv", "pareto.json", "candidates/probe-96.onnx"),
)


@pytest.fixture
def run(textile_run: Run, tmp_path: Path) -> Path:
    return Path(shutil.copytree(textile_run.directory, tmp_path / "run"))


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


VERBS: dict[str, Callable[[Run, Path, Path], object]] = {
    "train": lambda own, data, out: eb.train(data, out=out),
    "fine-tuning": lambda own, data, out: eb.train(data, out=out, finetune="last"),
    "shrink": lambda own, data, out: eb.shrink(own.directory, ["size<=1MB"], out=out),
    "demo": lambda own, data, out: eb.demo(out=out),
    "evaluate": lambda own, data, out: eb.evaluate(own.directory, data, out=out),
    "explain": lambda own, data, out: eb.explain(own.directory, [str(data)], out=out),
}


@pytest.mark.parametrize("verb", VERBS)
def test_a_finished_run_is_not_replaced_without_being_asked(
    verb: str, textile_run: Run, textile: Path, run: Path
) -> None:
    before = files(run)
    with pytest.raises(ConfigError, match=r"Choose another directory"):
        VERBS[verb](textile_run, textile, run)
    assert files(run) == before


def test_it_is_one_sentence_on_the_command_line(run: Path, textile: Path) -> None:
    told = refused(eyebright("train", textile, "--out", run), 2)
    assert told == (
        f"--out must name a directory without a finished run. {run} contains one. Choose another "
        "directory, or replace the run with --overwrite."
    )


def test_an_evaluation_is_repeated_but_never_over_a_model(textile_run: Run, textile: Path, run: Path) -> None:
    out = run.parent / "evaluation"
    eb.evaluate(textile_run.directory, textile, out=out)
    with pytest.raises(ConfigError, match="--overwrite"):
        eb.evaluate(textile_run.directory, textile, out=out)
    assert eb.evaluate(textile_run.directory, textile, out=out, overwrite=True).directory == out
    with pytest.raises(ConfigError, match=r"contains model\.onnx"):
        eb.evaluate(textile_run.directory, textile, out=run, overwrite=True)


def test_what_is_no_finished_run_needs_no_permission(run: Path) -> None:
    (run / "metrics.json").unlink()
    assert new_directory(run, "runs", "name", overwrite=False) == run
    assert new_directory(run.parent / "new", "runs", "name", overwrite=False).is_dir()


def test_a_training_within_a_search_leaves_what_the_search_wrote(tmp_path: Path) -> None:
    for name in ("search.sqlite", "pruned.onnx", "plan.json"):
        (tmp_path / name).touch()
    remove_earlier(tmp_path)  # nothing is finished there
    assert {path.name for path in tmp_path.iterdir()} == {"search.sqlite", "pruned.onnx"}


def test_exports_go_with_their_model_and_inspect_tells_stale_ones(
    run: Path, exports: Exports, textile: Path
) -> None:
    shutil.copytree(exports["onnx"], run / "exports" / "onnx")
    (run / "exports" / "mine").mkdir()
    (run / "exports" / "mine" / "notes.txt").write_text("kept")
    export = run / "exports" / "onnx"
    remove_other_exports(run / "model.onnx")  # the same model: nothing is stale
    assert eb.inspect(export).parent == "same"
    assert eyebright("inspect", export).returncode == 0
    model = SealedModel(run)
    facts = model.metadata | {"licence": "x"}
    write_sealed(run / "model.onnx", onnx.load(run / "model.onnx"), model.labels, facts)
    done = eyebright("inspect", export)
    assert done.returncode == 1
    assert "STALE: the model of the run is another one" in done.stdout
    assert json.loads(eyebright("inspect", export, "--json").stdout)["parent"] == "other"
    (run / "model.onnx").rename(run / "gone.onnx")
    assert "is no longer in the run" in eyebright("inspect", export).stdout
    (run / "gone.onnx").rename(run / "model.onnx")
    for name in (*OF_OTHER_RUNS, "fixes.csv", "checkpoints/mine.txt"):
        (run / name).parent.mkdir(exist_ok=True, parents=True)
        (run / name).touch()
    done = eyebright("train", textile, "--out", run, "--overwrite", *QUICK, "--seed", 1)
    assert done.returncode == 0, done.stderr
    assert "Removed 1 export of the model that was replaced: onnx." in done.stderr
    assert sorted(path.name for path in (run / "exports").iterdir()) == ["mine"]
    assert {path.name for path in run.iterdir()} == {*RUN_FILES, "exports", "checkpoints"}
    assert [path.name for path in (run / "checkpoints").iterdir()] == ["mine.txt"]
    assert "overwrite = true" not in (run / "config.toml").read_text(encoding="utf-8")
