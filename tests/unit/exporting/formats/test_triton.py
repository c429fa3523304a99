"""The repository for Triton: its configuration is what Triton's own schema reads, and fits the model."""

from __future__ import annotations

import shutil
from pathlib import Path

import onnx
import onnxruntime
import pytest

from eyebright.exporting.base import ExportSource
from eyebright.exporting.formats.triton import Triton, configuration, read_configuration
from eyebright.runs.run import Run
from eyebright.sealed.model import SealedModel

pytest.importorskip("tritonclient.grpc", reason="needs eyebright[triton]")


@pytest.fixture(scope="module")
def source(textile_run: Run, tmp_path_factory: pytest.TempPathFactory) -> ExportSource:
    """The model in a folder whose name no program would take."""
    folder = tmp_path_factory.mktemp("runs") / 'my "first" run 猫'
    folder.mkdir()
    model = Path(shutil.copy(textile_run.model, folder / "model.onnx"))
    return ExportSource(SealedModel(model), onnx.load(model))


@pytest.fixture(scope="module")
def repository(source: ExportSource, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("triton")
    Triton().export(source, folder)
    return folder


def test_the_files_lie_as_triton_looks_for_them(repository: Path, source: ExportSource) -> None:
    names = sorted(
        path.relative_to(repository).as_posix() for path in repository.rglob("*") if path.is_file()
    )
    assert names == ["my_first_run/1/model.onnx", "my_first_run/config.pbtxt", "my_first_run/labels.txt"]
    assert (repository / "my_first_run/labels.txt").read_text().splitlines() == list(source.labels)


def test_the_configuration_is_what_the_model_takes_and_gives(repository: Path) -> None:
    from tritonclient.grpc import model_config_pb2 as schema

    config = read_configuration((repository / "my_first_run/config.pbtxt").read_text())
    assert isinstance(config, schema.ModelConfig)
    assert (config.name, config.backend) == ("my_first_run", "onnxruntime")
    assert config.HasField("dynamic_batching")
    session = onnxruntime.InferenceSession(repository / "my_first_run/1/model.onnx")
    assert [i.name for i in config.input] == [i.name for i in session.get_inputs()]
    assert [o.name for o in config.output] == [o.name for o in session.get_outputs()]
    (images,) = config.input
    assert (images.data_type, list(images.dims)) == (schema.TYPE_UINT8, [-1, -1, 3])
    probabilities = config.output[0]
    assert (probabilities.data_type, list(probabilities.dims)) == (schema.TYPE_FP32, [3])
    assert probabilities.label_filename == "labels.txt"
    score = config.output[1]
    assert (list(score.dims), score.HasField("reshape"), list(score.reshape.shape)) == ([1], True, [])
    # Triton adds the batch in front, so it must be free in the model.
    assert config.max_batch_size == 32
    assert isinstance(session.get_inputs()[0].shape[0], str)


def test_a_batch_of_the_largest_size_is_answered(repository: Path, photographs) -> None:
    import numpy as np

    session = onnxruntime.InferenceSession(repository / "my_first_run/1/model.onnx")
    image = np.asarray(photographs["coffee"].resize((60, 40)))
    (answers,) = session.run(["probabilities"], {"images": np.stack([image] * 32)})
    assert answers.shape == (32, 3)


def test_a_configuration_that_triton_cannot_read_is_not_written(source: ExportSource, tmp_path: Path) -> None:
    from google.protobuf.text_format import ParseError

    with pytest.raises(ParseError):
        read_configuration(configuration(source).replace("TYPE_FP32", "TYPE_FLOAT"))
