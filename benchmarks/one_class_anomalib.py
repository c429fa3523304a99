"""The scores of anomalib's PatchCore for the images of a folder, in an environment of its own.

    python benchmarks/one_class_anomalib.py DATA WEIGHTS OUT [--size S] [--coreset SHARE] [--seed N]

Called by `one_class.py --anomalib PYTHON`; needs anomalib (2.7.0 was run), not Eyebright. DATA has
`train/good` and the folders of `test`, WEIGHTS are those of timm's tf_efficientnet_lite0, OUT is a JSON file
of the scores by folder. The model is anomalib's, fed by a plain loop over batches: no trainer, no logging.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from anomalib.models.image.patchcore.torch_model import PatchcoreModel
from PIL import Image
from safetensors.torch import load_file

BATCH = 32
LAYERS = ["blocks.2", "blocks.4"]


def batches(folder: Path, size: int) -> Iterator[torch.Tensor]:
    """Yield the images of a folder (B, 3, size, size), from -1 to 1."""

    def pixels(path: Path) -> torch.Tensor:
        with Image.open(path) as image:
            square = image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
        return torch.from_numpy(np.asarray(square, np.float32).transpose(2, 0, 1) / 127.5 - 1)

    files = sorted(folder.iterdir())
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(files), BATCH):
            yield torch.stack(list(pool.map(pixels, files[start : start + BATCH])))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--coreset", type=float, default=0.01)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    model = PatchcoreModel(LAYERS, "tf_efficientnet_lite0", pre_trained=False)
    found = model.feature_extractor.feature_extractor.load_state_dict(load_file(args.weights), strict=False)
    if found.missing_keys:
        raise SystemExit(f"weights are missing: {found.missing_keys[:3]}")
    model.train()
    model.feature_extractor.eval()  # its batch norms must not move
    for some in batches(args.data / "train" / "good", args.size):
        model(some)
    model.subsample_embedding(args.coreset)
    model.eval()
    scores = {
        folder.name: [
            s for some in batches(folder, args.size) for s in model(some).pred_score.flatten().tolist()
        ]
        for folder in sorted((args.data / "test").iterdir())
    }
    args.out.write_text(json.dumps(scores))


if __name__ == "__main__":
    main()
