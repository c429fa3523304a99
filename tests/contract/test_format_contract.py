"""What every export format must do, whichever it is: take the real model, and answer as the original does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from exports import Exports

from eyebright.data.decode import decode
from eyebright.errors import EyebrightError, MissingExtraError
from eyebright.exporting.base import ExportSource, Format, UnsupportedError
from eyebright.exporting.catalog import FORMATS
from eyebright.runs.run import Run
from eyebright.sealed.model import SealedModel
from eyebright.types import UInt8Array
from eyebright.verbs.export.options import ExportConfig

# Of any probability, on real images: the formats' own arithmetic, and OpenVINO's own resize.
LARGEST_DIFFERENCE = 0.005
# Conversions that take many seconds; what needs one of its own is slow there.
SLOW = {"executorch", "coreml", "ncnn", "litert", "pt2", "torchscript"}

pytestmark = pytest.mark.xdist_group("exports")


@pytest.fixture(scope="module")
def source(textile_run: Run) -> ExportSource:
    return ExportSource(SealedModel(textile_run.model), onnx.load(textile_run.model))


@pytest.fixture(scope="module")
def pictures(textile: Path, photographs) -> list[UInt8Array]:
    """Validation images, and photographs of other sizes and shapes."""
    textiles = [decode(path) for path in sorted((textile / "val").rglob("*.jpg"))[::6]]
    return [*textiles, *(np.asarray(image)[:200, :301] for image in photographs.values())]


@pytest.fixture(scope="module", params=FORMATS)
def target(request: pytest.FixtureRequest, source: ExportSource) -> Format:
    found = FORMATS[request.param]
    try:
        found.check(source)
    except MissingExtraError as error:
        pytest.skip(str(error))
    return found


@pytest.fixture(scope="module")
def folder(target: Format, exports: Exports) -> Path:
    return exports[target.name]


def test_its_name_is_the_one_it_is_asked_for_by(target: Format) -> None:
    assert FORMATS[target.name] is target
    assert "fp32" in target.precisions
    assert target.input


def test_it_writes_files_and_leaves_nothing_temporary(folder: Path) -> None:
    names = [path.name for path in folder.rglob("*") if path.is_file()]
    assert names
    assert [name for name in names if name.startswith(".") or name.endswith((".tmp", ".pkl"))] == []


@pytest.mark.parametrize("threads", [1, 2])
def test_it_answers_as_the_original(
    target: Format, source: ExportSource, folder: Path, pictures: list[UInt8Array], threads: int
) -> None:
    runner = target.load(source, folder, threads)
    found = [runner.predict(picture) for picture in pictures]
    probabilities = np.stack([output.probabilities for output in found])
    wanted = [source.model.predict_answers(picture[None]) for picture in pictures]
    expected = np.concatenate([probabilities for probabilities, _, _ in wanted])
    answers = np.concatenate([answers for _, _, answers in wanted])
    assert probabilities.dtype == np.float32
    assert probabilities.shape == expected.shape
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-4)
    np.testing.assert_allclose(probabilities, expected, atol=LARGEST_DIFFERENCE)
    if target.decides:
        assert np.array([output.answer for output in found]).tolist() == answers.tolist()
        assert (answers == -1).any()  # photographs of other things are unknown
        assert (answers >= 0).any()
    else:
        assert [output.answer for output in found] == [None] * len(found)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in FORMATS]
)
def test_it_leaves_the_source_as_it_was(
    name: str, source: ExportSource, textile_run: Run, tmp_path: Path
) -> None:
    try:
        FORMATS[name].check(source)
    except MissingExtraError as error:
        pytest.skip(str(error))
    FORMATS[name].export(source, tmp_path)
    assert list(tmp_path.iterdir())
    assert source.graph == onnx.load(textile_run.model)


def test_every_format_can_be_asked_for() -> None:
    config = ExportConfig.build(model=Path("run"), to=[name for name in FORMATS if name != "onnx-plain"])
    assert set(config.to) | {"onnx-plain"} == set(FORMATS)


def test_what_cannot_be_taken_is_an_error_of_ours() -> None:
    assert issubclass(UnsupportedError, EyebrightError)
