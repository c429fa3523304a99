"""What int8 makes of candidates: each has its own file, and none ends the search."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from metrics_schema import violations

from eyebright.errors import DataError, ModelError
from eyebright.runs.run import Run
from eyebright.runtime.context import showing
from eyebright.runtime.progress import Silent
from eyebright.sealed.model import SealedModel
from eyebright.verbs.shrink.options import ShrinkConfig
from eyebright.verbs.shrink.shrink import Search, shrink
from eyebright.verbs.train.options import TrainConfig
from eyebright.verbs.train.train import train


class Told(Silent):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def say(self, text: str) -> None:
        self.texts.append(text)


@pytest.fixture(scope="module")
def smaller_run(textile: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("smaller") / "run"
    return train(TrainConfig(data=textile, out=out, size=64, layers="texture"))


def search(model: Path, out: Path, *also: Path, **options: Any) -> Search:
    options |= {"model": model, "candidates": list(also), "out": out, "target": ["size<=1MB"]}
    return Search(ShrinkConfig.build(**options))


def test_runs_whose_directories_have_the_same_name_have_their_own_int8_files(
    textile_run: Run, smaller_run: Run, tmp_path: Path
) -> None:
    model = tmp_path / "run"
    shutil.copytree(textile_run.directory, model)
    tried = search(model, tmp_path / "out", smaller_run.directory)
    both = [tried._measured(str(path), path / "model.onnx") for path in (model, smaller_run.directory)]
    found = list(tried._integers(both))
    assert [c.precision for c in found] == ["int8", "int8"]
    assert [SealedModel(c.path).size for c in found] == [96, 64]


def test_too_few_images_to_calibrate_on_do_not_end_the_search(textile: Path, tmp_path: Path) -> None:
    few = tmp_path / "few"
    for path in sorted(textile.rglob("*.jpg")):
        target = few / path.relative_to(textile)
        target.parent.mkdir(parents=True, exist_ok=True)
        if len(list(target.parent.iterdir())) < 6:  # 18 to train on, where 20 are needed
            shutil.copyfile(path, target)
    run = train(TrainConfig(data=few, out=tmp_path / "run", size=64, layers="texture"))
    told = Told()
    tried = search(run.directory, tmp_path / "out")
    with showing(told):
        assert list(tried._integers([tried._measured("few", run.model)])) == []
    assert "An int8 export needs at least 20 training images" in told.texts[-1]


@pytest.mark.slow
def test_a_model_that_is_int8_already_is_not_quantised_again(smaller_run: Run, tmp_path: Path) -> None:
    tried = search(smaller_run.directory, tmp_path / "first")
    (integers,) = tried._integers([tried._measured("run", smaller_run.model)])
    shutil.copyfile(smaller_run.directory / "manifest.parquet", integers.path.with_name("manifest.parquet"))
    found = search(integers.path, tmp_path / "out", size=[64]).candidates()
    assert (found[0].name, found[0].precision) == ("original model", "int8")
    assert [c.name for c in found if c.precision == "int8" and not c.name.endswith(" int8")] == [
        found[0].name
    ]
    assert "original model int8" not in [c.name for c in found]
    assert [c.precision for c in found[1:3]] == ["fp32", "fp32"]


def test_a_further_model_must_not_have_learned_from_what_it_is_compared_on(
    textile: Path, smaller_run: Run, textile_run: Run, tmp_path: Path
) -> None:
    search(textile_run.directory, tmp_path / "out", smaller_run.directory)  # the same parts
    turned, other = tmp_path / "turned", tmp_path / "other"
    shutil.copytree(textile / "train", turned / "val")
    shutil.copytree(textile / "val", turned / "train")
    run = train(TrainConfig(data=turned, out=other, size=64, layers="texture"))
    with pytest.raises(DataError, match="trained on 30 of the 30 images here"):
        search(textile_run.directory, tmp_path / "out", run.directory)


def test_a_further_model_must_be_the_one_that_its_run_wrote(
    smaller_run: Run, textile_run: Run, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(smaller_run.directory, other)
    shutil.copyfile(textile_run.model, other / "model.onnx")
    with pytest.raises(ModelError, match="was modified afterwards"):
        search(textile_run.directory, tmp_path / "out", other)


def test_the_options_are_written_down_as_they_can_be_given_again(
    textile_run: Run, smaller_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "config.toml").write_text('data = "of an earlier training"')
    monkeypatch.chdir(smaller_run.directory.parent)
    config = search(textile_run.directory, out, Path(smaller_run.directory.name), budget=600).config
    found = ShrinkConfig.build(out / "config.toml")
    assert found == config.model_copy(update={"candidates": [smaller_run.directory]})


def test_operating_points_that_are_not_taken_over_are_told(textile: Path, tmp_path: Path) -> None:
    options = {"data": textile, "size": 96, "layers": "texture", "target": ["recall(local) >= 0.5"]}
    run = train(TrainConfig.build(**options, out=tmp_path / "run"))
    size = run.model.stat().st_size / 1e6
    for most, left in ((size + 0.01, False), (size - 0.01, True)):
        told = Told()
        target = [f"size<={most:.3f}MB"]
        out = tmp_path / f"out-{left}"
        with showing(told):
            found = shrink(ShrinkConfig(model=run.directory, target=target, size=[64], int8=False, out=out))
        assert any("were not carried over" in text for text in told.texts) == left
        assert violations(found.run) == []
        page = found.run.report.read_text(encoding="utf-8")
        assert 'id="slices"' in page  # as every evaluation has them
        assert SealedModel(found.run.model).decisions.changed != left
