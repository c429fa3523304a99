"""Features of texts that need no network: hashed character n-grams, weighted by TF-IDF.

Only n-grams of training texts count. Beyond a number of columns they are hashed into these, so that a
vocabulary of any size gives features of limited width, and what is unseen adds nothing to them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from eyebright.training.text.characters import BOUNDARY, canonical, spelled
from eyebright.types import BoolArray, FloatArray

SHORTEST, LONGEST = 2, 5
#: Columns of features, and n-grams that may share them.
COLUMNS, MOST_NGRAMS = 1 << 14, 1 << 16
#: The least length that a row is divided by.
TINY = np.float32(1e-6)
_FEW_TEXTS = 20  # among so few, an n-gram of one text may tell as much as any
# Scripts of one character a word or syllable: there a single character is an n-gram.
_IDEOGRAPHS = 0x2E80


@dataclass(frozen=True)
class NgramFeatures:
    """A vocabulary of n-grams with their columns and weights.

    Attributes:
        alphabet: the characters that are told apart.
        column: the column of each n-gram; several may share one.
        idf: (D,) inverse document frequencies of the columns.
    """

    alphabet: frozenset[str]
    column: dict[str, int]
    idf: FloatArray
    name = "ngrams"

    @property
    def width(self) -> int:
        """Return D."""
        return len(self.idf)

    def rows(self, texts: Sequence[str]) -> tuple[FloatArray, BoolArray]:
        """Return features (N, D) of texts, rows of length 1, and whether each holds a known n-gram (N,)."""
        rows: FloatArray = np.zeros((len(texts), self.width), np.float32)
        for row, text in zip(rows, texts, strict=True):
            for ngram, count in _ngrams(spelled(canonical(text), self.alphabet)).items():
                if (column := self.column.get(ngram)) is not None:
                    row[column] += count
        present = np.asarray(rows.any(axis=1), bool)
        rows = np.log1p(rows) * self.idf
        lengths = np.sqrt(np.square(rows).sum(axis=1, keepdims=True))
        return np.asarray(rows / np.maximum(lengths, TINY), np.float32), present


def fit_ngrams(texts: Sequence[str]) -> NgramFeatures:
    """Return the n-grams of training texts, each text counted once however many images share it.

    Args:
        texts: of training images, empty where an image has none.
    """
    distinct = sorted({text for text in texts if text})
    least = 1 if len(distinct) < _FEW_TEXTS else 2
    read = [canonical(text) for text in distinct]
    used = Counter(char for text in read for char in set(text) - {BOUNDARY})
    alphabet = frozenset(char for char, count in used.items() if count >= least)
    found = [set(_ngrams(spelled(text, alphabet))) for text in read]
    frequency = Counter(ngram for ngrams in found for ngram in ngrams)
    frequent = sorted((-count, ngram) for ngram, count in frequency.items() if count >= least)
    kept = sorted(ngram for _, ngram in frequent[:MOST_NGRAMS])
    if len(kept) <= COLUMNS:
        column = {ngram: number for number, ngram in enumerate(kept)}
    else:
        hashed = {ngram: _hash(ngram) for ngram in kept}
        number = {value: place for place, value in enumerate(sorted(set(hashed.values())))}
        column = {ngram: number[value] for ngram, value in hashed.items()}
    counts = Counter(c for ngrams in found for c in {column[n] for n in ngrams if n in column})
    width = max(column.values(), default=-1) + 1
    shares = np.array([(1 + len(distinct)) / (1 + counts[number]) for number in range(width)])
    return NgramFeatures(alphabet, column, np.asarray(np.log(shares) + 1, np.float32))


def _hash(ngram: str) -> int:
    return int.from_bytes(blake2b(ngram.encode(), digest_size=8).digest(), "big") % COLUMNS


def _ngrams(read: str) -> Counter[str]:
    """Return the n-grams of a canonical text."""
    found = Counter(
        read[place : place + length]
        for length in range(SHORTEST, LONGEST + 1)
        for place in range(len(read) - length + 1)
    )
    found.update(char for char in read if ord(char) >= _IDEOGRAPHS)
    for length in range(SHORTEST, LONGEST + 1):  # nothing but boundaries says nothing
        found.pop(BOUNDARY * length, None)
    return found
