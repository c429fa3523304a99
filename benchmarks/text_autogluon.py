"""The test accuracy of AutoGluon's fusion of image and text, in an environment of its own.

    python benchmarks/text_autogluon.py TRAIN TEST WEIGHTS ENCODER OUT [--seconds N] [--seed N]

Called by `text.py --autogluon PYTHON`; needs autogluon.multimodal (1.6.3 was run), not Eyebright. TRAIN and
TEST are tables of the columns image, text and label; WEIGHTS are the published ones of EfficientNet-Lite0,
ENCODER is a folder of transformers (MiniLM), since its defaults come from hubs. OUT is a JSON file.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import pandas as pd
import timm
import torch
from autogluon.multimodal import MultiModalPredictor

_ARCHITECTURE = "tf_efficientnet_lite0"


def timm_folder(weights: Path, folder: Path) -> Path:
    """Write the published weights, whose tensors lie in the order of timm's, as AutoGluon reads them."""
    model = timm.create_model(_ARCHITECTURE)
    published = torch.load(weights, weights_only=True, map_location="cpu")
    state = dict(zip(model.state_dict(), published.values(), strict=True))
    headless = {name: tensor for name, tensor in state.items() if not name.startswith("classifier.")}
    torch.save(headless, folder / "pytorch_model.bin")
    config = {"architecture": _ARCHITECTURE, "num_features": model.num_features}
    known = timm.get_pretrained_cfg(_ARCHITECTURE)
    facts = {name: getattr(known, name) for name in ("mean", "std", "input_size", "interpolation")}
    (folder / "config.json").write_text(json.dumps(config | {"pretrained_cfg": facts}))
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    for name in ("train", "test", "weights", "encoder", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    train, test = (pd.read_csv(path, keep_default_na=False) for path in (args.train, args.test))
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work) / "lite0"
        folder.mkdir()
        predictor = MultiModalPredictor(
            label="label", problem_type="multiclass", path=str(Path(work) / "model")
        )
        predictor.fit(
            train,
            time_limit=args.seconds,
            seed=args.seed,
            column_types={"image": "image_path", "text": "text"},
            hyperparameters={
                "model.names": ["timm_image", "hf_text", "fusion_mlp"],
                "model.timm_image.checkpoint_name": str(timm_folder(args.weights, folder)),
                "model.hf_text.checkpoint_name": str(args.encoder),
                "env.accelerator": "cpu",
                "env.num_workers": 0,
                "env.num_workers_inference": 0,
                "env.precision": "32",
            },
        )
        answers = predictor.predict(test)
    accuracy = float((answers.astype(str) == test["label"].astype(str)).mean())
    args.out.write_text(json.dumps({"accuracy": accuracy}))


if __name__ == "__main__":
    main()
