"""The EfficientNets-Lite as PyTorch has them, and ImageNet's preprocessing by Pillow and numpy alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from eyebright.backbones.card import Preprocessing
from eyebright.types import FloatArray


def preprocessed(image: Image.Image, how: Preprocessing) -> FloatArray:
    """Return (1, 3, S, S): the short side resized to S / crop, the middle taken, normalised."""
    assert how.interpolation == "bicubic"
    assert how.crop is not None
    short = round(how.size / how.crop)
    scale = short / min(image.size)
    width, height = (short if side == min(image.size) else int(side * scale) for side in image.size)
    resized = np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))
    top, left = ((side - how.size) // 2 for side in resized.shape[:2])
    square = resized[top : top + how.size, left : left + how.size].astype(np.float32) / 255
    normal = (square - np.array(how.mean, np.float32)) / np.array(how.std, np.float32)
    return np.ascontiguousarray(normal.transpose(2, 0, 1)[None])


def published_lite(architecture: str, path: Path) -> Any:
    """Return timm's architecture with the published weights, whose tensors lie in the same order."""
    torch = pytest.importorskip("torch")
    timm = pytest.importorskip("timm")
    model = timm.create_model(architecture)
    state = torch.load(path, weights_only=True, map_location="cpu")
    model.load_state_dict(dict(zip(model.state_dict(), state.values(), strict=True)))
    return model.eval()
