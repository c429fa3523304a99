"""The examples beside an export run as they stand, and name what the model names."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import onnx
import pytest
from exports import Exports
from PIL import Image, ImageOps

from eyebright.errors import MissingExtraError
from eyebright.exporting.base import ExportSource
from eyebright.exporting.catalog import FORMATS
from eyebright.exporting.certificate.sidecar_files import examples, label_lines
from eyebright.runs.run import Run
from eyebright.sealed.model import SealedModel

pytestmark = pytest.mark.xdist_group("exports")

TEMPLATES = Path(__file__).parents[4] / "src" / "eyebright" / "exporting" / "examples"
# What a format's example imports, where the base install does not have it.
NEEDS = {
    "torchscript": "torch",
    "pt2": "torch",
    "litert": "ai_edge_litert",
    "executorch": "executorch",
    "ncnn": "ncnn",
}
# Names of packages that are not those of their modules.
PACKAGES = {"PIL": "pillow", "ai_edge_litert": "ai-edge-litert"}
QUICK = ("onnx", "onnx-plain", "openvino")
# They need a server, or macOS.
NOT_HERE = {"triton", "coreml"}
PYTHON = sorted({p.parent.name for p in TEMPLATES.glob("*/example.py.in")} & set(FORMATS) - NOT_HERE)


@pytest.fixture(scope="module")
def pictures(
    textile: Path,
    photographs: dict[str, Image.Image],
    tmp_path_factory: pytest.TempPathFactory,
) -> list[Path]:
    """Textile, a photograph, one that the camera held upright, one in grey, and one half transparent."""
    folder = tmp_path_factory.mktemp("pictures")
    upright = Image.Exif()
    upright[0x0112] = 6
    photographs["coffee"].save(folder / "upright.jpg", exif=upright, quality=95)
    photographs["cat"].save(folder / "cat.png")
    photographs["rocket"].convert("L").save(folder / "grey.png")
    clear = photographs["astronaut"].copy()
    clear.putalpha(Image.linear_gradient("L").resize(clear.size))
    clear.save(folder / "clear.png")
    return [*sorted((textile / "val").rglob("*.jpg"))[::5], *sorted(folder.iterdir())]


def answers(folder: Path, command: list[str], pictures: list[Path]) -> list[tuple[str, float]]:
    """What a program prints: a class and its probability for each picture."""
    done = subprocess.run(
        [*command, *map(str, pictures)], cwd=folder, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    return [(label, float(probability)) for label, probability in rows]


def expected(run: Path, pictures: list[Path], decides: bool) -> list[tuple[str, float]]:
    """What the model predicts, "unknown" too of a format that can tell."""
    model = SealedModel(run)
    found = [model.predict(picture) for picture in pictures]
    return [
        ("unknown", max(answer.probabilities))
        if decides and answer.unknown
        else (answer.label, answer.confidence)
        for answer in found
    ]


def agree(
    found: list[tuple[str, float]], run: Run, pictures: list[Path], within: float, decides: bool = True
) -> None:
    wanted = expected(run.model, pictures, decides)
    assert [label for label, _ in found] == [label for label, _ in wanted]
    assert [p for _, p in found] == pytest.approx([p for _, p in wanted], abs=within)


@pytest.mark.parametrize("name", PYTHON)
def test_python(name: str, exports: Exports, textile_run: Run, pictures: list[Path]) -> None:
    needed = NEEDS.get(name)
    if needed and find_spec(needed) is None:
        pytest.skip(f"needs {needed}")
    try:
        folder = exports[name]
    except MissingExtraError as error:  # LiteRT's converter has an environment of its own
        pytest.skip(str(error))
    found = answers(folder, [sys.executable, "example.py"], pictures)
    agree(found, textile_run, pictures, 0.003, FORMATS[name].decides)


@pytest.mark.slow
def test_node(
    exports: Exports,
    textile_run: Run,
    pictures: list[Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        pytest.skip("needs Node.js")
    folder = tmp_path_factory.mktemp("node") / "onnx"
    shutil.copytree(exports["onnx"], folder)
    # Its installation script would fetch the GPU's libraries from elsewhere.
    command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "onnxruntime-node", "sharp"]
    installed = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=400)
    if installed.returncode:
        pytest.skip(f"npm cannot install: {installed.stderr[-200:]}")
    agree(answers(folder, [node, "example.mjs"], pictures), textile_run, pictures, within=0.005)


def onnxruntime_headers() -> Path | None:
    """Where the C++ headers of ONNX Runtime lie on this machine."""
    roots = [os.environ.get("ONNXRUNTIME_INCLUDE", ""), "/usr/include", "/usr/local/include"]
    folders = [Path(root) / more for root in roots if root for more in ("", "onnxruntime")]
    return next((f for f in folders if (f / "onnxruntime_cxx_api.h").is_file()), None)


def test_cpp(exports: Exports, textile_run: Run, pictures: list[Path], tmp_path: Path) -> None:
    import onnxruntime

    compiler, headers = shutil.which("g++"), onnxruntime_headers()
    if compiler is None or headers is None:
        pytest.skip("needs g++ and the headers of ONNX Runtime (Debian 13: libonnxruntime-dev)")
    library = tmp_path / "libonnxruntime.so.1"  # its name to the linker, which a wheel does not give it
    library.symlink_to(next((Path(onnxruntime.__file__).parent / "capi").glob("libonnxruntime.so.*")))
    binary = tmp_path / "example"
    found_at = f"-Wl,-rpath,{tmp_path}"
    subprocess.run(
        [compiler, "-std=c++17", "example.cpp", f"-I{headers}", str(library), found_at, "-o", str(binary)],
        cwd=exports["onnx"],
        check=True,
    )
    for number, picture in enumerate(pictures):
        same = [tmp_path / f"{number}.ppm", tmp_path / f"{number}.png"]  # a large JPEG is not decoded in full
        with Image.open(picture) as image:
            upright = ImageOps.exif_transpose(image).convert("RGB")
        for file in same:
            upright.save(file)
        found = answers(exports["onnx"], [str(binary)], same[:1])
        agree(found, textile_run, same[1:], within=1e-3)


def test_every_template_is_filled_in(exports: Exports) -> None:
    for name in QUICK:
        written = sorted(path.name for path in exports[name].glob("example.*"))
        assert written == sorted(path.name.removesuffix(".in") for path in (TEMPLATES / name).iterdir())
        assert not any("{{" in path.read_text(encoding="utf-8") for path in exports[name].glob("example.*"))


def test_python_is_python(exports: Exports, textile_run: Run) -> None:
    """Also where it cannot be run here: it is valid, and imports no more than it says it needs."""
    source = ExportSource(SealedModel(textile_run.model), onnx.load(textile_run.model))
    for folder in (path.parent for path in TEMPLATES.glob("*/example.py.in")):
        text = examples(FORMATS[folder.name], source)["example.py"]
        tree = ast.parse(text)
        assert "{{" not in text
        needed = next(line for line in text.splitlines() if line.startswith("Needs: pip install"))
        for name in _imported(tree) - set(sys.stdlib_module_names):
            assert PACKAGES.get(name, name) in needed


def _imported(tree: ast.Module) -> set[str]:
    found = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    found |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    return {name.split(".")[0] for name in found}


def test_what_was_never_run_says_so_first() -> None:
    for path in [*TEMPLATES.rglob("*.kt.in"), *TEMPLATES.rglob("*.swift.in")]:
        assert path.read_text(encoding="utf-8").startswith("// Not run here.")
    for name in NOT_HERE:
        text = (TEMPLATES / name / "example.py.in").read_text(encoding="utf-8")
        assert text.startswith('"""Not run here: ')


def test_each_class_has_one_line(exports: Exports, textile_run: Run) -> None:
    lines = (exports["onnx"] / "labels.txt").read_text(encoding="utf-8").splitlines()
    assert lines == list(textile_run.labels)
    assert label_lines(("two\nlines", "猫")) == "two lines\n猫\n"
