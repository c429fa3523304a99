"""Write the losses of lightly (MIT) for fixed projections, as an oracle for tests that do without it.

    python scripts/lightly_losses.py > tests/unit/training/pretrain/lightly_losses.json

It needs lightly 1.6 and PyTorch, in an environment of their own. Projections are numpy's, so that a test
makes the same ones again from the seed.
"""

from __future__ import annotations

import json

import numpy as np
import torch
from lightly import __version__
from lightly.loss import BarlowTwinsLoss, NTXentLoss, VICRegLoss

SHAPES = ((4, 8), (16, 32), (33, 128))
TEMPERATURES = (0.07, 0.2, 0.5, 1.0)


def main() -> None:
    """Print the losses as JSON."""
    rows = []
    for seed, (images, width) in enumerate(SHAPES):
        drawn = np.random.default_rng(seed).standard_normal((images, 2, width))
        first, second = torch.from_numpy(drawn).unbind(1)
        found = {f"simclr {t}": float(NTXentLoss(temperature=t)(first, second)) for t in TEMPERATURES}
        found["vicreg"] = float(VICRegLoss()(first, second))
        found["barlow"] = float(BarlowTwinsLoss()(first, second))
        rows.append({"seed": seed, "images": images, "width": width, "losses": found})
    print(json.dumps({"lightly": __version__, "cases": rows}, indent=1))


if __name__ == "__main__":
    main()
