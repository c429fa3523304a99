"""What the formats that begin at PyTorch share: the module, and how torch runs it."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eyebright.exporting.base import (
    GIVEN,
    ExportOutput,
    ExportSource,
    Precision,
    UnsupportedError,
    require,
)
from eyebright.runtime.atomic import write_bytes
from eyebright.types import UInt8Array

if TYPE_CHECKING:
    from torch.fx import GraphModule

#: What such an export takes, with a batch of any size or of one.
ANY_BATCH = "float32 RGB images (B, 3, S, S), resized, grey levels from 0 to 255; " + GIVEN
ONE_IMAGE = "float32 RGB image (1, 3, S, S), resized, grey levels from 0 to 255; "


class TorchFormat:
    """What the formats that begin at PyTorch have in common.

    Attributes:
        purpose: the format's name in its own spelling.
        needed: further modules and the extras that install them.
    """

    purpose: str
    needed: tuple[tuple[str, str], ...] = ()
    packages: tuple[str, ...] = ("torch",)
    decides = True
    precisions: frozenset[Precision] = frozenset({"fp32"})

    def check(self, source: ExportSource) -> None:
        """Check that the converter is installed; whether it takes the model only the conversion shows.

        Raises:
            MissingExtraError: a package is not installed.
        """
        for module, extra in (("torch", "torch"), *self.needed):
            require(module, extra, self.purpose)


def module_of(
    source: ExportSource, purpose: str, batch: int | None = None, *, decides: bool = True
) -> GraphModule:
    """Return the model behind the resize as a module, for batches of any size or of ``batch``.

    It gives a tuple in the order of :attr:`ExportSource.outputs`, or the probabilities alone.

    Raises:
        UnsupportedError: an operator has no counterpart in PyTorch.
    """
    from eyebright.onnx_torch.module import to_module
    from eyebright.onnx_torch.reader import UnreadableError

    try:
        return to_module(source.resized_graph if decides else source.undecided_graph, batch)
    except UnreadableError as error:
        raise unsupported(purpose, error.operator) from error


def unsupported(purpose: str, part: str, instead: str = "onnx, openvino") -> UnsupportedError:
    """Return the error for a model with a part that a format does not have.

    Args:
        purpose: the format's name in its own spelling.
        part: what it lacks.
        instead: formats that take the model.
    """
    return UnsupportedError(
        "{format} must support every operator of the model. It does not support {part}. Use {others}.",
        format=purpose,
        part=part,
        others=instead,
    )


def trace(module: GraphModule, shape: tuple[int, ...]) -> Any:
    """Return the module as TorchScript, traced on zeros of ``shape``."""
    import torch

    return torch.jit.trace(module, torch.zeros(shape), check_trace=False)  # type: ignore[no-untyped-call]


def write_through_memory(path: Path, save: Callable[[io.BytesIO], object]) -> None:
    """Write what ``save`` puts into a file: on a full disk torch's own writer would end the process.

    Raises:
        StorageError: the disk is full.
    """
    buffer = io.BytesIO()
    save(buffer)
    write_bytes(path, buffer.getvalue())


@contextmanager
def quietly() -> Iterator[None]:
    """Silence converters, which print, log and warn of what their own authors must change."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)


class TorchRunner:
    """A function of tensors that predicts one image per call.

    Args:
        source: what was exported.
        function: tensor (1, 3, S, S) to probabilities (1, K), or to the tensors of all outputs in order.
        threads: for one prediction.
    """

    def __init__(self, source: ExportSource, function: Callable[[Any], Any], threads: int) -> None:
        self._source = source
        self._function = function
        self._threads = threads

    def predict(self, image: UInt8Array) -> ExportOutput:
        """Return what the file gives for one RGB image (H, W, 3); the process keeps its number of threads."""
        import torch

        before = torch.get_num_threads()
        torch.set_num_threads(self._threads)
        try:
            with torch.no_grad():
                outputs = self._function(torch.from_numpy(self._source.resized(image)))
        finally:
            torch.set_num_threads(before)
        given = outputs if isinstance(outputs, tuple | list) else (outputs,)
        return ExportOutput.of([output.numpy() for output in given])
