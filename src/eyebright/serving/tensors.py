"""Tensors of the Open Inference Protocol, in JSON and in its binary extension."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field, TypeAdapter

from eyebright.serving.bodies import from_base64, parsed
from eyebright.serving.errors import InvalidBodyError
from eyebright.serving.service import Service, Source
from eyebright.types import Json, JsonObject

#: The header with the length of the JSON before binary data.
HEADER_LENGTH = "inference-header-content-length"
_LENGTH_BYTES = 4
_DTYPES: dict[str, npt.DTypeLike] = {"FP32": "<f4", "INT64": "<i8"}

Size = Annotated[int, Field(ge=0)]


class TensorParameters(BaseModel):
    """What is said of a tensor: how many bytes of it follow the JSON."""

    binary_data_size: Size | None = None


class TensorIn(BaseModel):
    """A tensor of images: UINT8 pixels (N, H, W, 3) in RGB, or BYTES (N,) of encoded files."""

    name: str
    shape: list[Size]
    datatype: Literal["UINT8", "BYTES"]
    parameters: TensorParameters = TensorParameters()
    data: list[Any] | None = None


class OutputParameters(BaseModel):
    """How an output is wanted."""

    binary_data: bool | None = None
    classification: int | None = None


class OutputIn(BaseModel):
    """An output that is wanted."""

    name: str
    parameters: OutputParameters = OutputParameters()


class InferParameters(BaseModel):
    """What is said of a request: whether outputs are wanted in binary form."""

    binary_data_output: bool = False


class InferIn(BaseModel):
    """A request for inference."""

    id: str | None = None
    inputs: list[TensorIn] = Field(min_length=1, max_length=1)
    outputs: list[OutputIn] | None = None
    parameters: InferParameters = InferParameters()


class TensorOut(BaseModel):
    """An output: its values in JSON, or the number of its bytes that follow the JSON."""

    name: str
    datatype: Literal["FP32", "INT64", "BYTES"]
    shape: list[int]
    data: list[Any] | None = None
    parameters: dict[str, int] | None = None


class InferOut(BaseModel):
    """The answer to a request for inference."""

    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[TensorOut]


_INFER = TypeAdapter(InferIn)


@dataclass(frozen=True)
class Output:
    """An output tensor.

    Attributes:
        datatype: of the protocol.
        values: the tensor; texts of BYTES.
    """

    datatype: Literal["FP32", "INT64", "BYTES"]
    values: npt.NDArray[Any]

    def json(self) -> list[Json]:
        """Return the values in row-major order, as JSON has them."""
        found: list[Json] = self.values.ravel().tolist()
        return found

    def binary(self) -> bytes:
        """Return the values as bytes: numbers little-endian, texts each after its length."""
        if self.datatype != "BYTES":
            return self.values.astype(_DTYPES[self.datatype]).tobytes()
        texts = [str(text).encode("utf-8", "surrogateescape") for text in self.values.ravel()]
        return b"".join(len(text).to_bytes(_LENGTH_BYTES, "little") + text for text in texts)


def parse_request(body: bytes, header_length: str | None) -> tuple[InferIn, bytes]:
    """Return a request, and the binary data after its JSON.

    Args:
        body: of the request.
        header_length: the header :data:`HEADER_LENGTH`.

    Raises:
        InvalidBodyError: it is none.
    """
    length = len(body)
    if header_length is not None:
        length = int(header_length) if header_length.isascii() and header_length.isdigit() else -1
        if not 0 < length <= len(body):
            raise InvalidBodyError(
                "The header {name} must be the length of the JSON. It is {value}. Correct it.",
                name="Inference-Header-Content-Length",
                value=header_length,
            )
    return parsed(_INFER, body[:length]), body[length:]


def images_of(service: Service, tensor: TensorIn, binary: bytes) -> list[Source]:
    """Return the images of an input tensor.

    Args:
        service: whose limits hold.
        tensor: the input.
        binary: the bytes after the JSON.

    Raises:
        InvalidBodyError: the tensor is not as its shape and type say.
        TooLargeError: there are too many images, or one of too many pixels.
    """
    size = tensor.parameters.binary_data_size
    if (size is None) == (tensor.data is None) or (size or 0) != len(binary):
        raise _unfitting(tensor, "its data must stand in the JSON or after it, with its number of bytes")
    if tensor.datatype == "BYTES":
        return list(_encoded(service, tensor, binary))
    return list(_pixels(service, tensor, binary))


def _encoded(service: Service, tensor: TensorIn, binary: bytes) -> list[bytes]:
    if tensor.shape[1:] not in ([], [1]) or not tensor.shape or not tensor.shape[0]:
        raise _unfitting(tensor, "BYTES must have the shape (N,) or (N, 1), and N must not be 0")
    service.require_count(tensor.shape[0])
    if tensor.data is not None:
        texts = _flat(tensor.data)
        if not all(isinstance(text, str) for text in texts):
            raise _unfitting(tensor, "BYTES in JSON must be base64")
        files = [from_base64(text) for text in texts]
    else:
        files = _split(tensor, binary)
    if len(files) != tensor.shape[0]:
        raise _unfitting(tensor, f"it holds {len(files)} elements")
    return files


def _split(tensor: TensorIn, binary: bytes) -> list[bytes]:
    files, at = [], 0
    while at < len(binary):
        end = at + _LENGTH_BYTES + int.from_bytes(binary[at : at + _LENGTH_BYTES], "little")
        if end > len(binary):
            raise _unfitting(tensor, "each element must follow its length in 4 bytes")
        files.append(binary[at + _LENGTH_BYTES : end])
        at = end
    return files


def _pixels(service: Service, tensor: TensorIn, binary: bytes) -> npt.NDArray[np.uint8]:
    if len(tensor.shape) != 4 or tensor.shape[3] != 3 or not all(tensor.shape):
        raise _unfitting(tensor, "UINT8 must have the shape (N, H, W, 3), and none of them must be 0")
    count, height, width, _ = tensor.shape
    service.require_count(count)
    service.require_pixels(width, height)
    if tensor.data is None:
        values = np.frombuffer(binary, np.uint8)
    else:
        numbers = _flat(tensor.data)
        if not all(type(number) is int and 0 <= number <= 255 for number in numbers):
            raise _unfitting(tensor, "UINT8 must be whole numbers from 0 to 255")
        values = np.array(numbers, np.uint8)
    if len(values) != math.prod(tensor.shape):
        raise _unfitting(tensor, f"it holds {len(values)} elements")
    return values.reshape(tensor.shape)


def _flat(data: Sequence[Any]) -> list[Any]:
    """Return nested lists as one, level by level: their depth is limited by the parser."""
    values = list(data)
    while any(isinstance(value, list) for value in values):
        values = [inner for value in values for inner in (value if isinstance(value, list) else [value])]
    return values


def _unfitting(tensor: TensorIn, reason: str) -> InvalidBodyError:
    return InvalidBodyError(
        "The input must be a tensor as its shape and datatype say. {name} has the shape {shape}: {reason}. "
        "Correct it.",
        name=tensor.name,
        shape=tensor.shape,
        reason=reason,
    )


def encode_response(
    head: JsonObject, outputs: Sequence[tuple[str, Output]], binary: Sequence[bool]
) -> tuple[bytes, int | None]:
    """Return the body of a response, and the length of its JSON where binary data follow.

    Args:
        head: what comes before the outputs.
        outputs: by name, in their order.
        binary: which of them are wanted in binary form.
    """
    listed: list[JsonObject] = []
    parts: list[bytes] = []
    for (name, output), as_bytes in zip(outputs, binary, strict=True):
        entry: JsonObject = {"name": name, "datatype": output.datatype, "shape": list(output.values.shape)}
        if as_bytes:
            parts.append(output.binary())
            entry["parameters"] = {"binary_data_size": len(parts[-1])}
        else:
            entry["data"] = output.json()
        listed.append(entry)
    text = json.dumps({**head, "outputs": listed}, ensure_ascii=False).encode("utf-8", "backslashreplace")
    return b"".join([text, *parts]), len(text) if parts else None
