"""Checkpoints: one safetensors file each, tensors and JSON, whole or not at all, the last two kept.

Nothing is ever unpickled: what is no tensor stands as JSON in the file's header.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import TypeAdapter
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from eyebright.errors import ModelError
from eyebright.runtime.atomic import atomic_path, remove_left
from eyebright.runtime.stored import STORED, open_regular, parse_json, reason_of
from eyebright.text.language import translate
from eyebright.types import StoredJson

BEST = "best.safetensors"
_PATTERN = "step-*.safetensors"
_KEPT = 2
_VALUES: TypeAdapter[StoredJson] = TypeAdapter(StoredJson)
_TIED = TypeAdapter(dict[str, str], config=STORED)
_MOST_OF_THE_TIME = 0.05


@dataclass(frozen=True)
class Checkpoint:
    """Tensors by name, on the CPU, and plain values."""

    tensors: dict[str, Tensor]
    values: StoredJson


def write(path: Path, checkpoint: Checkpoint) -> None:
    """Write a file atomically.

    Raises:
        StorageError: the disk is full or must not be written.
    """
    tied = _tied(checkpoint.tensors)
    tensors = {n: _plain(t) for n, t in checkpoint.tensors.items() if n not in tied}
    header = {
        "values": json.dumps(checkpoint.values),
        "tied": json.dumps(tied),
        "sum": str(_checksum(tensors)),
    }
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata=header)


def read(path: Path) -> Checkpoint:
    """Read a file that :func:`write` wrote.

    Raises:
        ModelError: the file is cut short, damaged, or something else.
    """
    try:
        open_regular(path).close()
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dict)
        values = parse_json(_VALUES, header["values"])
        if str(_checksum(tensors)) != header["sum"]:
            raise ValueError("its bytes have changed")
        tensors.update({name: tensors[first] for name, first in parse_json(_TIED, header["tied"]).items()})
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise ModelError(
            "The checkpoint {path} is incomplete or damaged: {reason}.", path=path, reason=reason_of(error)
        ) from error
    return Checkpoint(tensors, values)


def save_step(folder: Path, step: int, checkpoint: Checkpoint) -> None:
    """Write the checkpoint of ``step``, and remove all but the last two."""
    write(folder / f"step-{step:09}.safetensors", checkpoint)
    for old in sorted(folder.glob(_PATTERN))[:-_KEPT]:
        old.unlink(missing_ok=True)
    remove_left(folder)


def latest(folder: Path) -> tuple[Checkpoint | None, list[str]]:
    """Return the newest checkpoint that can be read, or None, and a sentence for each that cannot."""
    notes: list[str] = []
    for path in sorted(folder.glob(_PATTERN), reverse=True):
        try:
            return read(path), notes
        except ModelError as error:
            path.unlink(missing_ok=True)  # or it would count among the last two, and push a good one out
            problem = error.text()
            notes.append(
                translate("{problem} The file was removed; the previous checkpoint is used.", problem=problem)
            )
    return None, notes


def remove_steps(folder: Path) -> None:
    """Remove the checkpoints of an earlier training; called where one begins anew."""
    for path in [*folder.glob(_PATTERN), folder / BEST]:
        path.unlink(missing_ok=True)
    remove_left(folder)


class Spacing:
    """When a checkpoint is due: every so many seconds, but never for more than a twentieth of the time.

    Args:
        seconds: between two checkpoints within an epoch.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._last = float("-inf")
        self._cost = 0.0

    def due(self, elapsed: float, epoch_ends: bool = False) -> bool:
        """Return whether to write one now."""
        affordable = self._cost / _MOST_OF_THE_TIME
        return elapsed - self._last >= (affordable if epoch_ends else max(self._seconds, affordable))

    def wrote(self, elapsed: float, cost: float) -> None:
        """Remember that one was written at ``elapsed``, and took ``cost`` seconds."""
        self._last, self._cost = elapsed, cost


def _tied(tensors: Mapping[str, Tensor]) -> dict[str, str]:
    """Return the names of tensors that are another one under a second name, with the first name.

    Tensors of XLA all lie at address 0, which says nothing: each is kept under its own name.
    """
    first: dict[object, str] = {}
    tied = {}
    for name, tensor in tensors.items():
        what = (tensor.device, tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype)
        if tensor.data_ptr() and first.setdefault(what, name) != name:
            tied[name] = first[what]
    return tied


def _plain(tensor: Tensor) -> Tensor:
    """Return the tensor on the CPU with its own memory: safetensors refuses overlapping views."""
    plain = tensor.detach().cpu().contiguous()
    return plain.clone() if plain.untyped_storage().nbytes() > plain.nbytes else plain


def _checksum(tensors: dict[str, Tensor]) -> int:
    total = 0
    for name in sorted(tensors):
        flat = tensors[name].contiguous().flatten()
        if flat.numel():
            total = zlib.crc32(flat.view(torch.uint8).numpy().data, total)
    return total
