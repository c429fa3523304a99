"""ONNX files that anyone may have written."""

from __future__ import annotations

from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from eyebright.runtime.stored import open_regular

_MOST_BYTES = 2**31 - 1  # of any message of Protocol Buffers


def read_onnx(path: Path) -> onnx.ModelProto:
    """Parse an ONNX file; weights in other files are not followed.

    Raises:
        OSError: as :func:`read_onnx_bytes`.
        ValueError: it is no ONNX file.
    """
    return parse_onnx(read_onnx_bytes(path))


def read_onnx_bytes(path: Path) -> bytes:
    """Return the content of a file that may be an ONNX file.

    Raises:
        OSError: it cannot be opened, is not a regular file, or is too large for an ONNX file.
    """
    with open_regular(path, _MOST_BYTES) as file:
        return file.read() or b""  # None of a file in /proc that has nothing yet


def parse_onnx(content: bytes) -> onnx.ModelProto:
    """Parse the content of an ONNX file.

    Raises:
        ValueError: it is none.
    """
    try:
        return onnx.load_model_from_string(content)
    except (DecodeError, ValueError) as error:
        raise ValueError("it is not an ONNX file") from error
