"""Texts that give the class away: words that are spelled like the name of a class."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from eyebright.types import Interval, JsonObject

_WORD = re.compile(r"[^\W\d_]+")
# Scripts without blanks between words: a name is looked for anywhere in a text.
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
_LEAST_LETTERS, _LEAST_PREFIX = 3, 4
_ALIKE = 0.75  # of the shorter word, from its beginning on
_LEAST_SHARE = 0.05  # of the texts, below which names are chance


@dataclass(frozen=True)
class ClassWords:
    """Words of texts that are spelled like names of classes.

    Attributes:
        words: of each class, as they stand in texts, in small letters.
        own: share of the texts that hold a word of their own class.
        other: share of the texts that hold one of another class.
    """

    words: Mapping[str, tuple[str, ...]]
    own: float
    other: float

    @property
    def leaks(self) -> bool:
        """Return whether names of classes stand where these classes are, more often than elsewhere."""
        others = max(1, len(self.words) - 1)
        return self.own >= _LEAST_SHARE and self.own > 2 * self.other / others

    def masked(self, text: str) -> str:
        """Return a text without these words."""
        return text if self._pattern is None else self._pattern.sub(" ", text)

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        words = sorted({word for some in self.words.values() for word in some}, key=lambda w: (-len(w), w))
        if not words:
            return None
        spelled = (
            re.escape(word) if _UNSPACED.search(word) else rf"(?<![^\W\d_]){re.escape(word)}(?![^\W\d_])"
            for word in words
        )
        return re.compile("|".join(spelled), re.IGNORECASE)


def find_class_words(texts: Sequence[str], labels: Sequence[Sequence[str]]) -> ClassWords:
    """Return the words of N texts that are spelled like names of classes.

    Args:
        texts: empty ones are passed over.
        labels: the class of each, or its labels.
    """
    there = [(text.casefold(), tuple(names)) for text, names in zip(texts, labels, strict=True) if text]
    classes = sorted({name for _, names in there for name in names})
    vocabulary = sorted({word for text, _ in there for word in _WORD.findall(text)})
    words = {label: _alike(label.casefold(), vocabulary, [text for text, _ in there]) for label in classes}
    held = [{label for label in classes if _holds(text, words[label])} for text, _ in there]
    count = max(1, len(there))
    own = sum(bool(found & set(names)) for found, (_, names) in zip(held, there, strict=True))
    other = sum(bool(found - set(names)) for found, (_, names) in zip(held, there, strict=True))
    return ClassWords(words, own / count, other / count)


def _alike(label: str, vocabulary: Sequence[str], texts: Sequence[str]) -> tuple[str, ...]:
    names = [name for name in _WORD.findall(label) if len(name) >= _LEAST_LETTERS or _UNSPACED.search(name)]
    found = {word for word in vocabulary for name in names if _same_stem(word, name)}
    found |= {name for name in names if _UNSPACED.search(name) and any(name in text for text in texts)}
    return tuple(sorted(found))


def _same_stem(word: str, name: str) -> bool:
    if _UNSPACED.search(name):
        return False
    if _singular(word) == _singular(name):
        return True
    common = next(
        (i for i, (a, b) in enumerate(zip(word, name, strict=False)) if a != b), min(len(word), len(name))
    )
    return common >= max(
        _LEAST_PREFIX, _ALIKE * min(len(word), len(name)), _ALIKE * max(len(word), len(name)) - 1
    )


def _singular(word: str) -> str:
    return word[:-1] if word.endswith("s") and len(word) > _LEAST_LETTERS else word


def _holds(text: str, words: Sequence[str]) -> bool:
    spaced = set(_WORD.findall(text))
    return any(word in spaced or (_UNSPACED.search(word) is not None and word in text) for word in words)


@dataclass(frozen=True)
class MaskedFigures:
    """Accuracy where the names of classes are taken out of every text."""

    text: Interval
    both: Interval
    gain: Interval


@dataclass(frozen=True)
class TextLeak:
    """What texts give away of the class by its spelling.

    Attributes:
        share: of the texts that name their class.
        words: of each class, as they stand in texts.
        masked: the figures without these words; None where nothing leaks, or where it was not measured.
        source: which texts were searched: those of training, and a head was fitted without the words; or
            the evaluated ones, and the model read them without.
    """

    share: float
    words: Mapping[str, tuple[str, ...]]
    masked: MaskedFigures | None = None
    source: Literal["training", "evaluated"] = "training"

    def to_json(self) -> JsonObject:
        """Return the entry of `metrics.json`."""
        masked = self.masked
        return {
            "source": self.source,
            "share": self.share,
            "words": {label: list(words) for label, words in self.words.items() if words},
            "masked": None
            if masked is None
            else {
                name: {"value": one.value, "low": one.low, "high": one.high}
                for name, one in (("text", masked.text), ("both", masked.both), ("gain", masked.gain))
            },
        }
