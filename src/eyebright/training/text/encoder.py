"""Features of texts by a sentence encoder in a file: an ONNX graph, or the weights of a BERT."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, version_converter
from pydantic import TypeAdapter

from eyebright.errors import EyebrightError, MissingExtraError, ModelError, NotFoundError
from eyebright.onnx_graph.builder import GraphBuilder
from eyebright.onnx_graph.stored import parse_onnx, read_onnx_bytes
from eyebright.runtime.install import install_command
from eyebright.runtime.onnx_session import open_session
from eyebright.runtime.stored import read_json, reason_of
from eyebright.training.text.bert_graph import HIDDEN, IDS, MASK, BertConfig, bert_graph
from eyebright.training.text.safetensors_file import read_safetensors
from eyebright.types import BoolArray, FloatArray

if TYPE_CHECKING:
    from tokenizers import Tokenizer

#: The output of an encoder's graph, float32 (T, D): the mean of what it says of the tokens.
FEATURES = "text_features"
_SENTENCE, _TYPES = "sentence_embedding", "token_type_ids"
_MOST_TOKENS = 256
_PADDED = 1024  # rows that a table of embeddings may have beyond the vocabulary
_CONTROL_FLOW = frozenset({"If", "Loop", "Scan"})
_LOOKUPS = frozenset({"Gather", "GatherBlockQuantized"})  # of an embedding, the second in few bits
_OPSET = 18  # of sealed graphs
_CONFIG = TypeAdapter(BertConfig)


class SentenceEncoder:
    """A sentence encoder with its tokenizer.

    Args:
        graph: `input_ids`, `attention_mask` int64 (T, L) → `text_features` float32 (T, D).
        tokenizer: of the same model, which cuts texts to what the graph takes.
        name: as `metrics.json` and the report call it.
    """

    def __init__(self, graph: onnx.ModelProto, tokenizer: Tokenizer, name: str) -> None:
        self.graph = graph
        self.tokenizer = tokenizer
        self.name = name
        self._session = open_session(graph.SerializeToString(), None)
        self._known: dict[str, FloatArray] = {}
        self.width = len(self._row("a"))

    def rows(self, texts: Sequence[str]) -> tuple[FloatArray, BoolArray]:
        """Return features (N, D) of texts, and whether there is one (N,)."""
        rows = [self._row(text) for text in texts]
        table = np.stack(rows) if rows else np.empty((0, self.width), np.float32)
        return table, np.array([bool(text.strip()) for text in texts])

    def _row(self, text: str) -> FloatArray:
        if text not in self._known:
            given = encoded(self.tokenizer, [text])
            self._known[text] = self._session.run([FEATURES], given)[0][0]
        return self._known[text]


def encoded(tokenizer: Tokenizer, texts: Sequence[str]) -> dict[str, npt.NDArray[np.int64]]:
    """Return the inputs `input_ids` and `attention_mask`, int64 (B, L); a blank text has no token at all."""
    rows = [tokenizer.encode(text).ids if text.strip() else [] for text in texts]
    length = max(1, *map(len, rows))
    ids, mask = (np.zeros((len(rows), length), np.int64) for _ in range(2))
    for row, kept, found in zip(ids, mask, rows, strict=True):
        row[: len(found)] = found
        kept[: len(found)] = 1
    return {IDS: ids, MASK: mask}


def require_tokenizers() -> None:
    """Require the package that reads tokenizers.

    Raises:
        MissingExtraError: it is not installed.
    """
    if find_spec("tokenizers") is None:
        raise MissingExtraError(
            "A sentence encoder needs the package tokenizers. It is not installed. Run: {command}",
            command=install_command("text"),
        )


@lru_cache(maxsize=1)
def load_encoder(path: Path) -> SentenceEncoder:
    """Return the sentence encoder in a file or folder.

    Args:
        path: an ONNX file with `tokenizer.json` beside it; or a Hugging Face folder with `tokenizer.json`,
            and either an ONNX file or `config.json` and `model.safetensors` of a BERT.

    Raises:
        NotFoundError: something of it is not there.
        MissingExtraError: the package tokenizers is not installed.
        ModelError: it cannot be used; the text says why.
    """
    require_tokenizers()
    if not path.exists():
        raise NotFoundError("The text encoder must exist. {path} does not. Check the path.", path=path)
    file = _onnx_file(path)
    folder = path if path.is_dir() else path.parent
    places = (folder / "tokenizer.json", folder.parent / "tokenizer.json")
    tokenizer_file = next((place for place in places if place.is_file()), None)
    if tokenizer_file is None:
        raise NotFoundError(
            "A text encoder needs the tokenizer of its model. There is no tokenizer.json in {folder}. "
            "Copy it there.",
            folder=folder,
        )
    try:
        graph = _pooled(_from_bert(folder) if file is None else parse_onnx(read_onnx_bytes(file)))
        tokenizer = _tokenizer(tokenizer_file, graph)
        return SentenceEncoder(graph, tokenizer, folder.resolve().name)
    except EyebrightError:
        raise
    except Exception as error:  # what anyone's file makes ONNX, tokenizers or safetensors raise
        raise ModelError(
            "A text encoder must be an ONNX file, or the weights of a BERT, with its tokenizer. {path} "
            "is not: {reason}. Give another one.",
            path=path,
            reason=reason_of(error).partition("\n")[0][:200],
        ) from error


def _onnx_file(path: Path) -> Path | None:
    if path.is_file():
        return path
    return next(
        (file for file in (path / "model.onnx", path / "onnx" / "model.onnx") if file.is_file()), None
    )


def _from_bert(folder: Path) -> onnx.ModelProto:
    weights = folder / "model.safetensors"
    if not weights.is_file() or not (folder / "config.json").is_file():
        raise NotFoundError(
            "The folder of a text encoder must have model.onnx, or config.json and model.safetensors. "
            "{folder} has neither. Give another folder.",
            folder=folder,
        )
    tensors = read_safetensors(weights)
    return bert_graph(read_json(_CONFIG, folder / "config.json"), tensors)


def _pooled(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Return an encoder's graph from tokens to one row a text, in the version of sealed graphs."""
    if found := _CONTROL_FLOW & {node.op_type for node in graph.graph.node}:
        raise ValueError(f"its graph branches or loops ({min(found)})")
    if any(tensor.data_location == TensorProto.EXTERNAL for tensor in graph.graph.initializer):
        raise ValueError("its weights are in another file")
    constants = {tensor.name for tensor in graph.graph.initializer}
    inputs = {value.name for value in graph.graph.input} - constants
    if not {IDS, MASK} <= inputs or inputs - {IDS, MASK, _TYPES}:
        raise ValueError(f"its inputs are not {IDS} and {MASK}, but {', '.join(sorted(inputs))}")
    outputs = {value.name: value for value in graph.graph.output}
    source = _SENTENCE if _SENTENCE in outputs else HIDDEN if HIDDEN in outputs else None
    if source is None:
        raise ValueError(f"it has no output {HIDDEN} or {_SENTENCE}, but {', '.join(sorted(outputs))}")
    version = next(entry.version for entry in graph.opset_import if entry.domain in ("", "ai.onnx"))
    if version != _OPSET:
        graph = version_converter.convert_version(graph, _OPSET)
    return _ending(graph, source, _TYPES in inputs)


def _ending(graph: onnx.ModelProto, source: str, typed: bool) -> onnx.ModelProto:
    """Add the mean over the tokens, and token types of 0 where the graph asks for them."""
    before, after = GraphBuilder(), GraphBuilder()
    if typed:
        before.node("Sub", [IDS, IDS], _TYPES)
    if source == _SENTENCE:
        after.node("Identity", [source], FEATURES)
    else:
        mask = after.node("Cast", [MASK], "pooled_mask", to=TensorProto.FLOAT)
        last = after.constant("pooled_last", np.array([2], np.int64))
        middle = after.constant("pooled_middle", np.array([1], np.int64))
        kept = after.node(
            "Mul", [source, after.node("Unsqueeze", [mask, last], "pooled_each")], "pooled_kept"
        )
        total = after.node("ReduceSum", [kept, middle], "pooled_total", keepdims=0)
        count = after.node("ReduceSum", [mask, middle], "pooled_count", keepdims=1)
        one = after.constant("pooled_one", np.array(1, np.float32))
        after.node("Div", [total, after.node("Max", [count, one], "pooled_least")], FEATURES)
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["T", "L"]) for name in (IDS, MASK)]
    outputs = [helper.make_tensor_value_info(FEATURES, TensorProto.FLOAT, ["T", None])]
    whole = helper.make_graph(
        [*before.nodes, *graph.graph.node, *after.nodes],
        "encoder",
        inputs,
        outputs,
        [*graph.graph.initializer, *after.initializers],
    )
    return helper.make_model(whole, opset_imports=graph.opset_import, ir_version=8)


def _embeddings(graph: onnx.ModelProto) -> int:
    """Return of how many tokens a graph has embeddings, quantised or not; 0 where that cannot be seen."""
    sizes = {tensor.name: tensor.dims[0] for tensor in graph.graph.initializer if len(tensor.dims) == 2}
    producers = {name: node for node in graph.graph.node for name in node.output}
    tables = [n.input[0] for n in graph.graph.node if n.op_type in _LOOKUPS and n.input[1] == IDS]
    for value in tables:
        while value not in sizes and value in producers:
            value = producers[value].input[0]
        if value in sizes:
            return int(sizes[value])
    return 0


def _tokenizer(path: Path, graph: onnx.ModelProto) -> Tokenizer:
    """Return the tokenizer, which must have the vocabulary that the graph has embeddings of."""
    from tokenizers import Tokenizer

    tokenizer: Tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.enable_truncation(_MOST_TOKENS)
    words, rows = tokenizer.get_vocab_size(), _embeddings(graph)
    if rows and not words <= rows <= words + _PADDED:
        raise ModelError(
            "The tokenizer must be that of the text encoder. {path} knows {words} tokens, and the "
            "encoder {rows}. Copy the right one.",
            path=path,
            words=words,
            rows=rows,
        )
    return tokenizer
