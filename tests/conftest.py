"""Real photographs, folders of them, and one run that is trained once for all tests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from exports import Exports
from PIL import Image

from eyebright.data.folder import scan
from eyebright.data.manifest import Manifest
from eyebright.runs.run import Run
from eyebright.verbs.train.options import TrainConfig
from eyebright.verbs.train.train import train

# Before torch is imported, here or in a process of a test's own: beside other work, threads that spin while
# they wait take ten times as long. Of several workers, each has one thread.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

TRAIN_IMAGES, VAL_IMAGES = 24, 10  # of each class of the textile folder
SIZE, LAYERS = 96, "texture"


# Groups of tests that one worker runs in turn: "alone" are those that start several processes, limit memory,
# measure time or open a browser; "exports" are those that share the fixture `exports`.
GROUPS = ("exports", "alone")
FOLDERS = ("contract", "e2e", "unit", "architecture")  # those whose modules take longest begin


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test its group: its module's, which share fixtures, unless a mark names another."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(f"{item.path.parent.name}/{item.path.stem}"))
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    group = next(iter(item.iter_markers("xdist_group"))).args[0]
    if group in GROUPS:
        return GROUPS.index(group)
    folder = item.path.relative_to(Path(__file__).parent).parts[0]
    return len(GROUPS) + FOLDERS.index(folder)


@pytest.fixture(scope="session", autouse=True)
def feature_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """No test reads or fills the cache of whoever runs it."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EYEBRIGHT_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def photographs() -> dict[str, Image.Image]:
    """Four photographs by name, in RGB."""
    data = pytest.importorskip("skimage.data", reason="needs scikit-image and its photographs")
    names = {"cat": "chelsea", "coffee": "coffee", "astronaut": "astronaut", "rocket": "rocket"}
    return {name: Image.fromarray(getattr(data, function)()) for name, function in names.items()}


@pytest.fixture(scope="session")
def scenes() -> list[Image.Image]:
    """The two photographs of scikit-learn (640 x 427), a temple and a flower."""
    from sklearn.datasets import load_sample_images

    return [Image.fromarray(image) for image in load_sample_images().images]


@pytest.fixture(scope="session")
def textile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real photographs of woven textile in train/ and val/, with defects and without (three classes)."""
    pytest.importorskip("conformal_clip_data", reason="needs the textile images of eyebright[demo]")
    from eyebright.verbs.demo.demo import demo_images

    root = tmp_path_factory.mktemp("textile")
    for folder in sorted(p for p in demo_images().iterdir() if p.is_dir()):
        files = sorted(folder.glob("*.jpg"))[: TRAIN_IMAGES + VAL_IMAGES]
        for part, chosen in (("train", files[:TRAIN_IMAGES]), ("val", files[TRAIN_IMAGES:])):
            (root / part / folder.name).mkdir(parents=True)
            for file in chosen:
                shutil.copyfile(file, root / part / folder.name / file.name)
    return root


@pytest.fixture(scope="session")
def textile_manifest(textile: Path) -> Manifest:
    return scan(textile)


@pytest.fixture(scope="session")
def textile_run(textile: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished training; tests only read it."""
    out = tmp_path_factory.mktemp("runs") / "textile"
    return train(TrainConfig(data=textile, out=out, size=SIZE, layers=LAYERS))


@pytest.fixture(scope="session")
def decided_run(textile: Path, textile_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A training with a target, for which another class than the likeliest is often predicted."""
    out = tmp_path_factory.mktemp("runs") / "decided"
    target = ["recall(nominal) >= 1"]
    return train(TrainConfig(data=textile, out=out, size=SIZE, layers=LAYERS, target=target))


@pytest.fixture(scope="session")
def exports(textile_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Exports:
    """The folder of each format of that run, in one conversion; tests only read them."""
    return Exports(textile_run.directory, tmp_path_factory.mktemp("exports"))


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1,000 handwritten digits (8 x 8 pixels, scikit-learn) as PNG in ten class folders."""
    from sklearn.datasets import load_digits

    pixels, truth = load_digits(return_X_y=True)
    root = tmp_path_factory.mktemp("digits")
    for label in range(10):
        (root / str(label)).mkdir()
    for number, (row, label) in enumerate(zip(pixels[:1000], truth[:1000], strict=True)):
        image = Image.fromarray((row.reshape(8, 8) * 255 / 16).astype(np.uint8))
        image.save(root / str(label) / f"{number:04}.png")
    return root
