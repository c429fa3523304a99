"""The second input of a sealed graph: texts, which need not be given.

The input has a default, one empty text, so that whoever knows only images calls the file as before and gets
what the image head says.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from eyebright.onnx_graph.builder import GraphBuilder
from eyebright.onnx_graph.edit import copy_of
from eyebright.sealed.graph import LOGITS, OUTPUT, TEXT_OUTPUT, TEXT_SHARE, TEXTS, TOKENS
from eyebright.training.text.characters import BOUNDARY, MOST_TOKENS, TOKEN, spellings
from eyebright.training.text.encoder import FEATURES, SentenceEncoder
from eyebright.training.text.fusion import TextHead
from eyebright.training.text.ngrams import LONGEST, TINY, NgramFeatures

#: Values: whether there is a text (B, 1), its features (B, D), the logits (B, K) of the text and of both.
PRESENT, TEXT_FEATURES, TEXT_LOGITS, FUSED = "text_present", FEATURES, "text_logits", "fused_logits"
#: Constants: the text head's weights (D, K) over its temperature.
TEXT_WEIGHTS = "text_weights"

_BEGIN, _END = "\x02", "\x03"  # the Tokenizer's marks
_PADDING = "\x03\x03"  # no token of a text has two characters
_NO_NGRAM, _OTHER = -1, 0
_MICROSOFT, _ML = "com.microsoft", "ai.onnx.ml"


def with_text(sealed: onnx.ModelProto, head: TextHead) -> onnx.ModelProto:
    """Add the input `texts` and the output `text_probabilities` to a sealed graph.

    `probabilities` then are those of image and text where a text says anything, and those of the image alone
    elsewhere. What else hangs on the image's logits, such as the OOD score, stays what it is.

    Args:
        sealed: the graph, which is left as it is.
        head: fitted beside the head of the graph.
    """
    whole = copy_of(sealed)
    ending = next(node for node in whole.graph.node if OUTPUT in node.output)
    builder = GraphBuilder()
    featuriser = head.featuriser
    if isinstance(featuriser, SentenceEncoder):
        _encoder_features(builder, featuriser)
        defaults = [numpy_helper.from_array(np.zeros((1, 1), np.int64), name) for name in TOKENS]
        shape = ["T", "L"]
    elif isinstance(featuriser, NgramFeatures):
        _ngram_features(builder, featuriser)
        defaults, shape = [numpy_helper.from_array(np.array([""], np.object_), TEXTS)], ["T"]
    else:
        raise TypeError(f"{featuriser.name} has no graph")
    _fuse(builder, head)
    attributes = {a.name: helper.get_attribute_value(a) for a in ending.attribute}
    builder.node(ending.op_type, [TEXT_LOGITS], TEXT_OUTPUT, **attributes)
    ending.input[0] = FUSED
    at = list(whole.graph.node).index(ending)
    nodes = [*whole.graph.node[:at], *builder.nodes, *whole.graph.node[at:]]
    del whole.graph.node[:]
    whole.graph.node.extend(nodes)
    whole.graph.initializer.extend([*builder.initializers, *defaults])
    whole.graph.input.extend(
        helper.make_tensor_value_info(one.name, one.data_type, shape) for one in defaults
    )
    classes = len(head.head.bias)
    whole.graph.output.append(helper.make_tensor_value_info(TEXT_OUTPUT, TensorProto.FLOAT, ["T", classes]))
    known = {entry.domain for entry in whole.opset_import}
    wanted = {_MICROSOFT: 1, _ML: 3}
    if isinstance(featuriser, SentenceEncoder):
        wanted = {entry.domain: entry.version for entry in featuriser.graph.opset_import if entry.domain}
    for domain, version in wanted.items():
        if domain not in known:
            whole.opset_import.append(helper.make_opsetid(domain, version))
    onnx.checker.check_model(whole)
    return whole


def _encoder_features(builder: GraphBuilder, encoder: SentenceEncoder) -> None:
    """Add an encoder's graph, its values under names of their own."""
    graph = encoder.graph.graph
    given = {*TOKENS, FEATURES, ""}

    def renamed(name: str) -> str:
        return name if name in given else f"text_encoder/{name}"

    for node in graph.node:
        copied = onnx.NodeProto()
        copied.CopyFrom(node)
        copied.name = renamed(node.name) if node.name else ""
        copied.input[:] = map(renamed, node.input)
        copied.output[:] = map(renamed, node.output)
        builder.nodes.append(copied)
    for tensor in graph.initializer:
        moved = onnx.TensorProto()
        moved.CopyFrom(tensor)
        moved.name = renamed(tensor.name)
        builder.initializers.append(moved)
    axis = builder.constant("text_columns", np.array([1], np.int64))
    mask = builder.node("Cast", [TOKENS[1]], "text_mask", to=TensorProto.FLOAT)
    found = builder.node("ReduceMax", [mask, axis], "text_found", keepdims=1)
    builder.node("Greater", [found, builder.constant("text_nothing", np.array(0, np.float32))], PRESENT)


def _ngram_features(builder: GraphBuilder, ngrams: NgramFeatures) -> None:
    """Add what :meth:`NgramFeatures.rows` computes."""
    alphabet = sorted(ngrams.alphabet)
    number = {BOUNDARY: _OTHER} | {char: place for place, char in enumerate(alphabet, 1)}
    keys = [(char, number[folded]) for folded, chars in spellings(alphabet).items() for char in chars]
    tokens = builder.node(
        "Tokenizer",
        [TEXTS],
        "text_tokens",
        domain=_MICROSOFT,
        mark=1,
        mincharnum=1,
        pad_value=_PADDING,
        tokenexp=TOKEN,
    )
    # The inference of shapes knows no type behind an operator of Microsoft's, and crashes without one.
    typed = builder.node("Cast", [tokens], "text_characters", to=TensorProto.STRING)
    limits = {"begin": 0, "end": MOST_TOKENS, "axis": 1}
    names = [builder.constant(f"text_{name}", np.array([at], np.int64)) for name, at in limits.items()]
    read = builder.node("Slice", [typed, *names], "text_read")
    ids = builder.node(
        "LabelEncoder",
        [read],
        "text_ids",
        domain=_ML,
        keys_strings=[_PADDING, _BEGIN, _END, *(char for char, _ in keys)],
        values_int64s=[_NO_NGRAM, _OTHER, _OTHER, *(value for _, value in keys)],
        default_int64=_OTHER,
    )
    ordered = sorted(ngrams.column, key=lambda ngram: (len(ngram), ngram))
    starts: list[int] = []
    pool: list[int] = []
    for length in range(1, LONGEST + 1):
        starts.append(len(pool))
        pool += [number[char] for ngram in ordered if len(ngram) == length for char in ngram]
    counts = builder.node(
        "TfIdfVectorizer",
        [ids],
        "text_counts",
        mode="TF",
        min_gram_length=1,
        max_gram_length=LONGEST,
        max_skip_count=0,
        ngram_counts=starts,
        ngram_indexes=[ngrams.column[ngram] for ngram in ordered],
        pool_int64s=pool,
    )
    axis = builder.constant("text_columns", np.array([1], np.int64))
    one, nothing = (
        builder.constant(f"text_{name}", np.array(at, np.float32))
        for name, at in (("one", 1), ("nothing", 0))
    )
    found = builder.node("ReduceSum", [counts, axis], "text_found", keepdims=1)
    builder.node("Greater", [found, nothing], PRESENT)
    damped = builder.node("Log", [builder.node("Add", [counts, one], "text_more")], "text_damped")
    weighted = builder.node("Mul", [damped, builder.constant("text_idf", ngrams.idf)], "text_weighted")
    norm = builder.node("ReduceL2", [weighted, axis], "text_length", keepdims=1)
    least = builder.node(
        "Max", [norm, builder.constant("text_tiny", np.array(TINY, np.float32))], "text_least"
    )
    builder.node("Div", [weighted, least], TEXT_FEATURES)


def _fuse(builder: GraphBuilder, head: TextHead) -> None:
    """Add what :meth:`TextHead.fused` computes."""
    weights = builder.constant(TEXT_WEIGHTS, head.head.weights)
    logits = builder.node(
        "Gemm", [TEXT_FEATURES, weights, builder.constant("text_bias", head.head.bias)], TEXT_LOGITS
    )
    shares = {"image_weight": head.image_weight, "text_weight": head.text_weight}
    image_weight, text_weight = (
        builder.constant(f"fused_{name}", np.array(value, np.float32)) for name, value in shares.items()
    )
    image = builder.node("Mul", [LOGITS, image_weight], "fused_image")
    text = builder.node("Mul", [logits, text_weight], TEXT_SHARE)
    both = builder.node("Add", [image, text], "fused_both")
    builder.node("Where", [PRESENT, both, LOGITS], FUSED)
