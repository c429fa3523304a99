"""Bodies that nobody should send: cut, changed, mixed up and made up, drawn from a seed."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence

import numpy as np

PATHS = (
    "/predict",
    "/predict",
    "/models/MODEL/explain",
    "/v2/models/MODEL/infer",
    "/setup",
    "/models/MODEL/predict",
)
KINDS = (
    "image/jpeg",
    "application/octet-stream",
    "application/json",
    "multipart/form-data; boundary=x",
    "multipart/form-data",
    "text/plain",
    "application/json; charset=utf-16",
    "",
)
TEXTS = (
    '"',
    "{",
    "[",
    "]",
    "}",
    ":",
    ",",
    "null",
    "1e999",
    "-1",
    '"tasks"',
    '"images"',
    '"inputs"',
    "\\ud800",
    "é",
)


def hostile_bodies(
    images: Sequence[bytes], model: str, count: int, seed: int
) -> Iterator[tuple[str, str, bytes]]:
    """Yield ``count`` requests: path, type and body."""
    random = np.random.default_rng(seed)
    makers = (_cut, _flipped, _noise, _json, _tensors, _form, _glued)
    for _ in range(count):
        maker = makers[random.integers(len(makers))]
        image = images[int(random.integers(len(images)))]
        path = PATHS[random.integers(len(PATHS))].replace("MODEL", model)
        yield path, KINDS[random.integers(len(KINDS))], maker(image, random)


def _cut(image: bytes, random: np.random.Generator) -> bytes:
    return image[: random.integers(len(image))]


def _flipped(image: bytes, random: np.random.Generator) -> bytes:
    content = np.frombuffer(image, np.uint8).copy()
    where = random.integers(0, min(len(content), 2000), 20)
    content[where] = random.integers(0, 256, 20)
    return content.tobytes()


def _noise(_: bytes, random: np.random.Generator) -> bytes:
    heads = (b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\0\0\0\0WEBP", b"II*\0", b"BM")
    return heads[random.integers(len(heads))] + random.bytes(int(random.integers(0, 5000)))


def _json(image: bytes, random: np.random.Generator) -> bytes:
    text = base64.b64encode(image[: random.integers(3000)]).decode()
    forms = (
        json.dumps({"images": [text, text[:-1]]}),
        json.dumps({"tasks": [{"id": 1, "data": {"image": text}}, {"data": {}}]}),
        json.dumps(
            {"tasks": [{"data": {"image": "data:image/png;base64," + text}}], "label_config": "<View><"}
        ),
        json.dumps({"schema": "<View>" * 50, "project": None}),
        "[" * int(random.integers(1, 5000)),
        "".join(TEXTS[i] for i in random.integers(0, len(TEXTS), random.integers(1, 40))),
    )
    return forms[random.integers(len(forms))].encode()


def _tensors(image: bytes, random: np.random.Generator) -> bytes:
    sizes = [int(size) for size in random.choice([-1, 0, 1, 2, 3, 64, 2**31, 2**63], 4)]
    kinds = ("UINT8", "BYTES", "FP32", "", None)
    values = ([1, 2, 3], [[[[1, 2, 3]]]], ["AAAA"], [None], None, [1.5], [base64.b64encode(image).decode()])
    tensor = {
        "name": "images",
        "shape": sizes[: random.integers(0, 5)],
        "datatype": kinds[random.integers(len(kinds))],
        "data": values[random.integers(len(values))],
    }
    return (
        json.dumps({"inputs": [tensor] * int(random.integers(0, 3))}).encode() + image[: random.integers(100)]
    )


def _form(image: bytes, random: np.random.Generator) -> bytes:
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a\xff.jpg"\r\n\r\n'
    whole = (head + image[: random.integers(len(image))] + b"\r\n") * int(
        random.integers(1, 4)
    ) + b"--x--\r\n"
    return whole[: random.integers(len(whole) // 2, len(whole))]


def _glued(image: bytes, random: np.random.Generator) -> bytes:
    at = random.integers(len(image))
    return image[:at] + random.bytes(200) + image[at:]
