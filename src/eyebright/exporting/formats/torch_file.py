"""One file that PyTorch itself writes and loads: TorchScript, and the `.pt2` of torch.export."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from eyebright.exporting.base import ExportSource
from eyebright.exporting.formats.torch_source import (
    ANY_BATCH,
    TorchFormat,
    TorchRunner,
    module_of,
    quietly,
    trace,
    write_through_memory,
)

if TYPE_CHECKING:
    from torch.fx import GraphModule


class _TorchFile(TorchFormat, ABC):
    """The model as one file; the sealed file's metadata is in it as extra files."""

    file: str
    input = ANY_BATCH

    def export(self, source: ExportSource, folder: Path) -> None:
        """Convert the model with zeros, which do not stay in the file.

        Raises:
            UnsupportedError: an operator is not known.
        """
        module = module_of(source, self.purpose)
        import torch

        with quietly(), torch.no_grad():
            zeros = torch.zeros(2, 3, source.size, source.size)
            converted = self._converted(module, zeros)
            facts = source.model.metadata
            write_through_memory(folder / self.file, lambda file: self._save(converted, file, facts))

    def load(self, source: ExportSource, folder: Path, threads: int) -> TorchRunner:
        """Load it with PyTorch."""
        with quietly():
            return TorchRunner(source, self._loaded(folder / self.file), threads)

    @abstractmethod
    def _converted(self, module: GraphModule, zeros: Any) -> Any:
        """Return the module as PyTorch stores it, traced with ``zeros`` (2, 3, S, S)."""

    @abstractmethod
    def _save(self, converted: Any, file: IO[bytes], facts: dict[str, str]) -> None:
        """Write what was converted, with the metadata, to ``file``."""

    @abstractmethod
    def _loaded(self, path: Path) -> Any:
        """Load the file again, ready to be called."""


class TorchScript(_TorchFile):
    """`model.ts`, a frozen trace for `torch.jit.load` and LibTorch."""

    name, purpose, file = "torchscript", "TorchScript", "model.ts"
    notes = (
        "TorchScript is legacy: PyTorch warns of every use since version 2.11. Take pt2 or onnx if you can.",
        "A TorchScript file holds code. Load only files whose origin you trust.",
    )

    def _converted(self, module: GraphModule, zeros: Any) -> Any:
        import torch

        return torch.jit.freeze(trace(module, zeros.shape))

    def _save(self, converted: Any, file: IO[bytes], facts: dict[str, str]) -> None:
        import torch

        torch.jit.save(converted, file, _extra_files=facts)

    def _loaded(self, path: Path) -> Any:
        import torch

        return torch.jit.load(str(path))  # type: ignore[no-untyped-call]


class TorchProgram(_TorchFile):
    """`model.pt2`, for PyTorch, its compilers and what is built on them."""

    name, purpose, file = "pt2", "pt2", "model.pt2"
    notes = ("A pt2 file holds a program. Load only files whose origin you trust.",)

    def _converted(self, module: GraphModule, zeros: Any) -> Any:
        import torch

        program = torch.export.export(module, (zeros,), dynamic_shapes=({0: torch.export.Dim("batch")},))
        # Else the example is saved, with all of its storage: useless here, a leak if it were an image.
        program.example_inputs = None
        return program

    def _save(self, converted: Any, file: IO[bytes], facts: dict[str, str]) -> None:
        import torch

        torch.export.save(converted, file, extra_files=facts)

    def _loaded(self, path: Path) -> Any:
        import torch

        return torch.export.load(path).module()
