"""Weights in the format of safetensors, read without its package: a header in JSON, then plain numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, TypeAdapter

from eyebright.runtime.stored import STORED, parse_json

_HEADER_BYTES = 8
_MOST_HEADER_BYTES = 100_000_000
_KINDS = {"F32": np.float32, "F16": np.float16, "F64": np.float64, "BF16": np.uint16, "I64": np.int64}


class _Tensor(BaseModel):
    model_config = STORED

    dtype: str
    shape: tuple[int, ...]
    data_offsets: tuple[int, int]


_HEADER = TypeAdapter(dict[str, _Tensor | dict[str, str]])


def read_safetensors(path: Path) -> dict[str, npt.NDArray[np.generic]]:
    """Return the tensors in a file by their names; bfloat16 becomes float32.

    Raises:
        ValueError: it is no such file.
    """
    content = np.fromfile(path, np.uint8)
    length = int.from_bytes(content[:_HEADER_BYTES].tobytes(), "little")
    start = _HEADER_BYTES + length
    if not 0 < length <= min(_MOST_HEADER_BYTES, len(content) - _HEADER_BYTES):
        raise ValueError(f"{path.name} is no safetensors file")
    header = parse_json(_HEADER, content[_HEADER_BYTES:start].tobytes())
    return {
        name: _read(name, entry, content[start:])
        for name, entry in header.items()
        if isinstance(entry, _Tensor)
    }


def _read(name: str, entry: _Tensor, content: npt.NDArray[np.uint8]) -> npt.NDArray[np.generic]:
    begin, end = entry.data_offsets
    kind = _KINDS.get(entry.dtype)
    if kind is None:
        raise ValueError(f"{name} has numbers of the type {entry.dtype}")
    if not 0 <= begin <= end <= len(content) or min(entry.shape, default=0) < 0:
        raise ValueError(f"{name} lies outside the file")
    numbers = content[begin:end].view(kind).reshape(entry.shape)
    if entry.dtype == "BF16":
        return (numbers.astype(np.uint32) << 16).view(np.float32)
    return numbers
