"""ExecuTorch: one `.pte` file for phones and small devices, its arithmetic done by XNNPACK."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from eyebright.exporting.base import GIVEN_OF_ONE, ExportSource
from eyebright.exporting.formats.torch_source import ONE_IMAGE, TorchFormat, TorchRunner, module_of, quietly
from eyebright.runtime.atomic import write_bytes

_FILE = "model.pte"


class ExecuTorch(TorchFormat):
    """`model.pte`, lowered to XNNPACK; what XNNPACK lacks runs in ExecuTorch's portable kernels."""

    name, purpose = "executorch", "ExecuTorch"
    needed = (("executorch", "executorch"),)
    input = ONE_IMAGE + GIVEN_OF_ONE
    packages = ("executorch", "torch")
    notes = ("Lowered to XNNPACK, which runs on the processors of phones and computers.",)

    def export(self, source: ExportSource, folder: Path) -> None:
        """Export the model for one image and lower it.

        Raises:
            UnsupportedError: an operator is not known.
        """
        module = module_of(source, self.purpose, batch=1)
        import torch

        with quietly(), torch.no_grad():
            from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
            from executorch.exir import to_edge_transform_and_lower

            program = torch.export.export(module, (torch.zeros(1, 3, source.size, source.size),))
            lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
            write_bytes(folder / _FILE, lowered.to_executorch().buffer)

    def load(self, source: ExportSource, folder: Path, threads: int) -> TorchRunner:
        """Load it with ExecuTorch's own runtime."""
        return TorchRunner(source, _Method(folder / _FILE, threads), threads)


class _Method:
    """The program with a number of threads.

    ExecuTorch has one pool of threads per process. What was loaded before the pool was replaced must not run
    again, so a program that runs after another is loaded anew.
    """

    _current: ClassVar[_Method | None] = None

    def __init__(self, path: Path, threads: int) -> None:
        self._path = path
        self._threads = threads
        self._load()

    def __call__(self, pixels: Any) -> Any:
        if _Method._current is not self:
            self._load()
        return self._method.execute([pixels])

    def _load(self) -> None:
        from executorch.extension.pybindings import portable_lib
        from executorch.runtime import Runtime

        portable_lib._unsafe_reset_threadpool(self._threads)
        self._program = Runtime.get().load_program(self._path)  # the method reads its weights
        self._method = self._program.load_method("forward")
        _Method._current = self
