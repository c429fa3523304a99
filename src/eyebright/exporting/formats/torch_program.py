"""torch.export: one `.pt2` file for PyTorch, its compilers and what is built on them."""

from __future__ import annotations

from pathlib import Path

from eyebright.exporting.base import Precision, Source
from eyebright.exporting.formats.torch_source import (
    ANY_BATCH,
    TorchRunner,
    module_of,
    need_torch,
    quietly,
    write_through_memory,
)

_NAME, _FILE = "pt2", "model.pt2"


class TorchProgram:
    """`model.pt2`; the sealed file's metadata lies in it as extra files."""

    name = "pt2"
    input = ANY_BATCH
    packages = ("torch",)
    notes = ("A pt2 file holds a program. Load only files whose origin you trust.",)
    precisions: frozenset[Precision] = frozenset({"fp32"})

    def check(self, source: Source) -> None:
        """Takes every network whose operators are known."""
        need_torch(_NAME)

    def export(self, source: Source, folder: Path) -> None:
        """Exports the network on zeros, which do not stay in the file.

        Raises:
            UnsupportedError: an operator is not known.
        """
        module = module_of(source, _NAME)
        import torch

        with quietly(), torch.no_grad():
            zeros = torch.zeros(2, 3, source.size, source.size)
            free = {0: torch.export.Dim("batch")}
            program = torch.export.export(module, (zeros,), dynamic_shapes=(free,))
            # Else the example is saved, with all of its storage: useless here, a leak if it were an image.
            program.example_inputs = None
            facts = source.model.metadata
            write_through_memory(
                folder / _FILE, lambda file: torch.export.save(program, file, extra_files=facts)
            )

    def load(self, source: Source, folder: Path, threads: int) -> TorchRunner:
        """Loads it with `torch.export.load`."""
        import torch

        with quietly():
            return TorchRunner(source, torch.export.load(folder / _FILE).module(), threads)
