"""The notebooks are as their sources say, run from top to bottom, and go on when they are run again."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("nbclient")
pytest.importorskip("jupytext")
pytest.importorskip("ipykernel")

from notebooks import FOLDER, NOTEBOOKS, SMALL, calls, printed, read, run

from eyebright.verbs.train.options import TrainConfig

SCRIPT = FOLDER.parents[1] / "scripts" / "build_notebooks.py"
NEEDS_TORCH = ("02", "03", "04", "05", "07")
LARGEST_BYTES = 1_000_000


@pytest.fixture(scope="module")
def builder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_notebooks", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_notebooks_are_as_their_sources_say(builder: ModuleType) -> None:
    built = {
        builder.target(s, lang).name: builder.build(s, lang)
        for s in builder.sources()
        for lang in ("en", "zh")
    }
    assert sorted(built) == NOTEBOOKS
    stale = [name for name, text in built.items() if (FOLDER / name).read_text(encoding="utf-8") != text]
    assert stale == []


def test_every_notebook_is_there_in_both_languages_with_the_same_code() -> None:
    english = [name for name in NOTEBOOKS if ".zh." not in name]
    assert {name[:2] for name in english} == set(SMALL)
    for name in english:
        code, other = (_code(one) for one in (name, name.replace(".ipynb", ".zh.ipynb")))
        assert [line.replace('LANG = "zh"', 'LANG = "en"') for line in other] == code


def test_forms_offer_values_that_there_are(builder: ModuleType) -> None:
    offered = re.compile(r"^(SIZE|LAYERS|FINETUNE) = .* # @param (\[.*\])$", re.MULTILINE)
    texts = [path.read_text(encoding="utf-8") for path in builder.SOURCES.glob("*.py")]
    forms = [found for text in texts for found in offered.findall(text)]
    assert {name for name, _ in forms} == {"SIZE", "LAYERS", "FINETUNE"}
    for name, values in forms:
        for value in json.loads(values):
            TrainConfig.build(data="photos", **{name.lower(): int(value) if value.isdigit() else value})


def test_notebooks_are_committed_without_outputs() -> None:
    cells = [cell for name in NOTEBOOKS for cell in read(name).cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in cells)


def test_the_first_notebook_runs_on_an_archive_of_drive_and_goes_on(
    textile: Path, tmp_path: Path, feature_cache: Path
) -> None:
    name = "01_first_model.zh.ipynb"
    (tmp_path / "drive").mkdir()
    shutil.make_archive(str(tmp_path / "drive" / "photos"), "zip", textile / "train")
    _check(name, tmp_path, feature_cache, ARCHIVE="photos.zip")


@pytest.mark.slow
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_every_notebook_runs_twice(name: str, tmp_path: Path, feature_cache: Path) -> None:
    pytest.importorskip("conformal_clip_data")
    if name.startswith(NEEDS_TORCH):
        pytest.importorskip("torch")
        pytest.importorskip("torchvision")
    _check(name, tmp_path, feature_cache)


def _check(name: str, place: Path, cache: Path, **values: object) -> None:
    first = run(name, place, cache, **values)
    assert sum(len(str(cell.get("outputs", ""))) for cell in first.cells) < LARGEST_BYTES
    assert any(call[0] == "download" for call in calls(place))
    work = place / "eyebright-work"
    trained = [*work.glob("runs/*/metrics.json"), *work.glob("backbones/*/card.json")]
    assert trained
    on_drive = {path.name for path in (place / "drive" / "eyebright").iterdir()}
    assert {".".join(path.parent.parts[-2:]) for path in trained} <= on_drive
    # The machine goes away: only Drive is left.
    for folder in ("runs", "backbones"):
        shutil.rmtree(work / folder, ignore_errors=True)
    again = run(name, place, cache, **values)
    assert all(path.is_file() for path in trained)
    assert printed(again).count("不再训练" if ".zh." in name else "not trained again") == len(trained)


def _code(name: str) -> list[str]:
    return [cell.source for cell in read(name).cells if cell.cell_type == "code"]
