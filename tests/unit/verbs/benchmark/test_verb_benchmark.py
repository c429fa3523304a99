"""A benchmark measures every candidate in a process of its own and writes down what it found."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from eyebright.cli.main import main
from eyebright.errors import EyebrightError, ModelError, NotFoundError
from eyebright.exporting.certificate.hashes import sha256
from eyebright.runs.run import Run
from eyebright.verbs.benchmark.benchmark import Benchmark, benchmark
from eyebright.verbs.benchmark.models import BenchmarkModel
from eyebright.verbs.benchmark.options import BenchmarkConfig
from eyebright.verbs.benchmark.process import ModelProcess
from eyebright.verbs.export.export import export
from eyebright.verbs.export.options import ExportConfig


@pytest.fixture(scope="module")
def exports(textile_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("exports")
    export(ExportConfig(model=textile_run.directory, to=["openvino", "triton"], out=out, max_images=4))
    return out


@pytest.fixture(scope="module")
def measured(textile_run: Run, exports: Path, tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    models = [textile_run.directory, exports / "openvino", exports / "triton"]
    out = tmp_path_factory.mktemp("benchmark")
    return benchmark(BenchmarkConfig(models=models, threads=[1], batch=[1, 4], seconds=1.0, out=out))


def test_each_runtime_takes_each_batch_that_it_can(measured: Benchmark) -> None:
    found = [(m.name.split("/")[-1], m.runtime, m.threads, m.batch) for m in measured.measured]
    assert found == [
        ("textile", "onnxruntime", 1, 1),
        ("textile", "onnxruntime", 1, 4),
        ("textile", "openvino", 1, 1),
        ("textile", "openvino", 1, 4),
        ("openvino", "openvino", 1, 1),
        ("openvino", "openvino", 1, 4),
        ("triton", "triton", 1, 1),
    ]
    assert measured.left_out == {}


def test_figures_are_possible(measured: Benchmark) -> None:
    for m in measured.measured:
        assert 0 < m.p50_ms <= m.p95_ms <= m.p99_ms
        assert m.calls >= 5  # one in each round
        assert m.memory_bytes is None or 20e6 < m.memory_bytes < 4e9
        # A mean lies between the extremes, so the rate cannot be further off than the percentiles let it.
        assert m.images_per_second > 0
        assert m.unrest >= 0


def test_files_hold_the_same_figures(measured: Benchmark) -> None:
    content = json.loads((measured.directory / "benchmark.json").read_text(encoding="utf-8"))
    assert [row["p50_ms"] for row in content["measured"]] == [m.p50_ms for m in measured.measured]
    assert content["image"] == "500 × 375"
    with (measured.directory / "benchmark.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["p99_ms"]) for row in rows] == [m.p99_ms for m in measured.measured]
    page = measured.page.read_text(encoding="utf-8")
    assert page.count("<svg") >= 2 * len(measured.measured)
    assert "triton" in page


def test_the_terminal_shows_a_table(
    textile_run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], textile: Path
) -> None:
    photo = next(textile.rglob("*.jpg"))
    words = ["benchmark", str(textile_run.model), "--threads", "1", "--batch", "1", "--seconds", "0.2"]
    assert main([*words, "--image", str(photo), "--out", str(tmp_path / "out"), "--lang", "zh"]) == 0
    shown = capsys.readouterr()
    assert "onnxruntime" in shown.out
    assert "openvino" in shown.out
    assert "批大小" in shown.out
    assert "正在轮流测速" in shown.err
    assert 'lang="zh-Hans"' in (tmp_path / "out" / "benchmark.html").read_text(encoding="utf-8")


def spoilt(folder: Path) -> None:
    """A file that no runtime loads, though it is the one that the certificate names."""
    (folder / "model.xml").write_text("<net/>")
    certificate = json.loads((folder / "certificate.json").read_text(encoding="utf-8"))
    certificate["files"]["model.xml"] = sha256(folder / "model.xml")
    (folder / "certificate.json").write_text(json.dumps(certificate), encoding="utf-8")


def test_an_export_that_was_changed_is_not_measured(textile_run: Run, exports: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(exports / "openvino", tmp_path / "openvino"))
    content = (folder / "model.xml").read_text(encoding="utf-8")
    (folder / "model.xml").write_text(content + "\n", encoding="utf-8")
    with pytest.raises(ModelError, match=r"Changed or missing in .*openvino: model\.xml\."):
        benchmark(BenchmarkConfig(models=[textile_run.directory, folder], seconds=0.1))


def test_a_candidate_that_cannot_be_loaded_is_told_of(
    textile_run: Run, exports: Path, tmp_path: Path
) -> None:
    broken = Path(shutil.copytree(exports / "openvino", tmp_path / "broken"))
    spoilt(broken)
    models = [textile_run.directory, broken]
    result = benchmark(
        BenchmarkConfig(models=models, threads=[1], batch=[1], seconds=0.2, out=tmp_path / "out")
    )
    assert len(result.measured) == 2
    ((name, reason),) = result.left_out.items()
    assert "broken" in name
    assert "must run to be benchmarked" in reason


def test_nothing_that_can_be_measured_is_an_error(textile_run: Run, exports: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(textile_run.directory, tmp_path / "run"))
    broken = Path(shutil.copytree(exports / "openvino", run / "exports" / "openvino"))
    spoilt(broken)
    config = BenchmarkConfig(models=[broken], threads=[1], batch=[1], seconds=0.2, out=tmp_path / "out")
    with pytest.raises(EyebrightError, match="must run to be benchmarked"):
        benchmark(config)
    assert not (tmp_path / "out").exists()


def test_an_export_whose_model_is_gone_is_named(exports: Path) -> None:
    with pytest.raises(ModelError, match="Give its run directory as well"):
        benchmark(BenchmarkConfig(models=[exports / "triton"], seconds=0.1))


def test_a_rejected_export_is_not_measured(textile_run: Run, exports: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(exports / "openvino", tmp_path / "openvino"))
    certificate = json.loads((folder / "certificate.json").read_text(encoding="utf-8"))
    (folder / "certificate.json").write_text(json.dumps(certificate | {"passed": False}))
    with pytest.raises(ModelError, match="must have passed"):
        benchmark(BenchmarkConfig(models=[textile_run.directory, folder], seconds=0.1))


def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        benchmark(BenchmarkConfig(models=[tmp_path / "gone"], seconds=0.1))


def test_a_process_that_dies_is_told_of(textile_run: Run) -> None:
    image = np.zeros((30, 40, 3), np.uint8)
    model = textile_run.model
    candidate = BenchmarkModel("textile", "onnxruntime", "onnx", model, model, threads=1, batch=1)
    with ModelProcess(candidate, image) as process:
        assert process.run(0.01)
        process._process.kill()
        process._process.wait()
        with pytest.raises(EyebrightError, match="ended with status -9"):
            process.run(0.01)
