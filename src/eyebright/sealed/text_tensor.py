"""Texts as the sealed graph takes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt


def text_tensor(texts: Sequence[str]) -> npt.NDArray[Any]:
    """Return texts (B,) for ONNX Runtime; what no UTF-8 can hold becomes U+FFFD."""
    whole = [text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for text in texts]
    return np.array(whole, object)
