"""The picture of augmented images shows the images themselves and what training sees."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from data_material import pixel_data
from PIL import Image

from eyebright.training.finetune.data.augment import PRESETS, AugmentName
from eyebright.training.finetune.data.mixup import Mixing
from eyebright.training.finetune.data.preview import contact_sheet

PLACES = np.array([0, 4, 8, 11])


def columns(root: Path, cache: Path, name: AugmentName, mixing: Mixing | None = None) -> list[np.ndarray]:
    """The original and the six variants of the first image."""
    with Image.open(BytesIO(contact_sheet(pixel_data(root, cache, PRESETS[name], mixing), PLACES))) as sheet:
        assert sheet.format == "PNG"
        assert sheet.size == (7 * 128 + 12 + 5 * 4, 4 * 128 + 3 * 4)
        pixels = np.asarray(sheet.convert("RGB")).astype(int)
    starts = [0, *(128 + 12 + n * 132 for n in range(6))]
    return [pixels[:128, start : start + 128] for start in starts]


def test_variants_differ_from_the_original_and_each_other(textile: Path, feature_cache: Path) -> None:
    shown = columns(textile, feature_cache, "standard")
    for number, image in enumerate(shown):
        assert all(np.abs(image - other).mean() > 0.5 for other in shown[:number])


def test_without_augmentation_all_are_the_original(textile: Path, feature_cache: Path) -> None:
    original, *others = columns(textile, feature_cache, "none")
    assert original.std() > 1
    for other in others:
        np.testing.assert_array_equal(other, original)


def test_mixed_images_are_shown_mixed(textile: Path, feature_cache: Path) -> None:
    original, *others = columns(textile, feature_cache, "none", Mixing(1.0))
    assert sum(np.abs(other - original).mean() > 0.5 for other in others) >= 4


def test_the_same_seed_gives_the_same_picture(textile: Path, feature_cache: Path) -> None:
    data = pixel_data(textile, feature_cache, PRESETS["randaugment"])
    first, same = (contact_sheet(data, PLACES[:2], variants=2) for _ in range(2))
    assert first == same
    assert first != contact_sheet(data, PLACES[:2], variants=2, seed=1)
