"""TorchScript: one file for `torch.jit.load` and LibTorch."""

from __future__ import annotations

from pathlib import Path

from eyebright.exporting.base import Precision, Source
from eyebright.exporting.formats.torch_source import (
    ANY_BATCH,
    TorchRunner,
    module_of,
    need_torch,
    quietly,
    trace,
    write_through_memory,
)

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
            facts = source.model.metadata
            write_through_memory(
                folder / _FILE, lambda file: torch.jit.save(frozen, file, _extra_files=facts)
            )

    def load(self, source: Source, folder: Path, threads: int) -> TorchRunner:
        """Loads it with `torch.jit.load`."""
        import torch

        with quietly():
            function = torch.jit.load(str(folder / _FILE))  # type: ignore[no-untyped-call]
            return TorchRunner(source, function, threads)
