"""N-gram features: what is read of a text, and that the graph and Python read the same."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from eyebright.onnx_graph.builder import GraphBuilder
from eyebright.runtime.onnx_session import open_session
from eyebright.sealed.text_input import PRESENT, TEXT_FEATURES, _ngram_features
from eyebright.sealed.text_tensor import plain_texts
from eyebright.training.text import ngrams
from eyebright.training.text.characters import canonical
from eyebright.training.text.ngrams import NgramFeatures, fit_ngrams

_TRAINING = [
    "A warm hoodie with a drawstring hood.",
    "Warm <b>hoodie</b>, soft &amp; light; machine wash",
    "Running shoe, black, size 42",
    "黑色跑鞋，轻便透气",
    "红色连帽衫，保暖",
    "Худи тёплое, цвет чёрный",
]
_ODD = [
    "",
    "   \n\t ",
    "ＷＡＲＭ hoodie",
    "<p>warm\nhoodie</p>&nbsp;<br/>soft",
    "a < b and c > d hoodie",
    "<not closed hoodie",
    "😀 👨‍👩‍👧 hoodie",
    "שלום עולם hoodie",
    "ﬁne ß İ ǅ hoodie",
    "hoodie \x00\x01\x1b[0m \x02\x03",
    "\ud800 lone surrogate hoodie",
    "黑色  跑鞋",
    "x" * 30_000 + " hoodie",
    "\u2028hoodie\u3000warm\u00a0soft",
]


def _graph(features: NgramFeatures) -> onnx.ModelProto:
    builder = GraphBuilder()
    _ngram_features(builder, features)
    graph = helper.make_graph(
        builder.nodes,
        "texts",
        [helper.make_tensor_value_info("texts", TensorProto.STRING, ["T"])],
        [
            helper.make_tensor_value_info(TEXT_FEATURES, TensorProto.FLOAT, ["T", None]),
            helper.make_tensor_value_info(PRESENT, TensorProto.BOOL, ["T", 1]),
        ],
        builder.initializers,
    )
    domains = (("", 18), ("com.microsoft", 1), ("ai.onnx.ml", 3))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid(*d) for d in domains], ir_version=8)


@pytest.mark.parametrize("columns", [1 << 14, 32])
def test_graph_reads_what_python_reads(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setattr(ngrams, "COLUMNS", columns)  # 32: several n-grams share a column
    features = fit_ngrams(_TRAINING)
    session = open_session(_graph(features))
    texts = [*_TRAINING, *_ODD]
    rows, present = features.rows(texts)
    assert features.width <= columns
    together = session.run(None, dict(plain_texts(texts)))
    np.testing.assert_allclose(together[0], rows, atol=1e-6)
    assert together[1][:, 0].tolist() == present.tolist()
    for text, row in zip(texts, rows, strict=True):  # what else is in a batch does not matter
        np.testing.assert_allclose(session.run(None, dict(plain_texts([text])))[0][0], row, atol=1e-6)


def test_case_width_markup_and_blanks_are_folded() -> None:
    assert canonical("ＷＡＲＭ\nHoodie") == canonical("warm hoodie")
    assert canonical("<b>warm</b>&amp;hoodie") == " " + " warm " + " hoodie" + " "
    features = fit_ngrams(_TRAINING)
    rows, present = features.rows(["WARM HOODIE", "warm hoodie", "zzz", ""])
    np.testing.assert_array_equal(rows[0], rows[1])
    assert present.tolist() == [True, True, False, False]
    assert np.linalg.norm(rows[0]) == pytest.approx(1)


def test_a_text_of_many_images_counts_once() -> None:
    once, often = fit_ngrams(_TRAINING), fit_ngrams(_TRAINING + _TRAINING[:1] * 50)
    assert once.column == often.column
    np.testing.assert_array_equal(once.idf, often.idf)
