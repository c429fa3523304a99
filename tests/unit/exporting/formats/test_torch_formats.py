"""What is particular to the formats that begin at PyTorch; what all formats must do is in the contract."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from exports import Exports
from onnx import TensorProto, helper

torch = pytest.importorskip("torch")

from eyebright.data.decode import decode  # noqa: E402
from eyebright.errors import MissingExtraError, ModelError  # noqa: E402
from eyebright.exporting.base import ExportSource, UnsupportedError  # noqa: E402
from eyebright.exporting.formats import litert_convert, litert_file  # noqa: E402
from eyebright.exporting.formats.coreml_package import CoreMl  # noqa: E402
from eyebright.exporting.formats.executorch_program import ExecuTorch  # noqa: E402
from eyebright.exporting.formats.litert_file import LiteRt  # noqa: E402
from eyebright.exporting.formats.ncnn_net import Ncnn, _unknown_layers  # noqa: E402
from eyebright.exporting.formats.torch_file import TorchProgram, TorchScript  # noqa: E402
from eyebright.exporting.formats.torch_source import module_of  # noqa: E402
from eyebright.runs.run import Run  # noqa: E402
from eyebright.sealed.model import SealedModel  # noqa: E402
from eyebright.types import UInt8Array  # noqa: E402

pytestmark = pytest.mark.xdist_group("exports")

FORMATS = [TorchScript(), TorchProgram(), ExecuTorch(), CoreMl(), Ncnn(), LiteRt()]


@pytest.fixture(scope="module")
def source(textile_run: Run) -> ExportSource:
    return ExportSource(SealedModel(textile_run.model), onnx.load(textile_run.model))


@pytest.fixture(scope="module")
def picture(textile: Path) -> UInt8Array:
    return decode(next((textile / "val").rglob("*.jpg")))


@pytest.fixture
def unsupported(source: ExportSource) -> ExportSource:
    """The same model with an operator at its end that nobody has."""
    graph = onnx.ModelProto()
    graph.CopyFrom(source.graph)
    softmax = next(node for node in graph.graph.node if "probabilities" in node.output)
    softmax.output[0] = "almost"
    after = list(graph.graph.node).index(softmax) + 1
    graph.graph.node.insert(after, helper.make_node("Hardmax", ["almost"], ["probabilities"]))
    return ExportSource(source.model, graph)


@pytest.mark.parametrize("target", FORMATS[:5], ids=lambda target: target.name)
def test_an_unknown_operator_is_named_with_formats_that_take_it(
    target, unsupported: ExportSource, tmp_path: Path
):
    with pytest.raises(UnsupportedError, match=r"does not support Hardmax\. Use onnx, openvino\."):
        target.export(unsupported, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_pt2_holds_no_example_and_takes_any_batch(
    source: ExportSource, picture: UInt8Array, exports: Exports
):
    file = exports["pt2"] / "model.pt2"
    with zipfile.ZipFile(file) as archive:
        entries = {info.filename: info.file_size for info in archive.infolist()}
    example = 4 * 2 * 3 * source.size**2  # bytes
    assert not [name for name in entries if "sample_inputs" in name and entries[name] >= example]
    weights = sum(p.numel() for p in module_of(source, "pt2").parameters())
    assert file.stat().st_size < 4 * weights + 500_000
    labels = {"labels": ""}
    program = torch.export.load(file, extra_files=labels)
    assert json.loads(labels["labels"]) == list(source.labels)
    assert program.example_inputs is None
    squares = torch.from_numpy(np.repeat(source.resized(picture), 3, axis=0))
    rows = program.module()(squares)[0].detach().numpy()
    np.testing.assert_allclose(rows[2], source.model.probabilities(picture[None])[0], atol=1e-4)


def test_torchscript_takes_any_batch_and_is_called_legacy(
    source: ExportSource, picture: UInt8Array, exports: Exports
):
    assert "legacy" in TorchScript().notes[0]
    labels = {"labels": ""}
    program = torch.jit.load(str(exports["torchscript"] / "model.ts"), _extra_files=labels)
    assert json.loads(labels["labels"]) == list(source.labels)
    for batch in (1, 5):
        squares = torch.from_numpy(np.repeat(source.resized(picture), batch, axis=0))
        probabilities, answers, *_ = program(squares)
        assert probabilities.shape == (batch, len(source.labels))
        assert answers.shape == (batch,)


def test_threads_of_torch_stay_what_they_were(source: ExportSource, picture: UInt8Array, exports: Exports):
    before = torch.get_num_threads()
    TorchScript().load(source, exports["torchscript"], threads=before + 1).predict(picture)
    assert torch.get_num_threads() == before


def test_executorch_answers_whichever_was_asked_last(
    source: ExportSource, picture: UInt8Array, exports: Exports
):
    pytest.importorskip("executorch", reason="needs eyebright[executorch]")
    folder = exports["executorch"]
    one, two = (ExecuTorch().load(source, folder, threads) for threads in (1, 2))
    expected = source.model.probabilities(picture[None])[0]
    for runner in (one, two, one):
        np.testing.assert_allclose(runner.predict(picture).probabilities, expected, atol=1e-4)


def test_core_ml_is_computed_from_what_lies_in_the_file(
    source: ExportSource, picture: UInt8Array, exports: Exports, tmp_path: Path
):
    pytest.importorskip("coremltools", reason="needs eyebright[coreml]")
    target = CoreMl()
    folder = Path(shutil.copytree(exports["coreml"], tmp_path / "coreml"))
    assert "macOS only" in target.notes[0]
    expected = source.model.probabilities(picture[None])[0]
    answer = target.load(source, folder, 1).predict(picture).probabilities
    np.testing.assert_allclose(answer, expected, atol=1e-4)
    (weights,) = folder.rglob("weight.bin")
    content = weights.read_bytes()
    starts = [i for i in range(0, len(content), 64) if content[i : i + 4] == b"\xef\xbe\xad\xde"]
    ends = [*starts[1:], len(content)]
    start, end = max(zip(starts, ends, strict=True), key=lambda pair: pair[1] - pair[0])
    weights.write_bytes(content[: start + 64] + bytes(end - start - 64) + content[end:])
    wrong = target.load(source, folder, 1).predict(picture).probabilities
    assert np.abs(wrong - expected).max() > 1e-3


def test_ncnn_in_half_precision_is_half_as_large(
    source: ExportSource, picture: UInt8Array, exports: Exports, tmp_path: Path
):
    pytest.importorskip("pnnx", reason="needs eyebright[ncnn]")
    half = ExportSource(source.model, source.graph, "fp16")
    Ncnn().export(half, tmp_path)
    answer = Ncnn().load(half, tmp_path, 1).predict(picture).probabilities
    np.testing.assert_allclose(answer, source.model.probabilities(picture[None])[0], atol=0.02)
    size, whole = ((folder / "model.ncnn.bin").stat().st_size for folder in (tmp_path, exports["ncnn"]))
    assert size < 0.55 * whole


def test_ncnn_that_has_no_answer_says_so(
    source: ExportSource, picture: UInt8Array, exports: Exports, tmp_path: Path
):
    pytest.importorskip("pnnx", reason="needs eyebright[ncnn]")
    folder = Path(shutil.copytree(exports["ncnn"], tmp_path / "ncnn"))
    param = folder / "model.ncnn.param"
    param.write_text(param.read_text().replace("out0", "out1"))
    with pytest.raises(ModelError, match="must be able to run the model"):
        Ncnn().load(source, folder, 1).predict(picture)


def test_layers_that_ncnn_lacks_are_found_by_their_names():
    param = "7767517\n3 3\nInput in0 0 1 in0\nTensor.reshape r 1 1 in0 1\naten::roll x 1 1 1 out0\n"
    assert _unknown_layers(param) == ["Tensor.reshape", "aten::roll"]


def test_a_transformer_is_refused_by_ncnn(tmp_path: Path, source: ExportSource, monkeypatch):
    pytest.importorskip("pnnx", reason="needs eyebright[ncnn]")
    monkeypatch.setitem(source.__dict__, "undecided_graph", _attention(source.size))
    with pytest.raises(UnsupportedError, match=r"It does not support .+ Use onnx, openvino, executorch"):
        Ncnn().export(source, tmp_path)


def _attention(size: int) -> onnx.ModelProto:
    """Patches that are split into three by a slice of a five-dimensional tensor, as in a transformer."""
    nodes = [
        helper.make_node("Reshape", ["images", "shape"], ["five"]),
        helper.make_node("Transpose", ["five"], ["turned"], perm=[2, 0, 3, 1, 4]),
        helper.make_node("Slice", ["turned", "zero", "one", "zero"], ["first"]),
        helper.make_node("Squeeze", ["first", "zero"], ["q"]),
        helper.make_node("Transpose", ["q"], ["k"], perm=[0, 1, 3, 2]),
        helper.make_node("MatMul", ["q", "k"], ["attention"]),
        helper.make_node("Softmax", ["attention"], ["probabilities"]),
    ]
    shape = np.array([-1, size, 3, 4, size // 4], np.int64)
    constants = {"shape": shape, "zero": np.array([0], np.int64), "one": np.array([1], np.int64)}
    graph = helper.make_graph(
        nodes,
        "attention",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["B", 3, size, size])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def test_litert_says_how_to_make_its_environment(source: ExportSource, tmp_path: Path, monkeypatch):
    pytest.importorskip("ai_edge_litert", reason="needs eyebright[litert]")
    monkeypatch.setenv("EYEBRIGHT_LITERT", str(tmp_path / "nowhere"))
    with pytest.raises(MissingExtraError) as caught:
        LiteRt().check(source)
    text = str(caught.value)
    assert f'"{sys.executable}" -m venv "{tmp_path / "nowhere"}"' in text
    assert '-m pip install "litert-torch==0.10.*" onnx onnxruntime' in text


def test_litert_tells_what_its_converter_said(source: ExportSource, tmp_path: Path, monkeypatch):
    """A Python without the converter stands in for a broken environment."""
    broken = tmp_path / "environment" / "bin"
    broken.mkdir(parents=True)
    (broken / "python").symlink_to(sys.executable)
    monkeypatch.setenv("EYEBRIGHT_LITERT", str(broken.parent))
    with pytest.raises(UnsupportedError, match="No module named"):
        LiteRt().export(source, tmp_path)


def test_litert_s_converter_names_an_unknown_operator():
    error = litert_file._refusal(f"Traceback\n{litert_convert.UNREADABLE}Hardmax\n")
    assert "does not support Hardmax. Use onnx, openvino." in str(error)


def test_the_script_for_litert_loads_nothing_of_ours_but_the_reader():
    """Its environment has neither Pillow's friends nor pydantic."""
    code = (
        "import sys; import eyebright.exporting.formats.litert_convert, eyebright.onnx_torch.module; "
        "print([m for m in ('pydantic', 'pyarrow', 'PIL', 'scipy', 'rich', 'openvino') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
