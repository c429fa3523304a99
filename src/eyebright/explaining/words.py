"""Which words of a text speak for a class, and which against it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eyebright.sealed.model import SealedModel
from eyebright.types import UInt8Array

# A word, or one character of a script without blanks between words.
_UNSPACED = "\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff"
_WORD = re.compile(f"[{_UNSPACED}]|[^\\W_{_UNSPACED}]+")
_MOST_WORDS = 200
_TINY = 1e-12


@dataclass(frozen=True)
class WordEvidence:
    """How much a word counts for a class.

    Attributes:
        word: as it stands in the text first.
        gain: by how much more likely it makes the class, in nats: above 0 for it, below 0 against.
    """

    word: str
    gain: float


def word_evidence(model: SealedModel, pixels: UInt8Array, text: str, label: str) -> Sequence[WordEvidence]:
    """Return the words of a text, the strongest first, by what the model answers without each of them.

    Nothing is estimated: the model answers the same image once for every word that is left out.

    Args:
        model: that reads texts.
        pixels: of the image (H, W, 3).
        text: beside it.
        label: the class that words speak for or against.
    """
    words: dict[str, str] = {}
    for found in _WORD.findall(text):
        words.setdefault(found.casefold(), found)
    asked = list(words.values())[:_MOST_WORDS]
    if not asked or not model.has_text:
        return ()
    texts = [text, *(_without(text, word) for word in asked)]
    place = model.labels.index(label)
    split = model.split_model
    if split is None:
        rows = np.concatenate([model.probabilities(pixels[None], [one]) for one in texts])
    else:
        features = split.features(pixels[None])
        rows = np.concatenate([split.predict(features, [one])[0] for one in texts])
    chances = np.log(np.maximum(rows[:, place].astype(np.float64), _TINY))
    gains = chances[0] - chances[1:]
    order = np.argsort(-np.abs(gains), kind="stable")
    return tuple(WordEvidence(asked[i], float(gains[i])) for i in order.tolist())


def _without(text: str, word: str) -> str:
    pattern = re.escape(word)
    if not re.fullmatch(f"[{_UNSPACED}]", word):
        pattern = rf"(?<![^\W_]){pattern}(?![^\W_])"
    return re.sub(pattern, " ", text, flags=re.IGNORECASE)
