"""Size and layers are compared once for the same images, labels, features and code."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from eyebright.backbones.embedded import EmbeddedBackbone
from eyebright.data.manifest import Manifest
from eyebright.training.cache import selection_cache
from eyebright.training.linear_probe import probe as frozen
from eyebright.training.linear_probe import targets
from eyebright.training.linear_probe.probe import FrozenModel, FrozenTrainer


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each fit had, in their order."""
    counts: list[int] = []
    true_fit = targets.fit

    def counting(rows, *args, **options):
        counts.append(len(rows))
        return true_fit(rows, *args, **options)

    monkeypatch.setattr(frozen, "fit_task", counting)
    monkeypatch.setattr(frozen, "ladder", lambda sides: (32, 64))
    return counts


def trained(manifest: Manifest, cache: Path, seed: int = 0) -> FrozenModel:
    settings = {"views": 1, "layers": "auto", "seed": seed}
    trainer = FrozenTrainer(manifest, EmbeddedBackbone(), cache, **settings)
    return trainer.train(None)


def test_the_second_training_fits_its_head_alone(textile_manifest, tmp_path, fits: list[int]) -> None:
    first = trained(textile_manifest, tmp_path)
    assert len(fits) == 7  # three sets of layers at two sizes, and the head
    fits.clear()
    second = trained(textile_manifest, tmp_path)
    assert len(fits) == 1
    assert second.layers == first.layers
    assert second.extractor.preprocessing == first.extractor.preprocessing
    assert (second.sizes, second.feature_layer_sets) == (first.sizes, first.feature_layer_sets)
    np.testing.assert_array_equal(second.fit.head.weights, first.fit.head.weights)


@pytest.mark.parametrize("change", ["seed", "labels", "images", "subset", "code"])
def test_whatever_the_choice_hangs_on_makes_another(
    textile_manifest: Manifest, tmp_path, fits: list[int], monkeypatch, change: str
) -> None:
    trained(textile_manifest, tmp_path)
    fits.clear()
    samples = textile_manifest.samples
    if change == "labels":
        others = {"global": "local", "local": "global"}
        samples = tuple(replace(s, label=others.get(s.label, s.label)) for s in samples)
    elif change == "images":
        samples = samples[1:]
    elif change == "subset":
        monkeypatch.setattr(frozen, "SUBSET", 30)
        monkeypatch.setattr(frozen, "THOROUGH", 30)
    elif change == "code":
        monkeypatch.setattr(selection_cache, "_CODE", ("task/logits.py",))
    trained(replace(textile_manifest, samples=samples), tmp_path, seed=int(change == "seed"))
    # With more images, the sets of layers between the narrowest and the widest are left out.
    assert len(fits) == (5 if change == "subset" else 7)
