"""Convert an ONNX file to a `.tflite` file; run by the Python of LiteRT's own environment.

It needs numpy, onnx, onnxruntime and litert-torch from there, and of this package only `onnx_torch`.
"""

from __future__ import annotations

import sys
from pathlib import Path

#: Precedes the operator's name if a model cannot be read.
UNREADABLE = "no counterpart in PyTorch: "


def convert(graph: Path, size: int, target: Path) -> None:
    """Convert a graph for one image.

    Args:
        graph: an ONNX file with one input (B, 3, S, S).
        size: S.
        target: the file to write.
    """
    import litert_torch
    import onnx
    import torch

    from eyebright.onnx_torch.module import to_module
    from eyebright.onnx_torch.reader import UnreadableError

    try:
        module = to_module(onnx.load(graph), batch=1)
    except UnreadableError as error:
        sys.exit(f"{UNREADABLE}{error.operator}")
    with torch.no_grad():
        litert_torch.convert(module, (torch.zeros(1, 3, size, size),)).export(str(target))


if __name__ == "__main__":
    # Last, so that nothing of the environment that this package is installed in comes before what is here.
    sys.path.append(str(Path(__file__).parents[3]))
    convert(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
