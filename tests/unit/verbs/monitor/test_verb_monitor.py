"""`monitor` beside a real run: images as before, worse ones, and logs that cannot be compared."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from command_line import eyebright, refused
from PIL import Image, ImageFilter

import eyebright as eb
from eyebright.errors import DataError
from eyebright.monitoring.kept_images import KeptImages
from eyebright.monitoring.live import LiveMonitor
from eyebright.monitoring.log import Log
from eyebright.monitoring.model_monitor import ModelMonitor, look_at
from eyebright.monitoring.reference_file import NAME, read_reference
from eyebright.runs.run import Run
from eyebright.sealed.model import SealedModel
from eyebright.serving.metrics import ServiceMetrics
from eyebright.verbs.demo.demo import demo_images
from eyebright.verbs.monitor.monitor import Monitoring

SEEN = 34  # of each class, by the run


@pytest.fixture(scope="module")
def run(textile_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy, beside whose model the reference is kept."""
    return Path(shutil.copytree(textile_run.directory, tmp_path_factory.mktemp("watched") / "run"))


@pytest.fixture(scope="module")
def fresh(textile: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """72 images of the same kind that the run has not seen."""
    folder = tmp_path_factory.mktemp("fresh")
    for kind in sorted(p for p in demo_images().iterdir() if p.is_dir()):
        for path in sorted(kind.glob("*.jpg"))[SEEN : SEEN + 24]:
            shutil.copyfile(path, folder / f"{kind.name}-{path.name}")
    return folder


@pytest.fixture(scope="module")
def usual(run: Path, fresh: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log of images like those of the run."""
    log = tmp_path_factory.mktemp("usual") / "log.parquet"
    done = eyebright("predict", run, fresh, "--log", log)
    assert done.returncode == 0, done.stderr
    return log


@pytest.fixture(scope="module")
def blurred(run: Path, fresh: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log of blurred ones."""
    folder = tmp_path_factory.mktemp("blurred")
    for number, path in enumerate(sorted(fresh.iterdir())):
        Image.open(path).filter(ImageFilter.GaussianBlur(4)).save(folder / f"{number:03}.png")
    list(eb.predict(run, folder, log=folder / "log.parquet", progress=False))
    return folder / "log.parquet"


@pytest.fixture(scope="module")
def worse(run: Path, blurred: Path) -> Monitoring:
    return eb.monitor(blurred, run, progress=False)


def test_predictions_are_the_same_with_a_log(run: Path, fresh: Path, usual: Path) -> None:
    images = sorted(fresh.iterdir())
    answers = list(eb.predict(run, images, progress=False))
    log = Log.read(usual)
    (window,) = log.windows
    assert window.images == window.projected == len(images) == len(log.rows)
    logged = dict(zip(log.rows.names, log.rows.probabilities.max(axis=1), strict=True))
    for answer in answers:
        assert logged[str(answer.path)] == pytest.approx(answer.confidence, abs=1e-5)
    assert window.unknown == sum(bool(answer.unknown) for answer in answers)


def test_usual_images_raise_no_alarm(run: Path, usual: Path) -> None:
    done = eyebright("monitor", usual, "--reference", run)
    assert done.returncode == 0, done.stderr
    assert "No change was found in 72 images." in done.stdout
    found = eb.monitor(usual, run, progress=False)
    assert found.analysis.accuracy is not None
    right = found.analysis.accuracy
    assert right.now.low <= right.reference.high
    assert not found.alarm


def test_blurred_images_do(run: Path, blurred: Path, worse: Monitoring) -> None:
    done = eyebright("monitor", blurred, "--reference", run, "--format", "json")
    content = json.loads(done.stdout)
    assert done.returncode == (1 if content["verdict"] in ("harmful", "changed") else 0)
    assert "sharpness" in {alarm["name"] for alarm in content["alarms"]}
    assert content == worse.to_json()
    sharpness = next(test for test in content["tests"] if test["name"] == "sharpness")
    assert sharpness["now"] < sharpness["before"]
    assert sharpness["p"] < 0.01


def test_gauges_are_lines_that_prometheus_reads(worse: Monitoring) -> None:
    lines = worse.prometheus().splitlines()
    values = {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line[0] != "#"}
    assert values['eyebright_drift_alarm{model="run"}'] == 1
    assert values['eyebright_drift_pvalue{model="run",test="sharpness"}'] < 0.01
    shares = [v for name, v in values.items() if "class_ratio" in name and 'part="reference"' in name]
    assert sum(shares) <= 1.00001
    assert len([line for line in lines if line.startswith("# TYPE")]) == len(
        {line.split("{")[0] for line in lines if line[0] != "#"}
    )


def test_the_page_is_whole_in_both_languages(run: Path, blurred: Path, worse: Monitoring) -> None:
    page = worse.page()
    assert page.startswith("<!DOCTYPE html>")
    assert page.count("<figure>") >= 12
    assert "Sharpness" in page
    done = eyebright("monitor", blurred, "--reference", run, "--format", "html", "--lang", "zh")
    assert "清晰度" in done.stdout


def test_the_reference_is_measured_once(run: Path, worse: Monitoring) -> None:
    reference = read_reference(run / NAME)
    kinds = set(reference.corruptions)
    assert "" in kinds
    assert "blur" in kinds
    assert len(reference.clean.correct) == 30  # no test images
    written = (run / NAME).stat().st_mtime_ns
    assert len(worse.analysis.reference.correct) == len(reference.correct)
    assert (run / NAME).stat().st_mtime_ns == written


def test_a_service_can_record_without_names_and_sizes(run: Path, fresh: Path) -> None:
    model = SealedModel(run, threads=1)
    monitor = ModelMonitor(model, None)
    pixels = np.asarray(Image.open(next(fresh.iterdir())).convert("RGB"))
    probabilities, scores, features = model.predict_with_features(pixels[None])
    monitor.observe(probabilities, scores, features, np.array([[0.5, 0.1, 300]], np.float32))
    monitor.observe(probabilities)
    (window,) = monitor.recorder.snapshot().windows
    assert (window.images, window.projected) == (2, 1)
    assert window.rows.names == ("", "")


def test_a_service_is_watched_while_it_answers(run: Path, fresh: Path, tmp_path: Path) -> None:
    model = SealedModel(run, threads=1)
    live = LiveMonitor(model, tmp_path / "log.parquet")
    assert live.gauges() == ()
    pixels = np.asarray(Image.open(next(fresh.iterdir())).convert("RGB"))
    for _ in range(300):
        live.observe(*model.predict_with_features(pixels[None]), look_at(pixels)[None])
    found = {gauge.name: gauge.value for gauge in live.gauges() if not gauge.labels}
    assert found["eyebright_monitored_images"] == 300
    assert found["eyebright_drift_alarm"]  # always the same image
    live.close()
    (window,) = Log.read(tmp_path / "log.parquet").windows
    assert window.images == 300
    assert len(window.rows) == 256 + 3


def test_what_is_worth_a_look_becomes_a_queue(
    run: Path, blurred: Path, worse: Monitoring, tmp_path: Path
) -> None:
    done = eyebright("monitor", blurred, "--reference", run, "--queue", tmp_path / "queue.csv")
    assert "Review queue: " in done.stderr
    with (tmp_path / "queue.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["path", "score", "reason"]
    assert len(rows) == len(worse.analysis.review) == 72
    assert all(Path(row["path"]).is_file() for row in rows)
    assert {row["reason"] for row in rows} <= {"unknown", "drifted"}
    unknown = sum(window.unknown for window in Log.read(blurred).windows)
    assert [row["reason"] for row in rows[:unknown]] == ["unknown"] * unknown
    drifted = [float(row["score"]) for row in rows[unknown:]]
    assert drifted == sorted(drifted, reverse=True)


def test_a_log_without_names_has_nothing_to_review(run: Path, fresh: Path, tmp_path: Path) -> None:
    model = SealedModel(run, threads=1)
    monitor = ModelMonitor(model, tmp_path / "log.parquet")
    pixels = np.asarray(Image.open(next(fresh.iterdir())).convert("RGB"))
    monitor.observe(*model.predict_with_features(pixels[None]))
    monitor.recorder.close()
    done = eyebright(
        "monitor", tmp_path / "log.parquet", "--reference", run, "--queue", tmp_path / "queue.csv"
    )
    assert "the log names no images" in done.stderr
    assert (tmp_path / "queue.csv").read_text(encoding="utf-8") == "path,score,reason\n"


def test_a_queue_never_takes_the_place_of_the_log(run: Path, usual: Path) -> None:
    before = usual.read_bytes()
    assert "is the log" in refused(eyebright("monitor", usual, "--reference", run, "--queue", usual), 2)
    assert usual.read_bytes() == before


def test_a_service_keeps_doubtful_images_where_asked(run: Path, fresh: Path, tmp_path: Path) -> None:
    model = SealedModel(run, threads=1)
    live = LiveMonitor(model, tmp_path / "log.parquet", KeptImages(tmp_path / "images", 3))
    for path in sorted(fresh.iterdir())[:8]:
        pixels = np.asarray(Image.open(path).convert("RGB"))
        live.observe(*model.predict_with_features(pixels[None]), look_at(pixels)[None], [path.read_bytes()])
    live.close()
    kept = {str(path) for path in (tmp_path / "images").iterdir()}
    assert len(kept) == 3
    assert {path[-4:] for path in kept} == {".jpg"}
    named = {name for name in Log.read(tmp_path / "log.parquet").rows.names if name}
    assert kept <= named


def test_the_dashboard_shows_what_there_is(worse: Monitoring) -> None:
    dashboard = (Path(__file__).parents[4] / "docs" / "grafana" / "eyebright-monitor.json").read_text("utf-8")
    shown = set(re.findall(r"eyebright_[a-z_]+", dashboard))
    lines = (worse.prometheus() + ServiceMetrics().text(())).splitlines()
    there = {line.split()[2] for line in lines if line.startswith("# TYPE")}
    assert "eyebright_estimated_accuracy" in shown
    assert shown <= there


def test_too_few_images(run: Path, fresh: Path, tmp_path: Path) -> None:
    images = sorted(fresh.iterdir())[:3]
    list(eb.predict(run, images, log=tmp_path / "log.parquet", progress=False))
    done = eyebright("monitor", tmp_path / "log.parquet", "--reference", run)
    assert done.returncode == 0
    assert "Too few images: 3 images were logged" in done.stdout
    assert "At least 50" in done.stdout


def test_what_cannot_be_compared_is_refused(run: Path, usual: Path, decided_run: Run, tmp_path: Path) -> None:
    other = eyebright("monitor", usual, "--reference", decided_run.directory)
    assert "must be of the reference's model" in refused(other)
    assert "must exist" in refused(eyebright("monitor", tmp_path / "none.parquet", "--reference", run))
    Log(Log.read(usual).model_sha256, Log.read(usual).labels).write(tmp_path / "empty.parquet")
    assert "It holds none" in refused(eyebright("monitor", tmp_path / "empty.parquet", "--reference", run))
    assert "reference must be given" in eyebright("monitor", usual).stderr
    with pytest.raises(DataError, match="same model"):
        list(eb.predict(decided_run.directory, run, log=usual, progress=False))


def test_a_damaged_reference_and_one_without_images(run: Path, usual: Path, tmp_path: Path) -> None:
    damaged = Path(shutil.copytree(run, tmp_path / "damaged"))
    (damaged / NAME).write_bytes((run / NAME).read_bytes()[:-40])
    assert "Delete it" in refused(eyebright("monitor", usual, "--reference", damaged))
    bare = tmp_path / "bare"
    bare.mkdir()
    shutil.copyfile(run / "model.onnx", bare / "model.onnx")
    assert "manifest.parquet" in refused(eyebright("monitor", usual, "--reference", bare))
