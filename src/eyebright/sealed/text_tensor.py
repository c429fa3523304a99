"""Texts as a sealed graph takes them: as they are, or as the tokens of its sentence encoder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from eyebright.errors import ModelError
from eyebright.sealed.graph import TEXTS
from eyebright.training.text.encoder import encoded, require_tokenizers

#: Gives the graph's inputs for B texts.
TextInputs: TypeAlias = Callable[[Sequence[str]], Mapping[str, npt.NDArray[np.generic]]]
#: The entry of the metadata with the tokenizer, as `tokenizer.json` has it.
TOKENIZER = "tokenizer"


def plain_texts(texts: Sequence[str]) -> Mapping[str, npt.NDArray[np.generic]]:
    """Return the input `texts`, string (B,)."""
    return {TEXTS: np.array([_whole(text) for text in texts], np.object_)}


def tokens(tokenizer: str) -> TextInputs:
    """Return what gives the inputs `input_ids` and `attention_mask`, int64 (B, L).

    Args:
        tokenizer: the content of `tokenizer.json`.

    Raises:
        MissingExtraError: the package tokenizers is not installed.
        ModelError: it is no tokenizer.
    """
    require_tokenizers()
    from tokenizers import Tokenizer

    try:
        known = Tokenizer.from_str(tokenizer)
    except Exception as error:  # what the package raises has no other base
        raise ModelError(
            "The tokenizer in a sealed model must be readable. It is not: {reason}. Restore the file from a "
            "copy, or train again.",
            reason=str(error)[:200],
        ) from error
    return lambda texts: encoded(known, [_whole(text) for text in texts])


def _whole(text: str) -> str:
    """Return a text as UTF-8 can hold it; what it cannot becomes U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
