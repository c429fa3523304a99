"""The wheel holds what it must, and alone, with the base dependencies, it does the main job."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from command_line import photos

ROOT = Path(__file__).parents[2]

MUST_HOLD = {
    "eyebright/py.typed",
    "eyebright/text/locale/zh.json",
    "eyebright/report/page.css",
    "eyebright/report/page.js",
    "eyebright/backbones/files/efficientnet_lite0.onnx",
    "eyebright/backbones/files/LICENSE-efficientnet_lite0",
}

JOB = """
import sys, time
start = time.perf_counter()
import eyebright as eb
print(f"import eyebright: {time.perf_counter() - start:.3f} s")
assert not {"numpy", "onnxruntime", "openvino", "PIL"} & sys.modules.keys(), "the import is heavy"
run = eb.train("photos", out="run", size=96, layers="texture")
answer = eb.load(run.model).predict(sys.argv[1])
assert answer.label in run.labels and 0 < answer.confidence <= 1
assert run.report.exists()
heavy = {"torch", "torchvision", "timm", "sklearn", "pandas", "matplotlib", "cv2"} & sys.modules.keys()
assert not heavy, heavy
print(answer.label, run.metrics["images"])
"""


def call(*words: str | Path, cwd: Path | None = None) -> str:
    """What a command prints, which must succeed and sees nothing of this environment's packages."""
    hidden = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    environment = {k: v for k, v in os.environ.items() if k not in hidden}
    done = subprocess.run(
        list(map(str, words)), cwd=cwd, env=environment, capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    call(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a fresh environment with nothing but the wheel and its dependencies."""
    folder = tmp_path_factory.mktemp("fresh")
    venv.create(folder, with_pip=True)
    interpreter = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    call(interpreter, "-m", "pip", "install", "--quiet", wheel)
    return interpreter


def test_the_wheel_holds_everything(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        sizes = {info.filename: info.file_size for info in archive.infolist()}
        (metadata,) = (n for n in names if n.endswith(".dist-info/METADATA"))
        described = archive.read(metadata).decode()
    assert set(names) >= MUST_HOLD
    licences = {n.split("licenses/")[1] for n in names if "licenses/" in n}
    assert licences >= {"LICENSE", "NOTICE"}
    assert any("LICENSE-efficientnet_lite0" in name for name in licences)
    assert sizes["eyebright/backbones/files/efficientnet_lite0.onnx"] < 10_000_000
    assert "License-Expression: Apache-2.0" in described
    assert not [n for n in names if not n.startswith(("eyebright/", "eyebright-"))]


SITE = "https://eyebright.readthedocs.io/en/latest/"
#: Pages of the site that lie outside of docs/ in the repository.
OUTSIDE = {"zh/": "README.zh.md", "changelog/": "CHANGELOG.md"}


def test_links_of_the_description_lead_to_pages_that_are_there(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        links = re.findall(r"\]\(([^)]+)\)", archive.read(metadata).decode())
    assert [link for link in links if not link.startswith("https://")] == []
    pages = {link.removeprefix(SITE).partition("#")[0] for link in links if link.startswith(SITE)}
    assert len(pages) >= 20
    files = {
        OUTSIDE.get(page, f"docs/{page.removesuffix('/')}{'.md' * page.endswith('/')}") for page in pages
    }
    assert [file for file in files if not (ROOT / file).is_file()] == []


TOO_MUCH = {"torch", "torchvision", "timm", "scikit-learn", "scikit-image", "pandas"}


def test_the_base_install_asks_for_no_torch(wheel: Path) -> None:
    words = ("install", "--quiet", "--dry-run", "--ignore-installed", "--report", "-", wheel)
    report = json.loads(call(sys.executable, "-m", "pip", *words))
    wanted = {package["metadata"]["name"].lower() for package in report["install"]}
    assert {"eyebright", "numpy", "onnxruntime"} <= wanted
    assert not wanted & TOO_MUCH
    assert not [name for name in wanted if name.startswith("nvidia")]


@pytest.mark.slow
def test_the_base_install_has_no_torch(python: Path) -> None:
    installed = {p["name"].lower() for p in json.loads(call(python, "-m", "pip", "list", "--format=json"))}
    assert "eyebright" in installed
    assert not installed & TOO_MUCH
    assert not [name for name in installed if name.startswith("nvidia")]


@pytest.mark.slow
def test_the_base_install_does_the_main_job(python: Path, textile: Path, tmp_path: Path) -> None:
    photos(textile / "train", tmp_path / "photos", 20)
    new = next((textile / "val" / "local").iterdir())
    print(call(python, "-c", JOB, new, cwd=tmp_path))
    answers = call(python.with_name("eyebright"), "predict", "run", new, "--format", "jsonl", cwd=tmp_path)
    assert json.loads(answers)["label"] in ("global", "local", "nominal")
    said = call(python.with_name("eyebright"), "doctor", cwd=tmp_path)
    assert 'pip install "eyebright[torch]' in said
