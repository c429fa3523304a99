"""A text as the sealed graph reads it: one canonical character a token, markup and blanks as boundaries.

ONNX has no Unicode normalisation, but it has a table from tokens to numbers. So characters are folded one by
one (case, width, compatibility), which a table can say; what a table cannot say is done nowhere.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Set
from functools import cache

#: Tokens: a tag, an entity, a run of blanks, or one character. RE2, which takes the longest of several, and
#: Python, which takes the first, find the same ones.
TOKEN = r"<[/A-Za-z!][^<>]*>|&#?[0-9A-Za-z]{1,10};|[\t\n\f\r ]+|[^\n]"
#: What stands for a boundary: blanks, markup, and characters that no training text has.
BOUNDARY = " "
#: Tokens of a text that are read; the rest of a longer one is not.
MOST_TOKENS = 10_000

_TOKEN = re.compile(TOKEN)
_FOLDED = 0x20000  # from here on there are ideographs only, which are what they are


def canonical(text: str) -> str:
    """Return a text as one canonical character a token, between two boundaries."""
    tokens = _TOKEN.findall(text)
    read = "".join(_folded(token) if len(token) == 1 else BOUNDARY for token in tokens)
    return f"{BOUNDARY}{read}{BOUNDARY}"[:MOST_TOKENS]


def spelled(read: str, alphabet: Set[str]) -> str:
    """Return a canonical text with boundaries in place of characters that an alphabet lacks."""
    return "".join(char if char in alphabet else BOUNDARY for char in read)


def spellings(alphabet: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
    """Return the characters that fold to each character of an alphabet, itself among them."""
    known = _by_folded()
    return {char: known.get(char, (char,)) for char in alphabet}


@cache
def _folded(char: str) -> str:
    """Return what one character is read as; a boundary for blanks and control characters."""
    folded = unicodedata.normalize("NFKC", char).casefold()
    if len(folded) != 1:  # a ligature, or a letter that casefold doubles
        folded = char
    nothing = folded.isspace() or folded == "\ufffd" or unicodedata.category(folded)[0] in "CZ"
    return BOUNDARY if nothing else folded


@cache
def _by_folded() -> dict[str, tuple[str, ...]]:
    found = defaultdict(list)
    for code in range(_FOLDED):
        char = chr(code)
        if not 0xD800 <= code <= 0xDFFF:
            found[_folded(char)].append(char)
    return {folded: tuple(chars) for folded, chars in found.items()}
