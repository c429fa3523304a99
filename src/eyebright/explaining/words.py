"""Which words of a text speak for a class, and which against it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eyebright.sealed.model import SealedModel

# A word, or one character of a script without blanks between words.
_UNSPACED = "\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff"
_WORD = re.compile(f"[{_UNSPACED}]|[^\\W_{_UNSPACED}]+")
_MOST_WORDS = 200


@dataclass(frozen=True)
class WordEvidence:
    """How much a word counts for a class.

    Attributes:
        word: as it stands in the text first.
        gain: what it adds to the logit of the class beyond those of others: above 0 for it, below 0 against.
    """

    word: str
    gain: float


def word_evidence(model: SealedModel, text: str, label: str) -> Sequence[WordEvidence]:
    """Return the words of a text, the strongest first, by what the text says without each of them.

    Nothing is estimated: the model reads the text once for every word that is left out.

    Args:
        model: that answers; one that reads no texts has no words.
        text: beside an image.
        label: the class that words speak for or against.
    """
    if not model.has_text:
        return ()
    words: dict[str, str] = {}
    for found in _WORD.findall(text):
        words.setdefault(found.casefold(), found)
    asked = list(words.values())[:_MOST_WORDS]
    shares = model.text_shares([text, *(_without(text, word) for word in asked)])
    of_class = shares[:, model.labels.index(label)]
    gains = of_class[0] - of_class[1:]
    order = np.argsort(-np.abs(gains), kind="stable")
    return tuple(WordEvidence(asked[i], float(gains[i])) for i in order.tolist())


def _without(text: str, word: str) -> str:
    pattern = re.escape(word)
    if not re.fullmatch(f"[{_UNSPACED}]", word):
        pattern = rf"(?<![^\W_]){pattern}(?![^\W_])"
    return re.sub(pattern, " ", text, flags=re.IGNORECASE)
