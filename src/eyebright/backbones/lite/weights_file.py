"""Weights in PyTorch's first file format, read without PyTorch and without unpickling anything.

Such a file is five pickles in a row, the fourth of which names the tensors and their storages and the fifth
of which says in which order the storages follow, each a count and its numbers. The pickles are only listed,
operation by operation, for the names in them; none of their operations is carried out.
"""

from __future__ import annotations

import io
import pickletools
from itertools import pairwise
from typing import cast

import numpy as np

from eyebright.types import FloatArray

_WORDS = ("storage", "cpu")  # said of every tensor, and written once
_COUNTER = "num_batches_tracked"  # of batch norms; an integer of 8 bytes that inference has no use for


def read_tensors(content: bytes) -> dict[str, FloatArray]:
    """Return the tensors (n,) of a network by their names, flat: the file's shapes are not read.

    Numbers come as they lie in the file, in TensorFlow's order: (H, W, inputs, outputs) of a convolution.

    Args:
        content: of a file whose hash is known, so that nothing in it needs to be doubted.

    Raises:
        ValueError: it is not such a file.
    """
    stream = io.BytesIO(content)
    pickles = [_texts(stream) for _ in range(5)]
    storage_of = {name: key for name, key in pairwise(pickles[3]) if key.isdigit()}
    name_of = {key: name for name, key in storage_of.items()}
    if sorted(name_of) != sorted(pickles[4]):
        raise ValueError("its tensors are not those of its storages")
    tensors: dict[str, FloatArray] = {}
    for key in pickles[4]:
        name = name_of[key]
        count = int.from_bytes(stream.read(8), "little")
        if name.endswith(_COUNTER):
            stream.seek(8 * count, io.SEEK_CUR)
            continue
        tensors[name] = np.frombuffer(stream.read(4 * count), "<f4").astype(np.float32)
    return {name: tensors[name] for name in storage_of if name in tensors}


def _texts(stream: io.BytesIO) -> list[str]:
    """Return the texts in the pickle that begins here, and go on to its end."""
    found = [cast(str, value) for code, value, _ in pickletools.genops(stream) if code.name == "BINUNICODE"]
    return [text for text in found if text not in _WORDS]
