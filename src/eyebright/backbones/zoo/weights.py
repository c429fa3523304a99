"""Weights from a file: safetensors, or PyTorch's own format without ever unpickling anything but tensors."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from eyebright.errors import ModelError, NotFoundError

if TYPE_CHECKING:
    from torch import Tensor, nn

    Tensors = dict[str, Tensor]

# Under which training programs keep the weights beside other things, and what wrappers put before names.
_WRAPPINGS = ("state_dict", "model", "model_state_dict")
_PREFIXES = ("module.", "model.", "_orig_mod.")
_SHOWN = 4


def load_file(
    module: nn.Module,
    path: Path,
    name: str,
    ignored: Sequence[str] = (),
    convert: Callable[[Tensors], Tensors] | None = None,
) -> None:
    """Load the weights in ``path`` into ``module``, all or none.

    Args:
        module: whose tensors are replaced.
        path: safetensors or .pth, bare or under "state_dict" or "model".
        name: of the backbone, for the error.
        ignored: beginnings of the names of tensors that may be there and are not wanted: the classifier's.
        convert: from an older layout of the same architecture, if the library has such.

    Raises:
        NotFoundError: there is no such file.
        ModelError: it holds no weights, or not those of this architecture.
    """
    expected = module.state_dict()
    found = strip_prefixes(read(path), expected)
    if convert is not None:
        found = _converted(convert, found)
    found = {key: t for key, t in found.items() if key in expected or not key.startswith(tuple(ignored))}
    check_fit(expected, found, name, path)
    module.load_state_dict(found, strict=False)


def read(path: Path) -> Tensors:
    """Return the tensors in a file by name, whatever dictionaries they are wrapped in.

    Raises:
        NotFoundError: there is no such file.
        ModelError: it cannot be read, or holds no tensors.
    """
    if not path.is_file():
        raise NotFoundError(
            "The weights must be a file. {path} is not. Give a safetensors or .pth file.", path=path
        )
    try:
        content = _read_safetensors(path) if _is_safetensors(path) else _read_torch(path)
    except Exception as error:  # a damaged file can raise anything
        raise _unreadable(path, _reason(error)) from error
    tensors = _unwrap(content)
    if not tensors:
        raise _unreadable(path, "no tensors")
    return tensors


def _is_safetensors(path: Path) -> bool:
    with path.open("rb") as file:
        return path.suffix == ".safetensors" or file.read(9)[8:] == b"{"


def _read_safetensors(path: Path) -> object:
    from safetensors import SafetensorError
    from safetensors.torch import load_file as load_safetensors

    try:
        return load_safetensors(path)
    except SafetensorError as error:
        raise ValueError(str(error)) from error


def _read_torch(path: Path) -> object:
    # timm's checkpoints hold the arguments of their training, which are plain values.
    with torch.serialization.safe_globals([Namespace]):
        return torch.load(path, map_location="cpu", weights_only=True)


def _reason(error: Exception) -> str:
    text = str(error) or type(error).__name__
    # PyTorch's own text goes on to say how the file could be unpickled after all.
    return "more than tensors" if "Weights only load failed" in text else text.splitlines()[0]


def _unreadable(path: Path, reason: str) -> ModelError:
    return ModelError(
        "Weights must be tensors in safetensors or PyTorch format; no other objects are ever "
        "unpickled. Reading {path} failed: {reason}. Give another file.",
        path=path,
        reason=reason,
    )


def _unwrap(content: object) -> Tensors:
    if not isinstance(content, Mapping):
        return {}
    for key in _WRAPPINGS:
        if isinstance(content.get(key), Mapping):
            return _unwrap(content[key])
    return {str(key): value for key, value in content.items() if isinstance(value, torch.Tensor)}


def strip_prefixes(found: Tensors, expected: Mapping[str, Tensor]) -> Tensors:
    """Remove the prefixes of wrappers from every name, as long as the names then fit better."""
    for prefix in _PREFIXES:
        stripped = {key.removeprefix(prefix): tensor for key, tensor in found.items()}
        if len(stripped.keys() & expected.keys()) > len(found.keys() & expected.keys()):
            return strip_prefixes(stripped, expected)
    # Two wrappers at once fit only when both are gone.
    for prefix in _PREFIXES:
        if not found.keys() & expected.keys() and all(key.startswith(prefix) for key in found):
            return strip_prefixes({key.removeprefix(prefix): t for key, t in found.items()}, expected)
    return found


def _converted(convert: Callable[[Tensors], Tensors], found: Tensors) -> Tensors:
    try:
        return convert(dict(found))
    except (KeyError, RuntimeError, AttributeError, IndexError, ValueError, TypeError):
        return found  # not a layout that the library knows: the comparison below says what is wrong


def check_fit(expected: Mapping[str, Tensor], found: Mapping[str, Tensor], name: str, path: Path) -> None:
    """Compare names and shapes of the tensors.

    Raises:
        ModelError: with the first tensors that are missing, unexpected or of another shape.
    """
    missing = [key for key in expected if key not in found and not key.endswith("num_batches_tracked")]
    unexpected = [key for key in found if key not in expected]
    shapes = [
        f"{key} {_shape(expected[key])} → {_shape(found[key])}"
        for key in expected
        if key in found and expected[key].shape != found[key].shape
    ]
    if missing or unexpected or shapes:
        raise ModelError(
            "The weights in {path} must fit {name}. Missing tensors: {missing}. Unexpected tensors: "
            "{unexpected}. Tensors with the wrong shape (expected → found): {shapes}. Give weights "
            "of exactly this architecture, or choose the backbone they belong to.",
            path=path,
            name=name,
            missing=_listed(missing),
            unexpected=_listed(unexpected),
            shapes=_listed(shapes),
        )


def _shape(tensor: Tensor) -> str:
    return "×".join(map(str, tensor.shape)) or "1"


def _listed(items: Sequence[str]) -> str:
    if not items:
        return "0"
    return f"{len(items)} ({', '.join(items[:_SHOWN])}{', …' if len(items) > _SHOWN else ''})"
