"""Runs are shared in folders and buckets: whole or not at all, checked, without names of images."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from s3_server import BUCKET, KEY, SECRET, s3_server

from eyebright.data.manifest_file import read_manifest
from eyebright.errors import ConfigError, EyebrightError, ModelError, NotFoundError, StorageError
from eyebright.runs.run import Run
from eyebright.runtime.progress import SILENT
from eyebright.sharing.folder import FolderPlace
from eyebright.sharing.place import Content
from eyebright.sharing.sums import read_sums
from eyebright.verbs.evaluate.evaluate import evaluate
from eyebright.verbs.evaluate.options import EvaluateConfig
from eyebright.verbs.pull.options import PullConfig
from eyebright.verbs.pull.pull import pull
from eyebright.verbs.push.options import PushConfig
from eyebright.verbs.push.push import push


def _push(run: Path, destination: object, **options: object) -> Path:
    push(PushConfig.build(run=run, destination=str(destination), **options))
    return Path(str(destination))


def _pull(source: object, directory: Path, **options: object) -> Run:
    return pull(PullConfig.build(source=str(source), directory=directory, **options))


def test_a_folder_holds_what_the_usual_tool_checks_and_no_name_of_an_image(
    textile_run: Run, tmp_path: Path
) -> None:
    place = _push(textile_run.directory, tmp_path / "a b", report=False)
    program = shutil.which("sha256sum")
    if program:
        subprocess.run([program, "--check", "--strict", "SHA256SUMS"], cwd=place, check=True)
    names = [sample.path for sample in read_manifest(textile_run.directory / "manifest.parquet").samples]
    text = b"\n".join(path.read_bytes() for path in place.iterdir())
    assert all(name.encode() not in text for name in names)
    assert textile_run.stored.root.encode() not in text
    assert not {"manifest.parquet", "predictions.csv", "config.toml"} & {p.name for p in place.iterdir()}


def test_a_pulled_run_is_evaluated_and_pushed_on(textile_run: Run, textile: Path, tmp_path: Path) -> None:
    run = _pull(_push(textile_run.directory, tmp_path / "place"), tmp_path / "run")
    again = evaluate(EvaluateConfig(model=run.directory, data=textile / "val", out=tmp_path / "evaluation"))
    assert again.metrics["accuracy"]["value"] == textile_run.metrics["accuracy"]["value"]
    onwards = _push(run.directory, tmp_path / "onwards")
    assert (onwards / "SHA256SUMS").read_bytes() == (tmp_path / "place" / "SHA256SUMS").read_bytes()


def test_names_are_pushed_where_they_are_asked_for(textile_run: Run, tmp_path: Path) -> None:
    place = _push(textile_run.directory, tmp_path / "place", include=["manifest", "predictions"])
    run = _pull(place, tmp_path / "run")
    mine = read_manifest(textile_run.directory / "manifest.parquet").samples
    assert read_manifest(run.directory / "manifest.parquet").samples == mine
    with pytest.raises(ConfigError, match="accepted export"):
        _push(textile_run.directory, tmp_path / "other", include=["exports"])


def test_skipped_images_and_paths_in_metrics_are_not_named(textile_run: Run, tmp_path: Path) -> None:
    shutil.copytree(textile_run.directory, tmp_path / "run")
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text("utf-8"))
    name = read_manifest(tmp_path / "run" / "manifest.parquet").samples[0].path
    metrics["skipped"] = [{"path": "train/Jane Doe.jpg", "reason": "Jane Doe.jpg is empty."}]
    metrics["more"] = [name, "/home/jane/photos", "C:\\Users\\jane"]
    (tmp_path / "run" / "metrics.json").write_text(json.dumps(metrics), "utf-8")
    place = _push(tmp_path / "run", tmp_path / "place")
    text = (place / "metrics.json").read_text("utf-8")
    assert "Jane" not in text
    assert json.loads(text)["more"] == ["(left out)", "photos", "jane"]
    assert len(json.loads(text)["skipped"]) == 1


def test_what_is_not_ours_is_not_replaced(textile_run: Run, decided_run: Run, tmp_path: Path) -> None:
    (tmp_path / "team").mkdir()
    (tmp_path / "team" / "notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match=r"notes\.txt"):
        _push(textile_run.directory, tmp_path / "team")
    place = _push(textile_run.directory, tmp_path / "team" / "textile", include=["manifest"])
    with pytest.raises(ConfigError, match="--overwrite"):
        _push(decided_run.directory, place)
    _push(decided_run.directory, place, overwrite=True)
    assert not (place / "manifest.parquet").exists()
    assert _pull(place, tmp_path / "got").stored.model_sha256 == decided_run.stored.model_sha256
    with pytest.raises(ConfigError, match="never replaced"):
        _push(textile_run.directory, decided_run.directory, overwrite=True)
    with pytest.raises(ConfigError, match="without other files"):
        _pull(place, textile_run.directory)


def test_an_earlier_run_leaves_nothing_in_the_pulled_one(
    textile_run: Run, decided_run: Run, tmp_path: Path
) -> None:
    shutil.copytree(decided_run.directory, tmp_path / "run")
    run = _pull(_push(textile_run.directory, tmp_path / "place"), tmp_path / "run", overwrite=True)
    there = {path.name for path in run.directory.iterdir()}
    assert there == {path.name for path in (tmp_path / "place").iterdir()}


class Breaking(FolderPlace):
    """A folder whose network goes away after some files, or where somebody else writes meanwhile."""

    def __init__(self, folder: Path, after: int, meanwhile: bytes | None = None) -> None:
        super().__init__(folder)
        self._left, self._meanwhile, self._place = after, meanwhile, folder

    def put(self, name: str, content: Content) -> None:
        if self._left == 0:
            raise OSError(5, "Input/output error")
        self._left -= 1
        super().put(name, content)
        if self._meanwhile is not None and name == "config.json":
            (self._place / "model.onnx").write_bytes(self._meanwhile)


@pytest.mark.parametrize("after", [1, 3])
def test_a_push_that_breaks_off_is_no_run_and_goes_on(textile_run: Run, tmp_path: Path, after: int) -> None:
    place = tmp_path / "place"
    files: dict[str, Content] = {
        path.name: path.read_bytes() for path in _push(textile_run.directory, tmp_path / "whole").iterdir()
    }
    ordered = {name: files[name] for name in ("SHA256SUMS", *sorted(files.keys() - {"SHA256SUMS"}))}
    with pytest.raises(StorageError, match=r"place|Writing"), SILENT.task("") as task:
        Breaking(place, after).publish(ordered, (), "", task)
    with pytest.raises(NotFoundError, match="finished"):
        _pull(place, tmp_path / "run")
    _push(textile_run.directory, place)
    assert _pull(place, tmp_path / "run").stored.model_sha256 == textile_run.stored.model_sha256


def test_two_who_push_to_one_place_leave_no_mixed_run(textile_run: Run, tmp_path: Path) -> None:
    whole = _push(textile_run.directory, tmp_path / "whole")
    files: dict[str, Content] = {
        name: (whole / name).read_bytes()
        for name in ("SHA256SUMS", "model.onnx", "config.json", "metrics.json")
    }
    place = Breaking(tmp_path / "place", -1, meanwhile=b"of somebody else")
    with pytest.raises(StorageError, match="somebody else"), SILENT.task("") as task:
        place.publish(files, (), "", task)
    assert not (tmp_path / "place" / "metrics.json").exists()


def test_a_pull_that_was_interrupted_goes_on_and_a_changed_file_is_refused(
    textile_run: Run, tmp_path: Path
) -> None:
    place = _push(textile_run.directory, tmp_path / "place")
    report = (place / "report.html").read_bytes()
    (place / "report.html").write_bytes(report + b" ")
    with pytest.raises(ModelError, match=r"report\.html"):
        _pull(place, tmp_path / "run")
    assert not (tmp_path / "run" / "metrics.json").exists()
    before = (tmp_path / "run" / "model.onnx").stat().st_mtime_ns
    (place / "report.html").write_bytes(report)
    assert _pull(place, tmp_path / "run").report.read_bytes() == report
    assert (tmp_path / "run" / "model.onnx").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    "name", ["../model.onnx", "/etc/passwd", "exports/../../x", ".bashrc", "exports/.x/y", "a\\b"]
)
def test_names_that_lead_elsewhere_are_refused(name: str) -> None:
    with pytest.raises(ModelError, match="SHA256SUMS"):
        read_sums(f"{'0' * 64}  {name}\n".encode(), "place")


@pytest.mark.parametrize(
    ("destination", "told"),
    [
        ("hf://nobody", "OWNER/NAME"),
        ("s3://bucket", "names the bucket alone"),
        ("ftpx://host/run", "must be hf://"),
        (" ", "empty text"),
    ],
)
def test_addresses_that_are_none_are_told(textile_run: Run, destination: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        _push(textile_run.directory, destination)


def test_a_run_without_a_model_or_with_another_one_is_not_pushed(
    textile_run: Run, decided_run: Run, tmp_path: Path
) -> None:
    shutil.copytree(textile_run.directory, tmp_path / "run")
    shutil.copyfile(decided_run.model, tmp_path / "run" / "model.onnx")
    with pytest.raises(ModelError, match="SHA-256"):
        _push(tmp_path / "run", tmp_path / "place")
    (tmp_path / "run" / "model.onnx").unlink()
    with pytest.raises(ConfigError, match="evaluation"):
        _push(tmp_path / "run", tmp_path / "place")
    assert not (tmp_path / "place").exists()


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with s3_server(tmp_path_factory.mktemp("s3")) as address, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", KEY)
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        patch.setenv("AWS_REGION", "us-east-1")
        patch.setenv("AWS_ENDPOINT_URL", f"http://{address}")
        yield f"s3://{BUCKET}"


@pytest.mark.xdist_group("alone")
def test_a_bucket_holds_runs_as_a_folder_does(
    bucket: str, textile_run: Run, decided_run: Run, tmp_path: Path
) -> None:
    place = f"{bucket}/team/textile"
    _push(textile_run.directory, place)
    assert push(PushConfig(run=textile_run.directory, destination=place)).unchanged
    assert _pull(place, tmp_path / "run").model.read_bytes() == textile_run.model.read_bytes()
    with pytest.raises(ConfigError, match="--overwrite"):
        _push(decided_run.directory, place)
    _push(decided_run.directory, place, overwrite=True)
    assert _pull(place, tmp_path / "new").stored.model_sha256 == decided_run.stored.model_sha256
    with pytest.raises(EyebrightError, match=r"metrics\.json"):
        _pull(f"{bucket}/team/nothing", tmp_path / "none")
