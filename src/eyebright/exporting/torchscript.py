"""TorchScript: one file for `torch.jit.load` and LibTorch."""

from __future__ import annotations

import io
from pathlib import Path

from eyebright.exporting.base import Precision, Source
from eyebright.exporting.torch_source import ANY_BATCH, TorchRunner, module_of, need_torch, quietly, trace
from eyebright.runtime.atomic import write_bytes

_NAME, _FILE = "TorchScript", "model.ts"


class TorchScript:
    """`model.ts`, a frozen trace; the sealed file's metadata lies in it as extra files."""

    name = "torchscript"
    input = ANY_BATCH
    packages = ("torch",)
    notes = (
        "TorchScript is legacy: PyTorch warns of every use since version 2.11. Take pt2 or onnx if you can.",
        "A TorchScript file holds code. Load only files whose origin you trust.",
    )
    precisions: frozenset[Precision] = frozenset({"fp32"})

    def check(self, source: Source) -> None:
        """Takes every network whose operators are known."""
        need_torch(_NAME)

    def export(self, source: Source, folder: Path) -> None:
        """Traces the network on zeros and freezes it.

        Raises:
            UnsupportedError: an operator is not known.
        """
        module = module_of(source, _NAME)
        import torch

        with quietly(), torch.no_grad():
            frozen = torch.jit.freeze(trace(module, (2, 3, source.size, source.size)))
            # Through memory: where the disk is full, torch's own writer ends the process.
            buffer = io.BytesIO()
            torch.jit.save(frozen, buffer, _extra_files=source.model.metadata)
        write_bytes(folder / _FILE, buffer.getvalue())

    def load(self, source: Source, folder: Path, threads: int) -> TorchRunner:
        """Loads it with `torch.jit.load`."""
        import torch

        with quietly():
            function = torch.jit.load(str(folder / _FILE))  # type: ignore[no-untyped-call]
            return TorchRunner(source, function, threads)
